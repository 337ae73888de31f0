"""What a URL may say."""

from __future__ import annotations

from pathlib import Path

import pytest

from ltq_core import ConfigurationError, OptionValueError, UnknownOptionError
from ltq_sqlite.settings import parse


def test_three_slashes_begin_an_absolute_path() -> None:
    assert parse("sqlite:///var/lib/my%20queue.db").path == Path("/var/lib/my queue.db")


@pytest.mark.parametrize("start", ["./", "../"])
def test_dots_begin_a_relative_path(
    start: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert parse(f"sqlite:///{start}queue.db").path == tmp_path / start / "queue.db"


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite://queue.db"])
def test_url_without_a_file_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="three slashes"):
        parse(url)


def test_options_are_read() -> None:
    settings = parse("sqlite:///queue.db?lease=2.5&dead_letters=7")

    assert (settings.lease, settings.dead_letters, settings.stuck) == (2.5, 7, 600)


def test_unknown_option_is_refused() -> None:
    with pytest.raises(UnknownOptionError, match=r"no option 'leese'. Did you mean 'lease'"):
        parse("sqlite:///queue.db?leese=3")


@pytest.mark.parametrize("value", ["0", "-1", "soon", "inf", "nan", ""])
def test_lease_that_makes_no_sense_is_refused(value: str) -> None:
    with pytest.raises(OptionValueError, match="lease in a SQLite URL must be a number"):
        parse(f"sqlite:///queue.db?lease={value}")


def test_half_a_letter_is_refused() -> None:
    with pytest.raises(OptionValueError, match="must be a whole number, at least 1"):
        parse("sqlite:///queue.db?dead_letters=0.5")
