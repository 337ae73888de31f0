"""One walk: connections to a store, a model of it, and the calls that were made so far."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from ltq_core.errors import EncodeError
from ltq_core.logger import describe
from ltq_core.message import Message
from ltq_core.testing.cancelling import in_time
from ltq_core.testing.walks.draws import KEYS, QUEUES, SOON, Draw
from ltq_core.testing.walks.model import Held, Model, Span, name_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ltq_core.broker import Broker

T = TypeVar("T")

Step = Callable[["Walk", Draw], Awaitable[None]]

CONNECTIONS = 3

_WIDTH = 60  # signs of a value that a failure shows


class PromiseError(AssertionError):
    """A promise that a broker broke.

    Attributes:
        promise: Which one, in words that are the same whenever it is broken.
        detail: What was wrong this time.
        trace: The calls that led there, a line each.
        steps: In how many steps.
    """

    def __init__(self, promise: str, detail: str) -> None:
        super().__init__(f"{promise}: {detail}")
        self.promise, self.detail = promise, detail
        self.trace: list[str] = []
        self.steps = 0


class Walk:
    """What a step works with.

    Attributes:
        model: What the store is to hold.
        patience: Seconds to wait for what must happen.
        names: The queues that the walk uses, one a connection; no other walk does.
        keys: Unique keys and jobs.
        clock: The store's.
        span: When the last call was made.
        last: What it was, looks apart.
        trace: The calls until now, a line each.
        steps: How many steps were gone.
    """

    span: Span
    last = "start"
    steps = 0

    def __init__(
        self, connections: Sequence[Broker], number: int, lot: str, patience: float
    ) -> None:
        draw = Draw(lot)
        self.prefix = f"{number}:"
        first = draw.randrange(len(QUEUES) - CONNECTIONS)
        self.names = [self.prefix + name for name in QUEUES[first : first + CONNECTIONS]]
        self.keys = draw.sample(KEYS, 2)
        self.model = Model(self.names)
        self.clock = StoreClock()
        self.trace: list[str] = []
        self._brokers, self.patience = connections, patience
        self._only: str | None = None
        self._sent = draw.randrange(20)

    def broker(self, at: int) -> Broker:
        """The connection with that number."""
        return self._brokers[at]

    def queue(self, draw: Draw) -> str:
        """One of the queues; within `only` that one."""
        return self._only or draw.choice(self.names)

    @contextmanager
    def only(self, name: str) -> Iterator[None]:
        """Let steps use one queue alone."""
        self._only = name
        try:
            yield
        finally:
            self._only = None

    def new(self, draw: Draw, queue: str) -> Message:
        """A message that was never sent."""
        self._sent += 1
        return draw.message(queue, self._sent)

    async def call(self, at: int, method: str, *args: Any, **settings: Any) -> Any:
        """What a method of a connection returns; see `run`."""
        what = f"{name_of(at)}.{method}({shown_all(args, settings)})"
        bound = getattr(self._brokers[at], method)
        return await self.run(what, method, bound(*args, **settings))

    async def look(self, at: int, method: str, *args: Any, **settings: Any) -> Any:
        """What a method returns that is to change nothing: in the trace only if it fails."""
        last = self.last
        result = await self.call(at, method, *args, **settings)
        self.unsay(last)
        return result

    def unsay(self, last: str) -> None:
        """Leave the last call, which changed nothing, out of the trace."""
        self.trace.pop()
        self.last = last

    async def run(self, what: str, method: str, call: Awaitable[T]) -> T:
        """What *call* returns; fails if it raises, or takes too long.

        Args:
            what: The call, for the trace.
            method: Whose promises are broken then.
            call: It is made now.
        """
        self.trace.append(what)
        self.last = method
        began = time.monotonic()
        try:
            result = await in_time(asyncio.ensure_future(call), self.patience, f"{method}()")
        except AssertionError as error:
            raise PromiseError(f"{method}() in time", str(error)) from error
        except Exception as error:
            raise PromiseError(f"{method}()", f"it raised {describe(error)}") from error
        self.span = Span(began, time.monotonic())
        if result is not None:
            self.trace[-1] += f" -> {shown(result)}"
        return result

    async def fails(
        self, error: type[Exception], at: int, method: str, *args: Any, **settings: Any
    ) -> bool:
        """Make a call that may raise *error*, and nothing else; whether it did."""
        try:
            await self.call(at, method, *args, **settings)
        except PromiseError as broken:
            if not isinstance(broken.__cause__, error):
                raise
            self.trace[-1] += f" raises {error.__name__}"
            return True
        return False

    async def refuses(self, at: int, method: str, *args: Any) -> None:
        """Make a call with what JSON cannot say: it must raise `EncodeError`."""
        if not await self.fails(EncodeError, at, method, *args):
            raise PromiseError(f"{method}()", "it took what JSON cannot say")

    async def sizes(self) -> list[int]:
        """The size of each queue, by a connection each."""
        pairs = zip(self._brokers, self.names, strict=True)
        return await asyncio.gather(*(broker.size(name) for broker, name in pairs))

    async def sizes_agree(self) -> bool:
        """Whether what the model has waiting waits, and nothing else."""
        return await self.sizes() == [len(self.model.queues[n].waiting) for n in self.names]

    def of(self, at: int) -> list[Held]:
        """What a connection holds."""
        return [held for held in self.model.held if held.at == at]

    def comes_soon(self, names: Sequence[str]) -> bool:
        """Whether something is due in one of these queues, or will be within a moment."""
        soon = time.monotonic() + max(SOON)
        return any(
            entry.due.ended <= soon
            for name in names
            if not self.model.queues[name].paused
            for entry in self.model.queues[name].waiting
        )


class StoreClock:
    """How far the store's clock is ahead of this process's, as closely as is known."""

    def __init__(self) -> None:
        self.least, self.most = float("-inf"), float("inf")

    def learn(self, at_store: float, here: Span) -> float:
        """Take in what the store's clock said meanwhile; by how much it contradicts itself."""
        least, most = at_store - here.ended, at_store - here.began
        wrong = max(least - self.most, self.least - most, 0)
        if not wrong:
            self.least, self.most = max(least, self.least), min(most, self.most)
        return wrong

    def misses(self, at_store: float, here: Span) -> float:
        """By how much a moment of the store's clock is surely not within *here*."""
        early = here.began + self.least - at_store
        late = at_store - here.ended - self.most
        return -early if early > 0 else max(late, 0)


