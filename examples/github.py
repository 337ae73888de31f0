"""Ask GitHub about repositories: no faster than it likes, and again when it fails.

    ltq run examples.github:worker         # in one terminal
    python examples/github.py              # in another: sends the messages

Both need a Redis at localhost:6379; LTQ_BROKER_URL names another one.
"""

import asyncio
import json
import os
from datetime import timedelta
from http import HTTPStatus
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import ltq

API = os.environ.get("GITHUB_API", "https://api.github.com")
REPOSITORIES = ("python/cpython", "redis/redis", "pallets/click", "pytest-dev/pluggy")

log = ltq.get_logger("github")
worker = ltq.Worker("github", concurrency=10)


# Ten a second for all workers together, however many run. What fails is tried again after
# about 1 s, then 2 s; after three failures, or an hour, the message is a dead letter.
# A plain function runs in a thread of the worker's own: it may block.
@worker.task(max_tries=3, max_age=timedelta(hours=1), max_rate="10/s")
def fetch(owner: str, repo: str) -> None:
    """Log what a repository is about."""
    request = Request(f"{API}/repos/{owner}/{repo}", headers={"User-Agent": "ltq"})
    try:
        with urlopen(request, timeout=10) as response:
            found = json.load(response)
    except HTTPError as error:
        raise verdict(error) from error
    log.info(
        "%s/%s: %d stars, %s", owner, repo, found["stargazers_count"], found["description"]
    )


def verdict(error: HTTPError) -> Exception:
    """Decide what a refusal means for the message."""
    if error.code == HTTPStatus.NOT_FOUND:
        return ltq.RejectError("there is no such repository")  # trying again is no use
    if "Retry-After" in error.headers:
        return ltq.RetryError(delay=float(error.headers["Retry-After"]))
    return error  # for max_tries to decide


async def main() -> None:
    """Send a message for each repository."""
    for name in REPOSITORIES:
        owner, repo = name.split("/")
        print(f"{name}: sent as {await fetch.send(owner, repo)}")


if __name__ == "__main__":
    asyncio.run(main())
