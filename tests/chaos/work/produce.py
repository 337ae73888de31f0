"""Sends messages from a process of its own: produce.py TASK STEP DELAY KEY..."""

import asyncio
import sys

import tasks


async def main() -> None:
    """Send one message for each key, due after the delay."""
    name, step, delay, *keys = sys.argv[1:]
    async with tasks.worker:
        task = tasks.worker.tasks[f"chaos:{name}"]
        messages = [task.message(key, [step]) for key in keys]
        await task.with_options(delay=float(delay)).send_many(messages)


asyncio.run(main())
