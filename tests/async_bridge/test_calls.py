"""What a caller gets of a coroutine: its result, its failure, an end in time."""

from __future__ import annotations

import asyncio
import contextvars
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import trio

from loom_runtime.async_bridge import AsyncBridge
from tests.async_bridge.bridges import (
    LONG_S,
    Blocking,
    Loop,
    add,
    bridge_on,
    closed,
    events,
)


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
    meeting: list[anyio.Event] = bridge.run(events(2))

    async def meet(mine: int, other: int) -> int:
        meeting[mine].set()
        await meeting[other].wait()
        return mine

    with ThreadPoolExecutor(2) as threads:
        results = threads.map(lambda pair: bridge.run(meet(*pair), LONG_S), [(0, 1), (1, 0)])
    assert list(results) == [0, 1]


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
    (release,) = bridge.run(events(1))
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
