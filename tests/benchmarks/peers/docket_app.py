"""docket: results off (execution_ttl=0), bulk sends by its pipelined add_many.

The worker is started from here: `docket worker` has no option for execution_ttl. The
check interval bounds the rate (100 runs in each), so it is as short as pays.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

from docket import Docket, Worker
from peers.async_tasks import ALL
from peers.settings import CONCURRENCY, URL

_functions = {function.__name__: function for function in ALL}
_docket = Docket(name="bench", url=URL, execution_ttl=timedelta(0))


async def connect() -> None:
    await _docket.__aenter__()
    for function in ALL:
        _docket.register(function)


async def close() -> None:
    await _docket.__aexit__(None, None, None)


def sender(task: str) -> Callable[..., Awaitable[object]]:
    function = _functions[task]

    def send(*arguments: object) -> Awaitable[object]:
        return _docket.add(function)(*arguments)

    return send


async def send_bulk(task: str, calls: Sequence[tuple[object, ...]]) -> None:
    function = _functions[task]
    await _docket.add_many([_docket.call(function)(*arguments) for arguments in calls])


async def _work() -> None:
    await connect()
    async with Worker(
        _docket, concurrency=CONCURRENCY, minimum_check_interval=timedelta(milliseconds=10)
    ) as worker:
        await worker.run_forever()


if __name__ == "__main__":
    asyncio.run(_work())
