"""What a ``memory://`` URL says, and what it must not say."""

from __future__ import annotations

import pytest

from ltq_core.errors import OptionValueError, UnknownOptionError, UnknownSchemeError
from ltq_memory.settings import Settings, parse_url


def test_url_without_a_name_is_the_nameless_store() -> None:
    """``memory://`` and ``memory:///`` are one store with the default settings."""
    assert parse_url("memory://") == parse_url("memory:///") == ("", Settings())


def test_name_is_host_and_path() -> None:
    """Whatever stands between the scheme and the query is the store's name."""
    assert parse_url("memory://tests/one")[0] == "tests/one"


def test_options_are_read() -> None:
    """Every setting can stand in the query."""
    query = "lease=0.5&stuck=60&dead_letters=7&dead_letter_age=3600&max_message_bytes=99"

    assert parse_url(f"memory://x?{query}") == ("x", Settings(0.5, 60, 7, 3600, 99))


SENSELESS = ("lease=0", "lease=soon", "lease=nan", "lease=inf", "lease=", "dead_letters=1.5")


@pytest.mark.parametrize("option", SENSELESS)
def test_senseless_value_is_an_error(option: str) -> None:
    """A value that makes no sense is named, with what would."""
    name = option.partition("=")[0]

    with pytest.raises(OptionValueError, match=f"{name} in a 'memory://' URL must be a"):
        parse_url(f"memory://?{option}")


def test_unknown_option_suggests_the_nearest() -> None:
    """A misspelt option is an error that says which was meant."""
    with pytest.raises(UnknownOptionError, match=r"no option 'leese'. Did you mean 'lease'\?"):
        parse_url("memory://?leese=3")


def test_unknown_option_lists_what_is_known() -> None:
    """An option that resembles none is an error that lists them all."""
    with pytest.raises(UnknownOptionError, match=r"Known are: lease, stuck, dead_letters,"):
        parse_url("memory://?cluster=1")


def test_another_scheme_is_refused_without_its_password() -> None:
    """A URL of another broker is an error that does not show its password."""
    with pytest.raises(UnknownSchemeError) as raised:
        parse_url("redis://:secret@localhost")

    assert "secret" not in str(raised.value)
