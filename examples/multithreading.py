"""Work that blocks: plain functions, each in a thread of the worker's own.

    python examples/multithreading.py

It derives keys with scrypt, which keeps a core busy without holding up Python's other
threads: more threads get more done, as far as there are cores. (Pure Python does not
let go like that: give it more processes, each with a worker, instead of more threads.)
"""

import asyncio
import hashlib
import os
import time

import ltq

KEYS = 12

worker = ltq.Worker("keys", broker_url="memory://")
keys: dict[int, bytes] = {}


@worker.task
def derive(number: int) -> None:
    """Derive a key: a tenth of a second of hard work, with nothing to await."""
    keys[number] = hashlib.scrypt(b"secret", salt=bytes([number]), n=2**14, r=8, p=2)


@worker.task
async def derive_and_await(number: int) -> None:
    """Derive a key in an async task, which can await other things beside it."""
    await asyncio.to_thread(derive.function, number)


async def main() -> None:
    """Derive all keys in one thread, in one a core, and from async tasks."""
    cores = os.cpu_count() or 1
    await measure(derive, concurrency=1)
    await measure(derive, concurrency=cores)
    await measure(derive_and_await, concurrency=cores)


async def measure(task: ltq.Task[[int], None], concurrency: int) -> None:
    """Run *task* for every key, and print how long that took."""
    keys.clear()
    turns = 0
    start = time.perf_counter()
    worker.concurrency = concurrency
    async with asyncio.TaskGroup() as group:
        group.create_task(worker.run())
        await task.send_many(task.message(number) for number in range(KEYS))
        while len(keys) < KEYS:
            await asyncio.sleep(0.01)
            turns += 1  # the event loop is free: this goes on while the threads work
        worker.stop()
    seconds = time.perf_counter() - start
    print(
        f"{task.name}, {concurrency} at once: {KEYS} keys in {seconds:.1f} s, "
        f"while the event loop took {turns} other turns"
    )


if __name__ == "__main__":
    asyncio.run(main())
