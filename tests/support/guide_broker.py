"""The broker that the guide builds, and wrong ones made of it, for other processes too."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fenced import blocks

if TYPE_CHECKING:
    from fake_site import FakeSite

GUIDE = Path(__file__).parents[2] / "docs" / "plugins" / "write-a-broker.md"


@pytest.fixture
def guide_broker(site: FakeSite, monkeypatch: pytest.MonkeyPatch) -> FakeSite:
    """The guide's package ``ltq_jsonfile`` on the path of this process and of its children."""
    for block in blocks(GUIDE, "python"):
        if block.title.startswith("src/"):
            file = site.root / block.title.removeprefix("src/")
            file.parent.mkdir(exist_ok=True)
            with file.open("a") as written:
                written.write(block.text)
    path = os.pathsep.join([str(site.root), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", path.rstrip(os.pathsep))
    return site
