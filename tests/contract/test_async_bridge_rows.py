"""Contract, rows on ``AsyncBridge`` and ``build_backend_options``."""

from __future__ import annotations

import threading
from typing import Literal

import anyio
import pytest
import structlog
from structlog.testing import capture_logs

from loom_runtime import AsyncBridge, build_backend_options

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])
Backend = Literal["asyncio", "trio"]


async def answer() -> int:
    await anyio.sleep(0)
    return 42


@BACKENDS
def test_async_bridge_takes_backend_options_and_shutdown_timeout(backend: Backend) -> None:
    bridge = AsyncBridge(
        backend=backend,
        backend_options=build_backend_options(backend, use_uvloop=False),
        shutdown_timeout_ms=5000,
    )
    bridge.shutdown()


@BACKENDS
def test_async_bridge_run_returns_the_result(backend: Backend) -> None:
    bridge = AsyncBridge(backend)
    assert bridge.run(answer()) == 42
    bridge.shutdown()


@BACKENDS
def test_async_bridge_run_has_a_timeout(backend: Backend) -> None:
    bridge = AsyncBridge(backend)
    with pytest.raises(TimeoutError):
        bridge.run(anyio.sleep(60), timeout=0.01)
    bridge.shutdown()


@BACKENDS
def test_async_bridge_shutdown_is_idempotent(backend: Backend) -> None:
    bridge = AsyncBridge(backend)
    bridge.shutdown()
    bridge.shutdown()


@BACKENDS
def test_async_bridge_past_the_timeout_the_portal_thread_is_abandoned_with_a_warning(
    backend: Backend,
) -> None:
    structlog.reset_defaults()
    release, left = threading.Event(), threading.Event()

    async def block() -> None:
        release.wait(60)
        left.set()

    bridge = AsyncBridge(backend, shutdown_timeout_ms=10)
    with pytest.raises(TimeoutError):
        bridge.run(block(), timeout=0.01)
    with capture_logs() as logs:
        bridge.shutdown()
    assert [entry["log_level"] for entry in logs] == ["warning"]
    assert "thread abandoned" in logs[0]["event"]
    release.set()
    assert left.wait(60)


def test_build_backend_options_takes_backend_and_use_uvloop() -> None:
    assert build_backend_options("asyncio", False) == {}
    assert build_backend_options("asyncio", True) == {"use_uvloop": True}
    assert build_backend_options("trio", False) == {}
    with pytest.raises(ValueError, match="uvloop"):
        build_backend_options("trio", True)
