"""Bridges on every event loop, and coroutines for them to run."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Coroutine
from typing import Any, Literal

import anyio
import anyio.lowlevel

from loom_runtime.async_bridge import AsyncBridge, build_backend_options

Loop = tuple[Literal["asyncio", "trio"], bool]

LOOPS: list[Loop] = [("asyncio", False), ("asyncio", True), ("trio", False)]
LONG_S = 30.0
"""Longer than any test may take: whoever waits this long has failed."""


def bridge_on(loop: Loop, shutdown_timeout_ms: int | None = None) -> AsyncBridge:
    backend, use_uvloop = loop
    return AsyncBridge(backend, build_backend_options(backend, use_uvloop), shutdown_timeout_ms)


async def add(one: int, other: int) -> int:
    await anyio.lowlevel.checkpoint()
    return one + other


async def events(count: int) -> list[anyio.Event]:
    return [anyio.Event() for _ in range(count)]


class Blocking:
    """A coroutine that blocks its event loop until it is released."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self._release = threading.Event()
        self.left = threading.Event()

    async def block(self) -> str:
        self.entered.set()
        self._release.wait(LONG_S)
        self.left.set()
        return "released"

    def release(self) -> None:
        self._release.set()


def closed(coro: Coroutine[Any, Any, Any]) -> bool:
    return inspect.getcoroutinestate(coro) == inspect.CORO_CLOSED


def threads_of_bridges() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name.startswith("loom-async-bridge")]
