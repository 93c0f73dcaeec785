"""Runs coroutines from synchronous code, on an event loop of its own thread."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import math
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, InvalidStateError, wait
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from importlib.util import find_spec
from typing import Any, Generic, Literal, TypeVar

import anyio
from anyio.abc import TaskGroup

T = TypeVar("T")

Backend = Literal["asyncio", "trio"]

_CANCEL_GRACE_S = 0.1
"""How long cancelled coroutines may take to end before their thread is abandoned."""


def build_backend_options(backend: str, use_uvloop: bool) -> dict[str, Any]:
    """Return the anyio options of *backend*.

    Args:
        backend: ``asyncio`` or ``trio``.
        use_uvloop: Whether asyncio runs on uvloop.

    Raises:
        ValueError: When *backend* is neither, or trio is to run on uvloop.
        RuntimeError: When uvloop is asked for and not installed.
    """
    if backend not in ("asyncio", "trio"):
        raise ValueError(f"streaming.runtime.async_backend is {backend!r}; choose asyncio or trio")
    if not use_uvloop:
        return {}
    if backend == "trio":
        raise ValueError(
            "streaming.runtime.use_uvloop needs async_backend asyncio: uvloop is an event loop of "
            "asyncio, trio has its own. Set one of the two"
        )
    if find_spec("uvloop") is None:
        raise RuntimeError(
            "streaming.runtime.use_uvloop is set and uvloop is not installed. "
            "Install it with `pip install 'loom-bench[uvloop]'`, or set use_uvloop to false"
        )
    return {"use_uvloop": True}


class AsyncBridge:
    """An event loop on a daemon thread, for callers that have none.

    Any number of threads may call it at once. A coroutine sees the context variables of its
    caller.

    Args:
        backend: ``asyncio`` or ``trio``.
        backend_options: Options for :func:`anyio.run`; see :func:`build_backend_options`.
        shutdown_timeout_ms: How long :meth:`shutdown` waits for coroutines, milliseconds;
            ``None`` waits for ever.

    Raises:
        ValueError: When *backend* is unknown or the timeout negative.
        RuntimeError: When the backend is not installed.
    """

    def __init__(
        self,
        backend: Backend = "asyncio",
        backend_options: Mapping[str, Any] | None = None,
        shutdown_timeout_ms: int | None = None,
    ) -> None:
        """Start the thread and wait until its event loop runs."""
        build_backend_options(backend, use_uvloop=False)
        if shutdown_timeout_ms is not None and shutdown_timeout_ms < 0:
            raise ValueError(f"shutdown_timeout_ms is {shutdown_timeout_ms}; the least is 0")
        if backend == "trio" and find_spec("trio") is None:
            raise RuntimeError(
                "streaming.runtime.async_backend is trio and trio is not installed. "
                "Install it with `pip install 'loom-bench[trio]'`, or set async_backend to asyncio"
            )
        self._backend: Backend = backend
        self._shutdown_timeout_ms = shutdown_timeout_ms
        self._lock = threading.Lock()
        self._closing = False
        self._ended = False
        self._stopped = threading.Event()
        self._calls: set[_Call[Any]] = set()
        started: Future[_Loop] = Future()
        self._thread = threading.Thread(
            target=self._main,
            args=(dict(backend_options or {}), started),
            name=f"loom-async-bridge-{backend}",
            daemon=True,
        )
        self._thread.start()
        self._loop = started.result()

    def run(self, coro: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """Run *coro* on the event loop and return its result, or raise what it raises.

        Args:
            coro: A coroutine object.
            timeout: Seconds after which it is cancelled; ``None`` waits for ever. A coroutine that
                ignores its cancellation is not waited for.

        Raises:
            TimeoutError: When it did not end within *timeout*.
            RuntimeError: After :meth:`shutdown`, on the event loop's own thread, when the bridge
                shut down meanwhile, or when the coroutine was cancelled from within.
            TypeError: When *coro* is no coroutine object.
        """
        call = self._submit(coro)
        try:
            wait([call.future], timeout)
        finally:
            ended = call.future.done()
            if not ended:
                self._cancel(call)
        if not ended:
            raise TimeoutError(f"{_name_of(coro)} did not end within {timeout} s and was cancelled")
        return call.future.result()

    @contextmanager
    def hold(self, manager: AbstractAsyncContextManager[T]) -> Iterator[T]:
        """Hold *manager* open on the event loop.

        It is entered and left in one task, which cancel scopes and task groups inside it need; two
        calls of :meth:`run` would use two. It is told of an exception that leaves the block.

        Raises:
            RuntimeError: As :meth:`run`.
        """
        stay = _Stay(manager)
        call = self._submit(stay.live())
        try:
            awaited: list[Future[Any]] = [call.future, stay.entered]
            wait(awaited, return_when=FIRST_COMPLETED)
        except BaseException:
            self._cancel(call)
            raise
        if not stay.entered.done():
            call.future.result()
            raise RuntimeError(f"{manager!r} ended without being entered")
        try:
            yield stay.entered.result()
        except BaseException as error:  # noqa: BLE001  # leaving raises it again, unless told not to
            stay.failure = error
            self._leave(stay, call)
        else:
            self._leave(stay, call)

    def shutdown(self) -> None:
        """Let running coroutines end, then stop the thread; does nothing the second time.

        Past the shutdown timeout, coroutines are cancelled. A thread that still does not end is
        abandoned with a warning: it is a daemon, so it does not keep the interpreter from exiting.

        Raises:
            RuntimeError: On the event loop's own thread.
        """
        self._refuse_own_thread()
        with self._lock:
            first, self._closing = not self._closing, True
            if first:
                self._loop.call_soon(self._loop.stop)
        if not first:
            self._stopped.wait()
            return
        try:
            self._join()
        finally:
            self._stopped.set()

    def _join(self) -> None:
        timeout_ms = self._shutdown_timeout_ms
        self._thread.join(None if timeout_ms is None else timeout_ms / 1000)
        if not self._thread.is_alive():
            return
        running = sorted(_name_of(call.coro) for call in tuple(self._calls))
        self._loop.call_soon(self._loop.cancel)
        self._thread.join(_CANCEL_GRACE_S)
        import structlog  # noqa: PLC0415  # only a shutdown that goes wrong needs it

        log = structlog.get_logger(__name__)
        if self._thread.is_alive():
            for call in tuple(self._calls):
                call.give_up("the bridge was shut down before it ended")
            log.warning(
                "async bridge thread abandoned: its coroutines neither ended nor heeded their "
                "cancellation; look for blocking calls in them",
                thread=self._thread.name,
                shutdown_timeout_ms=timeout_ms,
                coroutines=running,
            )
        else:
            log.warning(
                "coroutines cancelled at shutdown: they did not end within the shutdown timeout",
                shutdown_timeout_ms=timeout_ms,
                coroutines=running,
            )

    def _submit(self, coro: Coroutine[Any, Any, T]) -> _Call[T]:
        if not inspect.iscoroutine(coro):
            raise TypeError(
                f"run() takes a coroutine object, got {type(coro).__qualname__}: "
                "call the coroutine function first"
            )
        call = _Call(coro)
        try:
            self._accept(call)
        except BaseException:
            coro.close()
            raise
        call.future.add_done_callback(lambda _: self._calls.discard(call))
        return call

    def _accept(self, call: _Call[Any]) -> None:
        self._refuse_own_thread()
        with self._lock:
            if self._closing or self._ended:
                raise RuntimeError(
                    f"{_name_of(call.coro)} cannot run: this async bridge was shut down. "
                    "Make a new one"
                )
            self._calls.add(call)
            self._loop.start_soon(call.execute)

    def _cancel(self, call: _Call[Any]) -> None:
        """Cancel *call* without waiting for it."""
        if call.claim():
            call.coro.close()
        else:
            self._loop.call_soon(call.cancel)

    def _leave(self, stay: _Stay[Any], call: _Call[None]) -> None:
        self._loop.call_soon(stay.leave)
        call.future.result()

    def _refuse_own_thread(self) -> None:
        if threading.current_thread() is self._thread:
            raise RuntimeError(
                "an async bridge cannot wait for itself: this code runs on its event loop already. "
                "Await the coroutine instead"
            )

    def _main(self, backend_options: dict[str, Any], started: Future[_Loop]) -> None:
        try:
            anyio.run(self._serve, started, backend=self._backend, backend_options=backend_options)
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)
        finally:
            with self._lock:
                self._ended = True
            for call in tuple(self._calls):
                call.give_up("the event loop of the async bridge ended")

    async def _serve(self, started: Future[_Loop]) -> None:
        async with anyio.create_task_group() as tasks:
            loop = _Loop(_scheduler(self._backend), tasks)
            started.set_result(loop)
            await loop.serve()


class _Loop:
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


class _Call(Generic[T]):
    """One coroutine and the future of its result."""

    def __init__(self, coro: Coroutine[Any, Any, T]) -> None:
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
            self.future.set_exception(RuntimeError(f"{_name_of(self.coro)} gave no result: {why}"))


class _Stay(Generic[T]):
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


def _scheduler(backend: Backend) -> Callable[..., object]:
    """Return the running loop's thread-safe way to have a function called, which never blocks.

    anyio's own portal waits until the loop has taken the call, so a loop that is stuck in blocking
    code would hold up every caller and the shutdown too.
    """
    if backend == "asyncio":
        return asyncio.get_running_loop().call_soon_threadsafe
    import trio  # noqa: PLC0415  # an optional dependency

    return trio.lowlevel.current_trio_token().run_sync_soon


def _name_of(coro: Coroutine[Any, Any, Any]) -> str:
    return f"coroutine {getattr(coro, '__qualname__', coro)}"
