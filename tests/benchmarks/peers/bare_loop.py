"""The baseline: what the event loop alone does, without any broker.

It decodes the very JSON that LTQ stores, with LTQ's own decoder, and starts a task for
each message, 100 at a time. No queue can be quicker than this in one process.
"""

import asyncio
import signal

from peers import async_tasks
from peers.settings import CONCURRENCY, EXPECTED, TASK

from ltq import Message


async def _drain(task: str) -> None:
    function = getattr(async_tasks, task)
    waiting = [Message(task_name=f"bench:{task}").to_json() for _ in range(EXPECTED)]
    for start in range(0, EXPECTED, CONCURRENCY):
        batch = map(Message.from_json, waiting[start : start + CONCURRENCY])
        await asyncio.wait([asyncio.create_task(function(*message.args)) for message in batch])


if __name__ == "__main__":
    asyncio.run(_drain(TASK))
    signal.pause()  # a worker stays: its memory is read afterwards
