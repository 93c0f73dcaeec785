"""The async bridge on every event loop that it supports."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Literal

import anyio
import anyio.lowlevel
import pytest
import structlog
import trio
from structlog.testing import capture_logs

from loom_runtime.async_bridge import AsyncBridge, build_backend_options

Loop = tuple[Literal["asyncio", "trio"], bool]

LOOPS: list[Loop] = [("asyncio", False), ("asyncio", True), ("trio", False)]
LONG_S = 30.0
"""Longer than any test may take: whoever waits this long has failed."""


@pytest.fixture(params=LOOPS, ids=["asyncio", "uvloop", "trio"])
def loop(request: pytest.FixtureRequest) -> Loop:
    chosen: Loop = request.param
    return chosen


def bridge_on(loop: Loop, shutdown_timeout_ms: int | None = None) -> AsyncBridge:
    backend, use_uvloop = loop
    return AsyncBridge(backend, build_backend_options(backend, use_uvloop), shutdown_timeout_ms)


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


async def add(one: int, other: int) -> int:
    await anyio.lowlevel.checkpoint()
    return one + other


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


def test_a_result_comes_back(bridge: AsyncBridge) -> None:
    assert bridge.run(add(1, 2)) == 3
    assert bridge.run(add(3, 4), timeout=LONG_S) == 7


def test_an_exception_comes_back_as_it_was_raised(bridge: AsyncBridge) -> None:
    error = LookupError("not there")

    async def fail() -> None:
        raise error

    with pytest.raises(LookupError) as caught:
        bridge.run(fail())
    assert caught.value is error
    assert bridge.run(add(1, 1)) == 2


def test_even_an_exit_comes_back_and_the_loop_goes_on(bridge: AsyncBridge) -> None:
    async def leave() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        bridge.run(leave())
    assert bridge.run(add(1, 1)) == 2


def test_the_chosen_loop_runs_it(loop: Loop, bridge: AsyncBridge) -> None:
    async def module() -> str:
        if loop[0] == "trio":
            await trio.lowlevel.checkpoint()
            return "trio"
        return type(asyncio.get_running_loop()).__module__

    expected = {("asyncio", True): "uvloop", ("trio", False): "trio"}.get(loop, "asyncio")
    assert bridge.run(module()).startswith(expected)


def test_a_coroutine_sees_its_callers_context(bridge: AsyncBridge) -> None:
    trace: contextvars.ContextVar[str] = contextvars.ContextVar("trace")

    async def read() -> str:
        await anyio.lowlevel.checkpoint()
        return trace.get("none")

    assert bridge.run(read()) == "none"
    trace.set("here")
    assert bridge.run(read()) == "here"


def test_threads_share_a_bridge(bridge: AsyncBridge) -> None:
    meeting: list[anyio.Event] = bridge.run(_events(2))

    async def meet(mine: int, other: int) -> int:
        meeting[mine].set()
        await meeting[other].wait()
        return mine

    with ThreadPoolExecutor(2) as threads:
        results = threads.map(lambda pair: bridge.run(meet(*pair), LONG_S), [(0, 1), (1, 0)])
    assert list(results) == [0, 1]


async def _events(count: int) -> list[anyio.Event]:
    return [anyio.Event() for _ in range(count)]


def test_a_timeout_cancels(bridge: AsyncBridge) -> None:
    cancelled = threading.Event()

    async def sleep() -> None:
        try:
            await anyio.sleep(LONG_S)
        except anyio.get_cancelled_exc_class():
            cancelled.set()
            raise

    with pytest.raises(TimeoutError, match=r"sleep did not end within 0\.02 s"):
        bridge.run(sleep(), timeout=0.02)
    assert cancelled.wait(LONG_S)
    assert bridge.run(add(1, 1)) == 2


@pytest.mark.parametrize("timeout", [0, -1])
def test_no_time_at_all_is_a_timeout(bridge: AsyncBridge, timeout: float) -> None:
    coro = anyio.sleep(LONG_S)
    with pytest.raises(TimeoutError):
        bridge.run(coro, timeout=timeout)


def test_a_coroutines_own_timeout_is_its_own(bridge: AsyncBridge) -> None:
    async def give_up() -> None:
        raise TimeoutError("the database did not answer")

    with pytest.raises(TimeoutError, match="the database did not answer"):
        bridge.run(give_up(), timeout=LONG_S)


def test_a_coroutine_that_ignores_its_cancellation_is_not_waited_for(bridge: AsyncBridge) -> None:
    (release,) = bridge.run(_events(1))
    ended = threading.Event()

    async def stubborn() -> None:
        with anyio.CancelScope(shield=True):
            await release.wait()
        ended.set()

    with pytest.raises(TimeoutError):
        bridge.run(stubborn(), timeout=0.02)
    assert not ended.is_set()

    async def let_go() -> None:
        release.set()

    bridge.run(let_go())
    assert ended.wait(LONG_S)


def test_a_stuck_loop_holds_up_nobody_who_has_a_timeout(loop: Loop) -> None:
    bridge = bridge_on(loop)
    blocking = Blocking()
    with pytest.raises(TimeoutError):
        bridge.run(blocking.block(), timeout=0.02)
    assert blocking.entered.is_set()
    waiting = add(1, 2)
    with pytest.raises(TimeoutError):
        bridge.run(waiting, timeout=0.02)
    assert closed(waiting)
    blocking.release()
    assert bridge.run(add(1, 2)) == 3
    bridge.shutdown()


def test_a_coroutine_that_cancels_itself_is_an_error(loop: Loop, bridge: AsyncBridge) -> None:
    if loop[0] == "trio":
        return  # trio's tasks cannot

    async def cancel() -> None:
        raise asyncio.CancelledError

    with pytest.raises(RuntimeError, match="it was cancelled before it ended"):
        bridge.run(cancel())
    assert bridge.run(add(1, 1)) == 2


def test_an_interrupt_of_the_caller_cancels(bridge: AsyncBridge) -> None:
    cancelled = threading.Event()
    main = threading.main_thread().ident
    assert main is not None

    async def interrupt() -> None:
        signal.pthread_kill(main, signal.SIGINT)
        try:
            await anyio.sleep(LONG_S)
        finally:
            cancelled.set()

    with pytest.raises(KeyboardInterrupt):
        bridge.run(interrupt())
    assert cancelled.wait(LONG_S)


def test_the_loops_own_thread_is_refused(bridge: AsyncBridge) -> None:
    inner = add(1, 2)

    async def recurse() -> int:
        return bridge.run(inner)

    with pytest.raises(RuntimeError, match="Await the coroutine instead"):
        bridge.run(recurse())
    assert closed(inner)


@pytest.mark.parametrize("wrong", [add, None, 3])
def test_what_is_no_coroutine_is_refused(bridge: AsyncBridge, wrong: Any) -> None:
    with pytest.raises(TypeError, match="takes a coroutine object"):
        bridge.run(wrong)


def test_after_shutdown_a_coroutine_is_refused_and_closed(loop: Loop) -> None:
    bridge = bridge_on(loop)
    bridge.shutdown()
    late = add(1, 2)
    with pytest.raises(RuntimeError, match=r"add cannot run: this async bridge was shut down"):
        bridge.run(late)
    assert closed(late)


def test_shutdown_twice_and_from_two_threads_is_one(loop: Loop) -> None:
    bridge = bridge_on(loop)
    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(bridge.shutdown) for _ in range(4)]:
            done.result(LONG_S)
    bridge.shutdown()
    assert not _threads_of_bridges()


def test_shutdown_lets_running_coroutines_end(loop: Loop) -> None:
    bridge = bridge_on(loop)
    (release,) = bridge.run(_events(1))
    running = threading.Event()

    async def work() -> str:
        running.set()
        await release.wait()
        return "done"

    async def let_go() -> None:
        release.set()

    with ThreadPoolExecutor(2) as threads:
        result = threads.submit(bridge.run, work())
        assert running.wait(LONG_S)
        release_result = threads.submit(bridge.run, let_go())
        release_result.result(LONG_S)
        bridge.shutdown()
        assert result.result(LONG_S) == "done"


def test_past_the_shutdown_timeout_coroutines_are_cancelled_with_a_warning(loop: Loop) -> None:
    bridge = bridge_on(loop, shutdown_timeout_ms=20)
    running = threading.Event()

    async def sleep() -> None:
        running.set()
        await anyio.sleep(LONG_S)

    with ThreadPoolExecutor(1) as threads, capture_logs() as logs:
        result = threads.submit(bridge.run, sleep())
        assert running.wait(LONG_S)
        bridge.shutdown()
        with pytest.raises(RuntimeError, match="gave no result: it was cancelled"):
            result.result(LONG_S)
    (log,) = logs
    assert log["log_level"] == "warning"
    assert "coroutines cancelled at shutdown" in log["event"]
    assert "sleep" in str(log["coroutines"])


def test_past_the_shutdown_timeout_a_stuck_thread_is_abandoned_with_a_warning(loop: Loop) -> None:
    bridge = bridge_on(loop, shutdown_timeout_ms=20)
    blocking = Blocking()
    with ThreadPoolExecutor(2) as threads, capture_logs() as logs:
        stuck = threads.submit(bridge.run, blocking.block())
        assert blocking.entered.wait(LONG_S)
        unstarted = add(1, 2)
        behind = threads.submit(bridge.run, unstarted)
        bridge.shutdown()
        with pytest.raises(RuntimeError, match="gave no result: the bridge was shut down"):
            stuck.result(LONG_S)
        with pytest.raises(RuntimeError, match="shut down"):
            behind.result(LONG_S)
        assert closed(unstarted)
    (log,) = logs
    assert log["log_level"] == "warning"
    assert "async bridge thread abandoned" in log["event"]
    bridge.shutdown()
    blocking.release()
    assert blocking.left.wait(LONG_S)
    for thread in _threads_of_bridges():
        thread.join(LONG_S)


def test_an_abandoned_thread_does_not_keep_the_interpreter(loop: Loop) -> None:
    program = textwrap.dedent(
        f"""
        import threading
        from loom_runtime.async_bridge import AsyncBridge, build_backend_options

        async def block():
            threading.Event().wait({LONG_S * 4})

        bridge = AsyncBridge({loop[0]!r}, build_backend_options({loop[0]!r}, {loop[1]}), 1)
        try:
            bridge.run(block(), timeout=0.01)
        except TimeoutError:
            print("timed out")
        bridge.shutdown()
        print("shut down")
        """
    )
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=LONG_S,
        check=False,
        env={"PYTHONPATH": ":".join(path for path in sys.path if path)},
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[0] == "timed out"
    assert ended.stdout.splitlines()[-1] == "shut down"
    assert "abandoned" in ended.stdout + ended.stderr


def test_a_held_manager_is_entered_and_left_in_one_task(bridge: AsyncBridge) -> None:
    told: list[str] = []

    @asynccontextmanager
    async def pool() -> AsyncIterator[str]:
        async with anyio.create_task_group():  # only its own task may leave it
            yield "pool"
        told.append("left")

    with bridge.hold(pool()) as held:
        assert held == "pool"
        assert bridge.run(add(1, 2)) == 3
        assert told == []
    assert told == ["left"]


class Told:
    """An async context manager that remembers what it was told."""

    def __init__(self, *, suppress: bool = False, enter: BaseException | None = None) -> None:
        self._suppress = suppress
        self._enter = enter
        self.exit: type[BaseException] | None = None

    async def __aenter__(self) -> Told:
        if self._enter is not None:
            raise self._enter
        return self

    async def __aexit__(self, exit_type: type[BaseException] | None, *_: object) -> bool:
        await anyio.lowlevel.checkpoint()
        self.exit = exit_type
        return self._suppress


def test_a_held_manager_is_told_of_the_failure(bridge: AsyncBridge) -> None:
    manager = Told()
    error = ValueError("inside")
    with pytest.raises(ValueError, match="inside") as caught, bridge.hold(manager):
        raise error
    assert caught.value is error
    assert manager.exit is ValueError


def test_a_held_manager_may_suppress_the_failure(bridge: AsyncBridge) -> None:
    manager = Told(suppress=True)
    with bridge.hold(manager):
        raise ValueError("inside")
    assert manager.exit is ValueError


def test_a_manager_that_does_not_open_raises(bridge: AsyncBridge) -> None:
    with (
        pytest.raises(ConnectionError, match="refused"),
        bridge.hold(Told(enter=ConnectionError("refused"))),
    ):
        pytest.fail("it was never entered")


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
    assert not _threads_of_bridges()


def test_a_loop_that_ends_by_itself_leaves_nobody_waiting() -> None:
    bridge = AsyncBridge("asyncio")

    async def stop_loop() -> None:
        asyncio.get_running_loop().stop()
        await anyio.sleep(LONG_S)

    with _silent_threads():
        with pytest.raises(RuntimeError, match="gave no result"):
            bridge.run(stop_loop())
        for thread in _threads_of_bridges():
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


def _threads_of_bridges() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name.startswith("loom-async-bridge")]
