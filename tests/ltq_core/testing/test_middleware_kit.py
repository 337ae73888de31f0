"""The core's own limits keep the promises of middleware, and the kit catches who does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from ltq_core.limits.max_age import MaxAge
from ltq_core.limits.max_rate import MaxRate
from ltq_core.limits.max_tries import MaxTries
from ltq_core.testing import MiddlewareConformance

if TYPE_CHECKING:
    from collections.abc import Callable


class TestMaxTries(MiddlewareConformance):
    """Retries."""

    task_options: ClassVar = {"max_tries": 3, "backoff": 0.5}
    refused_options: ClassVar = {"max_tries": [0, "3", True], "backoff": [-1]}

    @pytest.fixture
    def make_middleware(self) -> Callable[[], Any]:
        return MaxTries


class TestMaxAge(MiddlewareConformance):
    """Ages."""

    task_options: ClassVar = {"max_age": 3600}
    refused_options: ClassVar = {"max_age": ["an hour", -1]}

    @pytest.fixture
    def make_middleware(self) -> Callable[[], Any]:
        return MaxAge


class TestMaxRate(MiddlewareConformance):
    """Rates, where the broker cannot share them."""

    task_options: ClassVar = {"max_rate": "10/s"}
    refused_options: ClassVar = {"max_rate": ["10/day", 10, "0/s"]}

    @pytest.fixture
    def make_middleware(self) -> Callable[[], Any]:
        return MaxRate
