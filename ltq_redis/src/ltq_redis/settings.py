"""What a URL says: where the server is, and how the broker is to behave."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from ltq_core import (
    ConfigurationError,
    OptionValueError,
    UnknownOptionError,
    did_you_mean,
    printable,
    redact,
)

if TYPE_CHECKING:
    from collections.abc import Callable

Kind = Literal["single", "sentinel", "cluster"]


def _number(least: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        value = float(text)
        if not least <= value < float("inf"):
            raise ValueError(f"at least {least:g}")
        return value

    return parse


def _whole(least: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        value = int(text)
        if value < least:
            raise ValueError(f"at least {least}")
        return value

    return parse


def _flag(text: str) -> bool:
    if text not in ("0", "1", "true", "false"):
        raise ValueError("1 or 0")
    return text in ("1", "true")


def _prefix(text: str) -> str:
    # Braces would choose a Cluster's slot, and the others what SCAN finds.
    if not text.isprintable() or any(mark in text for mark in "{}*?[]\\"):
        raise ValueError("without braces, brackets, *, ? and \\")
    return text


def _certificates(text: str) -> str:
    if text not in ("required", "none"):
        raise ValueError("'required' or 'none'")
    return text


OPTIONS: dict[str, Callable[[str], Any]] = {
    "lease": _number(3),
    "stuck": _number(10),
    "dead_letters": _whole(1),
    "dead_letter_age": _number(1),
    "max_message_bytes": _whole(1024),
    "prefix": _prefix,
    "wait": _whole(0),
    "timeout": _number(0.1),
    "cluster": _flag,
    "db": _whole(0),
    "ssl_ca_certs": str,
    "ssl_certfile": str,
    "ssl_keyfile": str,
    "ssl_cert_reqs": _certificates,
    "ssl_check_hostname": _flag,
    "sentinel_username": str,
    "sentinel_password": str,
}


@dataclass(frozen=True)
class Credentials:
    """Who connects; never shown."""

    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)


@dataclass(frozen=True)
class Tls:
    """How connections are encrypted, and whom they trust.

    Attributes:
        ca_certs: A file of trusted certificates, or None for the system's.
        certfile: The client's own certificate, or None.
        keyfile: Its key, if it stands in a file of its own.
        verify: Whether the server must prove who it is.
        check_hostname: Whether its certificate must name the host.
    """

    ca_certs: str | None = None
    certfile: str | None = None
    keyfile: str | None = None
    verify: bool = True
    check_hostname: bool = True


@dataclass(frozen=True)
class Settings:
    """A parsed URL.

    Attributes:
        url: As given; shown only through `redact`.
        kind: One server, a master found through sentinels, or a cluster.
        hosts: (host, port) of the server, the sentinels or some cluster nodes.
        db: The database's number.
        credentials: For the server.
        tls: How connections are encrypted, or None.
        path: A Unix socket's path, instead of *hosts*.
        service: The master's name at the sentinels.
        sentinel: Credentials for the sentinels.
        lease: Seconds after which the work of a silent worker is taken over.
        stuck: Seconds after which a blocked event loop counts as dead.
        dead_letters: The most dead letters kept per queue.
        dead_letter_age: Seconds for which they are kept after the last one.
        max_message_bytes: The largest message accepted.
        prefix: Stands before every key.
        wait: Replicas that must have a message before a send returns.
        timeout: Seconds for the server to answer.
    """

    url: str = field(repr=False)
    kind: Kind
    hosts: tuple[tuple[str, int], ...]
    db: int = 0
    credentials: Credentials = Credentials()
    tls: Tls | None = None
    path: str = ""
    service: str = ""
    sentinel: Credentials = Credentials()
    lease: float = 30.0
    stuck: float = 600.0
    dead_letters: int = 10_000
    dead_letter_age: float = 14 * 86_400.0
    max_message_bytes: int = 1 << 20
    prefix: str = ""
    wait: int = 0
    timeout: float = 5.0

    @property
    def tagged(self) -> bool:
        """Whether keys carry a hash tag."""
        return self.kind == "cluster"

    @property
    def server(self) -> str:
        """What the messages of errors call it; nothing in it is secret."""
        kind = {"single": "Redis", "sentinel": f"Redis '{self.service}'"}
        places = self.path or ", ".join(map(_place, self.hosts))
        return printable(f"{kind.get(self.kind, 'Redis Cluster')} at {places}")


def _place(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _kind(scheme: str, cluster: bool) -> Kind:
    if scheme.endswith("+sentinel"):
        return "sentinel"
    return "cluster" if cluster or scheme.endswith("+cluster") else "single"


def parse(url: str) -> Settings:
    """The settings in *url*.

    Raises:
        UnknownOptionError: An option that is none; suggests the nearest.
        OptionValueError: An option whose value makes no sense.
        ConfigurationError: A URL that names no server, or several that do not fit.
    """
    parts = urlsplit(url)
    scheme = parts.scheme.replace("valkey", "redis")
    unix = scheme == "unix"
    hosts = () if unix else _hosts(url, parts.netloc, 26379 if "+sentinel" in scheme else 6379)
    options = _options(url, parts.query)
    kind = _kind(scheme, options.pop("cluster", False))
    path, service, db = _path(url, parts.path, kind, unix)
    db = options.pop("db", db)
    tls, sentinel = _tls(options), _sentinel(options)  # the other options are fields
    settings = Settings(
        url=url,
        kind=kind,
        hosts=hosts,
        db=db,
        credentials=_credentials(parts.netloc),
        tls=tls if scheme.startswith("rediss") else None,
        path=path,
        service=service,
        sentinel=sentinel,
        **options,
    )
    _check(settings)
    return settings


def _check(settings: Settings) -> None:
    kind, url = settings.kind, redact(settings.url)
    if kind == "cluster" and (settings.db or settings.path):
        raise ConfigurationError(
            f"A Redis Cluster has no database but 0, and no socket: {url}."
        )
    if kind == "single" and len(settings.hosts) > 1:
        raise ConfigurationError(
            f"{url} names several servers, as only redis+sentinel:// and redis+cluster:// may."
        )


def _options(url: str, query: str) -> dict[str, Any]:
    parsed = {}
    for name, text in parse_qsl(query, keep_blank_values=True):
        if name not in OPTIONS:
            shown = printable(name, 40) if name.isidentifier() else "***"
            place = redact(url).partition("?")[0]  # its value may be a password, misnamed
            raise UnknownOptionError(
                f"Unknown option '{shown}' in {place}. {did_you_mean(name, OPTIONS)}"
            )
        try:
            parsed[name] = OPTIONS[name](text)
        except ValueError as error:
            shown = "***" if "password" in name else repr(text)
            raise OptionValueError(
                f"{name} in {redact(url)} makes no sense: {shown}; {error}."
            ) from None
    return parsed


def _path(url: str, path: str, kind: Kind, unix: bool) -> tuple[str, str, int]:
    """(socket path, service, database) from the part after the host."""
    if unix:
        if not path:
            raise ConfigurationError(f"{redact(url)} names no socket, as in unix:///path.sock.")
        return unquote(path), "", 0
    names = [unquote(part) for part in path.split("/") if part]
    service = ""
    if kind == "sentinel":
        if not names:
            raise ConfigurationError(
                f"{redact(url)} names no master, as in redis+sentinel://host:26379/mymaster."
            )
        service = names.pop(0)
    if len(names) > 1 or (names and not names[0].isdecimal()):
        raise ConfigurationError(f"The database in {redact(url)} must be a number.")
    return "", service, int(names[0]) if names else 0


def _hosts(url: str, netloc: str, default_port: int) -> tuple[tuple[str, int], ...]:
    hosts = []
    for place in netloc.rpartition("@")[2].split(","):
        try:
            one = urlsplit(f"//{place}")
            hosts.append((one.hostname or "localhost", one.port or default_port))
        except ValueError:
            # What stands there may be the beginning of a password: it is not shown.
            raise ConfigurationError(
                f"The port in {redact(url)} is no port. In a password, write '/', '?', '#' "
                "and '@' as %2F, %3F, %23 and %40."
            ) from None
    return tuple(hosts)


def _credentials(netloc: str) -> Credentials:
    username, _, password = netloc.rpartition("@")[0].partition(":")
    return Credentials(unquote(username), unquote(password))


def _tls(options: dict[str, Any]) -> Tls:
    return Tls(
        ca_certs=options.pop("ssl_ca_certs", None),
        certfile=options.pop("ssl_certfile", None),
        keyfile=options.pop("ssl_keyfile", None),
        verify=options.pop("ssl_cert_reqs", "required") == "required",
        check_hostname=options.pop("ssl_check_hostname", True),
    )


def _sentinel(options: dict[str, Any]) -> Credentials:
    return Credentials(
        options.pop("sentinel_username", ""), options.pop("sentinel_password", "")
    )
