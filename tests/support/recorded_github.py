"""GitHub as a test needs it: a few recorded answers, some of them refusals."""

from __future__ import annotations

import json
import threading
from collections import Counter
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

# What is answered to the first request, the second one, and so on; the last one stays.
ANSWERS: dict[str, list[tuple[HTTPStatus, dict[str, Any]]]] = {
    "/repos/python/cpython": [
        (
            HTTPStatus.OK,
            {"stargazers_count": 70_000, "description": "A programming language"},
        ),
    ],
    "/repos/redis/redis": [
        (HTTPStatus.BAD_GATEWAY, {}),
        (HTTPStatus.OK, {"stargazers_count": 72_000, "description": "A database"}),
    ],
    "/repos/pallets/click": [
        (HTTPStatus.TOO_MANY_REQUESTS, {"message": "secondary rate limit"}),
        (HTTPStatus.OK, {"stargazers_count": 17_000, "description": "Command lines"}),
    ],
}
MISSING = [(HTTPStatus.NOT_FOUND, {"message": "Not Found"})]


class RecordedGitHub:
    """A server on a free loopback port, for as long as the ``with`` block lasts.

    Attributes:
        asked: How often each path was requested.
    """

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked[self.path] += 1
                answers = ANSWERS.get(self.path, MISSING)
                status, answer = answers[min(asked[self.path], len(answers)) - 1]
                body = json.dumps(answer).encode()
                self.send_response(status)
                if status == HTTPStatus.TOO_MANY_REQUESTS:
                    self.send_header("Retry-After", "0")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                """Keep the test's output clean."""

        return Handler
