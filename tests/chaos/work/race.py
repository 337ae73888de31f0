"""Sends messages with unique keys, against others of its kind.

    race.py NAME START ROUNDS KEYS SPREAD

A round begins each tenth of a second from START on, on the monotonic clock. In each one
several sends want one key, of KEYS in turn, at once or within SPREAD seconds. Prints the key
and the id of the message that stands, for each send.
"""

import asyncio
import random
import sys
import time

import sole

AT_ONCE = 5
PACE = 0.1


async def main() -> None:
    """Take part in every round."""
    name, start, rounds, keys, spread = sys.argv[1], *map(float, sys.argv[2:])
    task = sole.worker.tasks["chaos:sole"]

    async def want(key: str, message: str) -> None:
        await asyncio.sleep(random.uniform(0, spread))
        stands = await task.with_options(unique=key).send(message, ["sleep 0.002"], "")
        print(key, stands, flush=True)

    async with sole.worker:
        for number in range(int(rounds)):
            await asyncio.sleep(start + PACE * number - time.monotonic())
            key = f"key-{number % int(keys)}"
            messages = [f"{key}/{name}-{number}-{n}" for n in range(AT_ONCE)]
            await asyncio.gather(*(want(key, message) for message in messages))


asyncio.run(main())
