"""The Lua scripts: each file of ``lua/`` joined with what it shares."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Script:
    """A script's text and the digest that the server knows it by."""

    text: str
    sha: str


def _load(name: str, *shared: str) -> Script:
    folder = files(__package__) / "lua"
    text = "\n".join((folder / f"{one}.lua").read_text() for one in ("common", *shared, name))
    # SHA-1 is the server's choice of a name, and secures nothing.
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


PUBLISH = _load("publish")
CLAIM = _load("claim", "packed")
CLAIM_LIMITED = _load("claim_limited", "packed", "limits")
SETTLE = _load("settle", "limits", "letters")
BEAT = _load("beat")
RECLAIM = _load("reclaim", "limits")
RECOVER = _load("recover", "packed")
TOKEN = _load("token")
TURN = _load("turn")
TICK = _load("tick")
UNIQUE = _load("unique")
CLEAR = _load("clear", "limits")
REVIVE = _load("revive", "letters")
UNLIMIT = _load("unlimit", "limits")
