"""Event loops: which may be chosen, and what becomes of those that fail."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
import anyio.lowlevel
import pytest

from loom_runtime.async_bridge import AsyncBridge, build_backend_options
from tests.async_bridge.bridges import (
    LONG_S,
    add,
    closed,
    threads_of_bridges,
)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_without_uvloop_there_are_no_options(backend: str) -> None:
    assert build_backend_options(backend, use_uvloop=False) == {}


def test_uvloop_is_an_option_of_asyncio() -> None:
    assert build_backend_options("asyncio", use_uvloop=True) == {"use_uvloop": True}


def test_uvloop_on_trio_is_refused() -> None:
    with pytest.raises(ValueError, match="uvloop is an event loop of asyncio, trio has its own"):
        build_backend_options("trio", use_uvloop=True)


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(ValueError, match="choose asyncio or trio"):
        build_backend_options("curio", use_uvloop=False)
    with pytest.raises(ValueError, match="choose asyncio or trio"):
        AsyncBridge("curio")  # type: ignore[arg-type]


def test_a_negative_shutdown_timeout_is_refused() -> None:
    with pytest.raises(ValueError, match="shutdown_timeout_ms is -1"):
        AsyncBridge(shutdown_timeout_ms=-1)


def test_a_missing_package_is_named_with_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    with pytest.raises(RuntimeError, match=r"pip install 'loom-bench\[uvloop\]'"):
        build_backend_options("asyncio", use_uvloop=True)
    monkeypatch.setitem(sys.modules, "trio", None)
    with pytest.raises(RuntimeError, match=r"pip install 'loom-bench\[trio\]'"):
        AsyncBridge("trio")


def test_a_loop_that_does_not_start_raises_at_once() -> None:
    def fail() -> asyncio.AbstractEventLoop:
        raise OSError("too many open files")

    with pytest.raises(OSError, match="too many open files"):
        AsyncBridge("asyncio", {"loop_factory": fail})
    assert not threads_of_bridges()


def test_a_loop_that_ends_by_itself_leaves_nobody_waiting() -> None:
    bridge = AsyncBridge("asyncio")

    async def stop_loop() -> None:
        asyncio.get_running_loop().stop()
        await anyio.sleep(LONG_S)

    with _silent_threads():
        with pytest.raises(RuntimeError, match="gave no result"):
            bridge.run(stop_loop())
        for thread in threads_of_bridges():
            thread.join(LONG_S)
    late = add(1, 2)
    with pytest.raises(RuntimeError, match="cannot run"):
        bridge.run(late)
    assert closed(late)
    bridge.shutdown()


@contextmanager
def _silent_threads() -> Iterator[None]:
    """Let a thread die of its exception without a word."""
    hook, threading.excepthook = threading.excepthook, lambda _: None
    try:
        yield
    finally:
        threading.excepthook = hook
