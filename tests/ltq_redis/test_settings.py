"""What a URL says, and what it must not say."""

from __future__ import annotations

from typing import Any

import pytest

from ltq_core import ConfigurationError, OptionValueError, UnknownOptionError
from ltq_redis.settings import OPTIONS, Credentials, Tls, parse

LOCAL = (("localhost", 6379),)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://", {"kind": "single", "hosts": LOCAL, "tls": None, "db": 0}),
        ("redis://localhost", {"hosts": LOCAL}),
        ("redis://cache.example:6380/2", {"hosts": (("cache.example", 6380),), "db": 2}),
        ("redis://h/?db=4", {"db": 4}),
        ("redis://[::1]:7000", {"hosts": (("::1", 7000),)}),
        ("valkey://h", {"kind": "single", "hosts": (("h", 6379),), "tls": None}),
        ("rediss://h", {"tls": Tls()}),
        ("valkeys://h", {"tls": Tls()}),
        ("rediss://h?ssl_cert_reqs=none", {"tls": Tls(verify=False)}),
        ("rediss://h?ssl_check_hostname=0", {"tls": Tls(check_hostname=False)}),
        (
            "rediss://h?ssl_ca_certs=/a&ssl_certfile=/b&ssl_keyfile=/c",
            {"tls": Tls("/a", "/b", "/c")},
        ),
        ("redis://:pw@h", {"credentials": Credentials("", "pw")}),
        ("redis://me:p%40w%2F@h", {"credentials": Credentials("me", "p@w/")}),
        ("unix:///run/redis.sock", {"path": "/run/redis.sock", "hosts": ()}),
        ("unix:///run/redis.sock?db=1", {"path": "/run/redis.sock", "db": 1}),
        ("unix://me:pw@/r.sock", {"path": "/r.sock", "credentials": Credentials("me", "pw")}),
        ("redis+cluster://a:1,b:2", {"kind": "cluster", "hosts": (("a", 1), ("b", 2))}),
        ("rediss+cluster://a", {"kind": "cluster", "tls": Tls()}),
        ("redis://a?cluster=1", {"kind": "cluster", "tagged": True}),
        ("redis://a?cluster=0", {"kind": "single", "tagged": False}),
        (
            "redis+sentinel://a,b:27000/main/3",
            {
                "kind": "sentinel",
                "hosts": (("a", 26379), ("b", 27000)),
                "service": "main",
                "db": 3,
            },
        ),
        (
            "rediss+sentinel://u:p@a/main?sentinel_username=s&sentinel_password=q",
            {
                "credentials": Credentials("u", "p"),
                "sentinel": Credentials("s", "q"),
                "tls": Tls(),
            },
        ),
        (
            "redis://h?lease=5.5&stuck=60&wait=2&timeout=0.5&prefix=a:",
            {"lease": 5.5, "stuck": 60.0, "wait": 2, "timeout": 0.5, "prefix": "a:"},
        ),
        (
            "redis://h?dead_letters=7&dead_letter_age=3600&max_message_bytes=2048",
            {"dead_letters": 7, "dead_letter_age": 3600.0, "max_message_bytes": 2048},
        ),
    ],
)
def test_url_is_understood(url: str, expected: dict[str, Any]) -> None:
    settings = parse(url)

    assert {name: getattr(settings, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("redis://user:pass@h/3?prefix=a:", "Redis at h:6379"),
        ("rediss://[::1]:7000", "Redis at [::1]:7000"),
        ("unix:///run/redis.sock", "Redis at /run/redis.sock"),
        ("redis+sentinel://:pass@a,b:27000/main", "Redis 'main' at a:26379, b:27000"),
        ("redis+cluster://a:7000,b:7001", "Redis Cluster at a:7000, b:7001"),
    ],
)
def test_server_is_named_without_its_password(url: str, server: str) -> None:
    assert parse(url).server == server


def test_defaults_are_those_of_the_documentation() -> None:
    settings = parse("redis://h")

    assert (settings.lease, settings.stuck, settings.timeout) == (30, 600, 5)
    assert (settings.dead_letters, settings.dead_letter_age) == (10_000, 14 * 86_400)
    assert (settings.max_message_bytes, settings.wait, settings.prefix) == (1 << 20, 0, "")


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("lease=2", "lease in .* makes no sense: '2'; at least 3"),
        ("lease=inf", "at least 3"),
        ("lease=nan", "at least 3"),
        ("lease=soon", "could not convert"),
        ("stuck=1", "at least 10"),
        ("wait=-1", "at least 0"),
        ("wait=1.5", "invalid literal"),
        ("timeout=0", "at least 0.1"),
        ("dead_letters=0", "at least 1"),
        ("max_message_bytes=10", "at least 1024"),
        ("cluster=yes", "1 or 0"),
        ("ssl_cert_reqs=maybe", "'required' or 'none'"),
        ("prefix={a}", "without braces"),
        ("prefix=a*", "without braces"),
        ("prefix=a%0A", "without braces"),
    ],
)
def test_value_that_makes_no_sense_is_refused(query: str, text: str) -> None:
    with pytest.raises(OptionValueError, match=text):
        parse(f"redis://h?{query}")


def test_unknown_option_suggests_the_nearest() -> None:
    with pytest.raises(UnknownOptionError, match=r"'leese' in redis.* Did you mean 'lease'\?"):
        parse("redis://h?leese=3")


def test_unknown_option_that_resembles_nothing_lists_the_known() -> None:
    with pytest.raises(UnknownOptionError, match=", ".join(OPTIONS)):
        parse("redis://h?xyz=3")


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("redis://h:port", "is no port"),
        ("redis://h:99999", "is no port"),
        ("redis://h/one", "must be a number"),
        ("redis://h/1/2", "must be a number"),
        ("redis://a,b", "names several servers"),
        ("unix://", "names no socket"),
        ("unix:///s?cluster=1", "no socket"),
        ("redis+cluster://h/1", "no database but 0"),
        ("redis+sentinel://h", "names no master"),
    ],
)
def test_url_that_cannot_work_is_refused(url: str, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        parse(url)


@pytest.mark.parametrize(
    "url",
    [
        "redis://:s3cret@h?leese=3",
        "redis://:s3cret@h?lease=1",
        "redis://:s3cret@h:port",
        "redis://:s3cret@h/one",
        "redis://:s3cret/@h",
        "redis://:s3cret?@h",
        "redis://:s3cret#@h",
        "redis://:1/s3cret@h",
        "redis://:1?s3cret@h",
        "redis://:@s3cret@h:port",
        "redis://:s3cret@a,b",
        "redis+cluster://:s3cret@h/1",
        "redis+sentinel://h?sentinel_password=s3cret",
        "redis://h?passwort=s3cret&password=s3cret",
        "unix://:s3cret@",
    ],
)
def test_no_error_shows_a_password(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse(url)
    shown = f"{caught.value!s} {caught.value!r} {caught.value.__cause__!r}"

    assert "s3cret" not in shown
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_settings_show_no_password() -> None:
    url = "redis+sentinel://u:s3cret@h/m?sentinel_password=s3cret"

    assert "s3cret" not in repr(parse(url))
