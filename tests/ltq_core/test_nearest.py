"""What someone probably meant by a name that nothing has."""

from __future__ import annotations

from ltq_core.nearest import did_you_mean, nearest

KNOWN = ("lease", "stuck", "least")


def test_nearest_name_is_the_one_most_alike() -> None:
    assert nearest("leese", KNOWN) == "lease"
    assert nearest("stack", iter(KNOWN)) == "stuck"


def test_nothing_is_near_to_a_name_like_no_other() -> None:
    assert nearest("colour", KNOWN) is None


def test_cutoff_says_how_alike_names_must_be() -> None:
    assert nearest("stark", KNOWN, cutoff=0.6) == "stuck"
    assert nearest("stark", KNOWN, cutoff=0.75) is None


def test_sentence_asks_for_the_nearest_name() -> None:
    assert did_you_mean("leese", KNOWN, "See the guide.") == "Did you mean 'lease'?"


def test_sentence_lists_all_names_where_none_is_near() -> None:
    assert did_you_mean("colour", KNOWN) == "Known are: lease, stuck, least."


def test_sentence_is_the_caller_s_own_where_no_name_is_near() -> None:
    assert did_you_mean("colour", KNOWN, "See the guide.") == "See the guide."
