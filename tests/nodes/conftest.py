"""Configurations of every event loop that WithAsync runs on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.nodes.async_running import BACKENDS


@pytest.fixture(params=list(BACKENDS))
def runtime(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Configuration of one backend."""
    return dict(BACKENDS[request.param])


@pytest.fixture(params=["asyncio", "trio"])
def any_runtime(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Configuration of one event loop library."""
    return dict(BACKENDS[request.param])
