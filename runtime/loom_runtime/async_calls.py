"""Coroutines handed from threads to an event loop: never a wait for the loop to take them."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import math
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, InvalidStateError
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, Generic, Literal, TypeVar

import anyio
from anyio.abc import TaskGroup

T = TypeVar("T")

Backend = Literal["asyncio", "trio"]


class EventLoop:
    """The running event loop as other threads see it; made on its thread."""

    def __init__(self, schedule: Callable[..., object], tasks: TaskGroup) -> None:
        self._schedule = schedule
        self._tasks = tasks
        self._inbox: deque[Callable[[], object]] = deque()
        self._woken = anyio.Event()
        self._stopping = False

    def call_soon(self, function: Callable[..., object]) -> None:
        """Have *function* called on the event loop, without waiting; nothing when it has ended."""
        with suppress(RuntimeError):
            self._schedule(function)

    def start_soon(self, function: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Have *function* run as a task that sees the caller's context variables."""
        context = contextvars.copy_context()
        self._inbox.append(lambda: context.run(self._tasks.start_soon, function))
        self.call_soon(self._wake)

    async def serve(self) -> None:
        """Start tasks until told to stop. Only a task may start others, a bare callback may not."""
        while not self._stopping:
            await self._woken.wait()
            self._woken = anyio.Event()
            while self._inbox:
                self._inbox.popleft()()

    def stop(self) -> None:
        """Have :meth:`serve` return; on the event loop only."""
        self._stopping = True
        self._wake()

    def cancel(self) -> None:
        """Cancel every task; on the event loop only."""
        self._tasks.cancel_scope.cancel()

    def _wake(self) -> None:
        self._woken.set()


class Call(Generic[T]):
    """One coroutine and the future of its result."""

    def __init__(self, coro: Coroutine[Any, Any, T]) -> None:
        if not inspect.iscoroutine(coro):
            raise TypeError(
                f"run() takes a coroutine object, got {type(coro).__qualname__}: "
                "call the coroutine function first"
            )
        self.coro = coro
        self.future: Future[T] = Future()
        self._claimed = threading.Lock()
        self._scope: anyio.CancelScope | None = None

    def claim(self) -> bool:
        """Return whether the asker is the first, who alone may start or close the coroutine."""
        return self._claimed.acquire(blocking=False)

    async def execute(self) -> None:
        """Run the coroutine, unless it was given up before it started."""
        with anyio.CancelScope() as self._scope:
            if not self.claim():
                return
            try:
                result = await self.coro
            except anyio.get_cancelled_exc_class():
                self.give_up("it was cancelled before it ended")
                if anyio.current_effective_deadline() == -math.inf:
                    raise
                # No scope round it was cancelled: the coroutine raised this itself, as only
                # asyncio's can, and it would cancel everybody's task group.
            except BaseException as error:  # noqa: BLE001  # the caller gets it, whatever it is
                with suppress(InvalidStateError):
                    self.future.set_exception(error)
            else:
                with suppress(InvalidStateError):
                    self.future.set_result(result)

    def cancel(self) -> None:
        """Cancel the coroutine; on the event loop only."""
        if self._scope is not None:
            self._scope.cancel()

    def give_up(self, why: str) -> None:
        """Release the caller; how the coroutine ends no longer matters."""
        if self.claim():
            self.coro.close()
        with suppress(InvalidStateError):
            self.future.set_exception(RuntimeError(f"{name_of(self.coro)} gave no result: {why}"))


class Stay(Generic[T]):
    """An async context manager that one task enters and leaves."""

    def __init__(self, manager: AbstractAsyncContextManager[T]) -> None:
        self._manager = manager
        self._left: anyio.Event | None = None
        self.entered: Future[T] = Future()
        self.failure: BaseException | None = None

    async def live(self) -> None:
        """Enter, tell what was entered, wait to leave."""
        self._left = anyio.Event()
        async with self._manager as value:
            self.entered.set_result(value)
            await self._left.wait()
            if self.failure is not None:
                raise self.failure

    def leave(self) -> None:
        """Have the task leave; on the event loop only."""
        if self._left is not None:
            self._left.set()


def scheduler(backend: Backend) -> Callable[..., object]:
    """Return the running loop's thread-safe way to have a function called, which never blocks.

    anyio's own portal waits until the loop has taken the call, so a loop that is stuck in blocking
    code would hold up every caller and the shutdown too.
    """
    if backend == "asyncio":
        return asyncio.get_running_loop().call_soon_threadsafe
    import trio  # noqa: PLC0415  # an optional dependency

    return trio.lowlevel.current_trio_token().run_sync_soon


def name_of(coro: Coroutine[Any, Any, Any]) -> str:
    return f"coroutine {getattr(coro, '__qualname__', coro)}"
