"""Runs coroutines from synchronous code, on an event loop of its own thread."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AbstractAsyncContextManager, contextmanager
from importlib.util import find_spec
from time import monotonic
from typing import Any, TypeVar

import anyio

from loom_runtime.async_calls import Backend, Call, EventLoop, Stay, name_of, scheduler

T = TypeVar("T")

_CANCEL_GRACE_S = 0.1
"""How long cancelled coroutines may take to end before their thread is abandoned."""

_LONGEST_WAIT_S = 0.5
"""How long a thread waits before Python looks for signals: an interrupt that arrives while the
main thread is about to wait is noted, and does not end the wait."""


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
        self._calls: set[Call[Any]] = set()
        started: Future[EventLoop] = Future()
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
        call = Call(coro)
        try:
            self._accept(call)
            _wait([call.future], timeout)
        finally:
            ended = call.future.done()
            if not ended:
                self._cancel(call)
        if not ended:
            raise TimeoutError(f"{name_of(coro)} did not end within {timeout} s and was cancelled")
        return call.future.result()

    def start(self, coro: Coroutine[Any, Any, object]) -> Callable[[], None]:
        """Start *coro* on the event loop without waiting; return what cancels it.

        It may be called on the event loop too. What the coroutine raises is nobody's.

        Raises:
            RuntimeError: After :meth:`shutdown`.
            TypeError: When *coro* is no coroutine object.
        """
        call = Call(coro)
        try:
            self._take(call)
        except BaseException:
            self._cancel(call)
            raise
        return lambda: self._cancel(call)

    @contextmanager
    def hold(self, manager: AbstractAsyncContextManager[T]) -> Iterator[T]:
        """Hold *manager* open on the event loop.

        It is entered and left in one task, which cancel scopes and task groups inside it need; two
        calls of :meth:`run` would use two. It is told of an exception that leaves the block.

        Raises:
            RuntimeError: As :meth:`run`.
        """
        stay = Stay(manager)
        call = Call(stay.live())
        try:
            self._accept(call)
            awaited: list[Future[Any]] = [call.future, stay.entered]
            _wait(awaited, None)
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
        running = sorted(name_of(call.coro) for call in tuple(self._calls))
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

    def _accept(self, call: Call[Any]) -> None:
        self._refuse_own_thread()
        self._take(call)

    def _take(self, call: Call[Any]) -> None:
        with self._lock:
            if self._closing or self._ended:
                raise RuntimeError(
                    f"{name_of(call.coro)} cannot run: this async bridge was shut down. "
                    "Make a new one"
                )
            self._calls.add(call)
            self._loop.start_soon(call.execute)
        call.future.add_done_callback(lambda _: self._calls.discard(call))

    def _cancel(self, call: Call[Any]) -> None:
        """Cancel *call* without waiting for it."""
        if call.claim():
            call.coro.close()
        else:
            self._loop.call_soon(call.cancel)

    def _leave(self, stay: Stay[Any], call: Call[None]) -> None:
        self._loop.call_soon(stay.leave)
        _wait([call.future], None)
        call.future.result()

    def _refuse_own_thread(self) -> None:
        if threading.current_thread() is self._thread:
            raise RuntimeError(
                "an async bridge cannot wait for itself: this code runs on its event loop already. "
                "Await the coroutine instead"
            )

    def _main(self, backend_options: dict[str, Any], started: Future[EventLoop]) -> None:
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

    async def _serve(self, started: Future[EventLoop]) -> None:
        async with anyio.create_task_group() as tasks:
            loop = EventLoop(scheduler(self._backend), tasks)
            started.set_result(loop)
            await loop.serve()


def _wait(futures: Sequence[Future[Any]], timeout: float | None) -> None:
    """Wait for the first of *futures*, at most *timeout* seconds."""
    deadline_s = math.inf if timeout is None else monotonic() + timeout
    while True:
        left_s = max(0.0, deadline_s - monotonic())
        done, _ = wait(futures, min(left_s, _LONGEST_WAIT_S), return_when=FIRST_COMPLETED)
        if done or left_s <= _LONGEST_WAIT_S:
            return