def shown_all(args: Sequence[Any], settings: dict[str, Any]) -> str:
    """Arguments as a call is written."""
    named = [f"{name}={shown(value)}" for name, value in settings.items()]
    return ", ".join([*map(shown, args), *named])


def shown(value: Any) -> str:
    """*value* in short."""
    if isinstance(value, Message):
        return f"<{cut(value.id)} of {cut(value.task_name)}>"
    if isinstance(value, list | tuple):
        inside = ", ".join(shown(each) for each in value[:12])
        return f"[{inside}{', ...' if len(value) > 12 else ''}]"
    return cut(value)


def cut(value: Any) -> str:
    """*value* in ASCII, which tells alike letters apart; without its middle if it is long."""
    text = ascii(value)
    if len(text) <= _WIDTH:
        return text
    half = _WIDTH // 2
    return f"{text[:half]}...{text[-half:]}"


def differ(promise: str, seen: Any, expected: Any) -> None:
    """Fail unless both are equal, also in what Python takes for equal, as True and 1."""
    mine, its = ascii(expected), ascii(seen)
    if mine == its:
        return
    at = next((n for n, (a, b) in enumerate(zip(mine, its, strict=False)) if a != b), 0)
    start = max(at - _WIDTH // 4, 0) if max(len(mine), len(its)) > _WIDTH else 0
    its, mine = its[start : start + _WIDTH], mine[start : start + _WIDTH]
    raise PromiseError(promise, f"it is {its}, and should be {mine}")
