"""A bridge on each event loop that is supported."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from loom_runtime.async_bridge import AsyncBridge
from tests.async_bridge.bridges import (
    LOOPS,
    Loop,
    bridge_on,
)


@pytest.fixture(params=LOOPS, ids=["asyncio", "uvloop", "trio"])
def loop(request: pytest.FixtureRequest) -> Loop:
    chosen: Loop = request.param
    return chosen


@pytest.fixture
def bridge(loop: Loop) -> Iterator[AsyncBridge]:
    bridge = bridge_on(loop)
    yield bridge
    bridge.shutdown()


@pytest.fixture(autouse=True)
def _plain_structlog() -> Iterator[None]:
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()
