"""Whether a distribution's requirement on ltq-core fits the one that runs."""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING

from ltq_core.plugins.plugin import canonical

if TYPE_CHECKING:
    from collections.abc import Sequence

CORE = "ltq-core"

_PLAIN = re.compile(r"[\w.-]+\s*((?:[<>]=?\s*\d+(?:\.\d+)*\s*,?\s*)+)")
_BOUND = re.compile(r"([<>]=?)\s*([\d.]+)")
_HOLDS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def unmet(requirements: Sequence[str], version: str) -> str:
    """The bounds on ltq-core among *requirements* that *version* does not meet, or "".

    Raises:
        ValueError: A requirement on ltq-core cannot be read.
    """
    texts = [text for text in requirements if canonical(text).startswith(CORE)]
    # Nearly every plugin asks for plain bounds, and they are met. Importing packaging to
    # read them costs more than all the rest of discovery.
    odd = [text for text in texts if not _plainly_met(text, version)]
    return _unmet(odd, version) if odd else ""


def _plainly_met(text: str, version: str) -> bool:
    plain = _PLAIN.fullmatch(text)
    if plain is None or re.fullmatch(r"\d+(\.\d+)*", version) is None:
        return False
    running = _release(version)
    bounds = _BOUND.findall(plain[1])
    return all(_HOLDS[sign](running, _release(bound)) for sign, bound in bounds)


def _release(version: str) -> list[int]:
    numbers = [int(number) for number in version.split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()  # 0.1 and 0.1.0 are one version
    return numbers


def _unmet(texts: list[str], version: str) -> str:
    from packaging.requirements import Requirement

    found = (
        str(wanted.specifier)
        for wanted in map(Requirement, texts)
        if canonical(wanted.name) == CORE
        and (wanted.marker is None or wanted.marker.evaluate())
        and not wanted.specifier.contains(version, prereleases=True)
    )
    return next(found, "")
