"""The peers: what is installed for each, how its worker is started, how it sends.

The pins conflict (arq wants redis<6; saq and docket redis<8), so each peer has an
environment of its own. The README says why these settings are each one's best.
"""

from dataclasses import dataclass
from pathlib import Path

from peers.settings import CONCURRENCY

ROOT = Path(__file__).resolve().parents[2]
_MANY = str(CONCURRENCY)
_LTQ = tuple(
    part
    for package in ("ltq_core", "ltq_memory", "ltq_redis", "ltq_sentry")
    for part in ("-e", str(ROOT / package))
)


@dataclass(frozen=True)
class Peer:
    """One library in one configuration.

    Attributes:
        requirements: Arguments of `pip install`; the first names the library itself.
        adapter: The module below `peers` that every process of this peer imports.
        worker: The worker's command line; `{url}` stands for Redis', the program is
            looked up in the peer's environment.
        imports: The statement of a program that declares its tasks.
        is_async: Whether it sends by coroutines.
        uvloop: Whether the producer runs on uvloop.
    """

    name: str
    requirements: tuple[str, ...]
    adapter: str
    worker: tuple[str, ...]
    imports: str
    is_async: bool = True
    uvloop: bool = False

    @property
    def is_rival(self) -> bool:
        """Whether LTQ is compared with it."""
        return not (self.is_ours or self.is_baseline)

    @property
    def is_ours(self) -> bool:
        """Whether this is LTQ itself."""
        return self.adapter == "ltq_app"

    @property
    def is_baseline(self) -> bool:
        """Whether this is the bare event loop, which has no broker."""
        return self.adapter == "bare_loop"


_LTQ_WORKER = (
    "ltq",
    "run",
    "peers.ltq_app:worker",
    "--concurrency",
    _MANY,
    "--log-level",
    "WARNING",
)
_TASKIQ_FLAGS = ("--workers", "1", "--max-async-tasks", _MANY, "--log-level", "WARNING")
_TASKIQ = ("taskiq==0.13.0", "taskiq-redis==1.2.4", "redis==8.1.0", "uvloop==0.23.0")

_ALL = (
    Peer("ltq", _LTQ, "ltq_app", _LTQ_WORKER, "from ltq import Worker"),
    Peer(
        "ltq+uvloop",
        (*_LTQ, "uvloop==0.23.0"),
        "ltq_app",
        _LTQ_WORKER,
        "from ltq import Worker",
        uvloop=True,
    ),
    Peer(
        "saq",
        ("saq[redis,hiredis]==0.26.4", "redis==7.4.1", "typing-extensions==4.16.0"),
        "saq_app",
        ("saq", "peers.saq_app.settings", "--quiet"),
        "from saq import Queue",
    ),
    Peer(
        "streaq",
        ("streaq==7.2.0", "coredis==6.9.0"),
        "streaq_app",
        ("streaq", "run", "peers.streaq_app:worker"),
        "from streaq import Worker",
    ),
    Peer(
        "taskiq-list",
        _TASKIQ,
        "taskiq_list",
        ("taskiq", "worker", "peers.taskiq_list:broker", *_TASKIQ_FLAGS),
        "import taskiq_redis",
    ),
    Peer(
        "taskiq-stream",
        _TASKIQ,
        "taskiq_stream",
        ("taskiq", "worker", "peers.taskiq_stream:broker", *_TASKIQ_FLAGS),
        "import taskiq_redis",
    ),
    Peer(
        "arq",
        ("arq==0.28.0", "redis==5.3.1", "hiredis==3.5.0"),
        "arq_app",
        ("arq", "peers.arq_app.WorkerSettings"),
        "import arq",
    ),
    Peer(
        "dramatiq",
        ("dramatiq[redis]==2.2.1", "redis==8.1.0"),
        "dramatiq_app",
        ("dramatiq", "peers.dramatiq_app", "--processes", "1", "--threads", _MANY),
        "import dramatiq.brokers.redis",
        is_async=False,
    ),
    Peer(
        "celery",
        ("celery[redis]==5.7.0", "redis==8.1.0"),
        "celery_app",
        (
            *("celery", "--app", "peers.celery_app", "worker", "--pool", "threads"),
            *("--concurrency", _MANY, "--loglevel", "WARNING"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        ),
        "from celery import Celery",
        is_async=False,
    ),
    Peer(
        "rq",
        ("rq==3.0.0", "redis==8.1.0"),
        "rq_app",
        ("rq", "worker", "bench", "--url", "{url}", "-w", "rq.worker.SimpleWorker", "--quiet"),
        "from rq import Queue",
        is_async=False,
    ),
    Peer(
        "huey",
        ("huey==3.5.4", "redis==8.1.0"),
        "huey_app",
        (
            *("huey_consumer", "peers.huey_app.huey", "--workers", _MANY),
            *("--worker-type", "thread", "--no-periodic", "--quiet"),
        ),
        "from huey import RedisHuey",
        is_async=False,
    ),
    Peer(
        "docket",
        ("pydocket==0.27.0", "redis==7.4.1"),
        "docket_app",
        ("python", "-m", "peers.docket_app"),
        "from docket import Docket",
    ),
    Peer("bare loop", _LTQ, "bare_loop", ("python", "-m", "peers.bare_loop"), "import asyncio"),
)
PEERS = {peer.name: peer for peer in _ALL}
