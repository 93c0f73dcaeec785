"""Jobs under deadlines, and the bridge's way to start what nobody waits for."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import anyio
import pytest

from loom_runtime import AsyncBridge
from loom_runtime.execution.deadlines import Deadlines

WAIT_S = 30.0


@pytest.fixture(params=["asyncio", "trio"])
def bridge(request: pytest.FixtureRequest) -> Iterator[AsyncBridge]:
    made = AsyncBridge(request.param)
    yield made
    made.shutdown()


def late(index: int, left_behind: bool) -> str:
    return f"{index} {'left behind' if left_behind else 'late'}"


def test_results_stand_in_the_order_of_the_jobs(bridge: AsyncBridge) -> None:
    async def job(index: int) -> str:
        for _ in range(10 - index):
            await anyio.sleep(0)
        return str(index)

    async def run() -> list[str]:
        return await Deadlines(job, late, WAIT_S).run(10, 4, bridge)

    assert bridge.run(run()) == [str(n) for n in range(10)]


def test_each_job_is_late_for_itself(bridge: AsyncBridge) -> None:
    async def job(index: int) -> str:
        if index % 2:
            await anyio.sleep_forever()
        return str(index)

    async def run() -> list[str]:
        return await Deadlines(job, late, 0.02).run(4, 4, bridge)

    assert bridge.run(run()) == ["0", "1 late", "2", "3 late"]


def test_a_batch_whose_run_is_cancelled_cancels_its_jobs(bridge: AsyncBridge) -> None:
    cancelled = threading.Event()

    async def job(index: int) -> str:
        try:
            await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class():
            cancelled.set()
            raise
        return ""

    async def run() -> list[str]:
        return await Deadlines(job, late, WAIT_S).run(2, 2, bridge)

    with pytest.raises(TimeoutError):
        bridge.run(run(), timeout=0.05)
    assert cancelled.wait(WAIT_S)


def test_the_bridge_starts_what_nobody_waits_for(bridge: AsyncBridge) -> None:
    begun, ended = threading.Event(), threading.Event()

    async def wait_for_ever() -> None:
        begun.set()
        try:
            await anyio.sleep_forever()
        finally:
            ended.set()

    cancel = bridge.start(wait_for_ever())
    assert begun.wait(WAIT_S)
    assert not ended.is_set()
    cancel()
    assert ended.wait(WAIT_S)
    cancel()


def test_what_is_started_on_the_event_loop_outlives_its_starter(bridge: AsyncBridge) -> None:
    told = threading.Event()

    async def starter() -> None:
        go = anyio.Event()

        async def follower() -> None:
            await go.wait()
            told.set()

        bridge.start(follower())
        go.set()

    bridge.run(starter())
    assert told.wait(WAIT_S)


def test_what_it_raises_is_nobodys(bridge: AsyncBridge) -> None:
    async def fail() -> None:
        raise ValueError("nobody's")

    async def fine() -> int:
        return 7

    bridge.start(fail())
    assert bridge.run(fine()) == 7


def test_nothing_is_started_after_shutdown() -> None:
    made = AsyncBridge()
    made.shutdown()

    async def never() -> None:
        raise AssertionError

    with pytest.raises(RuntimeError, match="was shut down"):
        made.start(never())
