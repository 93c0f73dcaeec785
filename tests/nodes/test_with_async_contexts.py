"""WithAsync: async context managers, each living in one task of the event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio.abc import TaskGroup

from loom_runtime import (
    CollectBatch,
    ContextFactory,
    ErrorKind,
    ForEach,
    Message,
    Process,
    RecordStep,
    ResourceScope,
    StreamingTestRunner,
    With,
    WithAsync,
)
from loom_runtime.failures import ResourceError
from tests.nodes.async_running import async_runner
from tests.nodes.running import Item, Result, config_of, ids, items, run, runner_of


class Journal:
    """Hands out async contexts and writes down what happens to them, and in which task."""

    def __init__(self) -> None:
        self.entries: list[str] = []
        self.tasks: dict[str, list[int]] = {}

    def note(self, entry: str, name: str) -> None:
        self.entries.append(entry)
        self.tasks.setdefault(name, []).append(anyio.get_current_task().id)

    @asynccontextmanager
    async def context(self, name: str) -> AsyncIterator[str]:
        await anyio.sleep(0)
        self.note(f"open {name}", name)
        try:
            yield name
        finally:
            await anyio.sleep(0)
            self.note(f"close {name}", name)

    def factory(self, name: str) -> ContextFactory:
        return ContextFactory(lambda: self.context(name))


class Use(RecordStep[Item, Result]):
    """Says which client it was given."""

    async def execute(self, message: Message[Item], client: Any) -> Result:
        await anyio.sleep(0)
        return Result(message.payload.id, str(client))


PAIRS = CollectBatch(max_records=2, timeout_ms=60_000)


def in_pairs(runtime: dict[str, Any], **options: Any) -> StreamingTestRunner:
    scope: WithAsync[Any, Any] = WithAsync(process=Process(Use), **options)
    outer: With[Any, Any] = With(process=Process(ForEach(), scope))
    return runner_of(PAIRS, outer, config=config_of(streaming={"runtime": runtime}))


def test_a_workers_context_is_entered_and_left_in_one_task(runtime: dict[str, Any]) -> None:
    journal = Journal()
    run(in_pairs(runtime, client=journal.factory("client")), items(*"abcde"))
    assert journal.entries == ["open client", "close client"]
    entered, left = journal.tasks["client"]
    assert entered == left


def test_a_batchs_context_is_entered_and_left_in_one_task(runtime: dict[str, Any]) -> None:
    journal = Journal()
    scope = ResourceScope.BATCH
    run(in_pairs(runtime, scope=scope, client=journal.factory("client")), items(*"abcde"))
    assert journal.entries == ["open client", "close client"] * 3
    tasks = journal.tasks["client"]
    assert tasks[::2] == tasks[1::2]


def test_contexts_are_left_in_reverse_order(any_runtime: dict[str, Any]) -> None:
    journal = Journal()
    runner = async_runner(
        any_runtime, Use, client=journal.context("instance"), other=journal.factory("factory")
    )
    run(runner, items("a"))
    assert journal.entries == ["open instance", "open factory", "close factory", "close instance"]


@pytest.mark.parametrize("scope", list(ResourceScope))
def test_a_context_may_hold_a_task_group(runtime: dict[str, Any], scope: ResourceScope) -> None:
    """Cancel scopes must be entered and left in one task; a task group has one."""
    ticks: list[int] = []

    @asynccontextmanager
    async def ticking() -> AsyncIterator[TaskGroup]:
        async def tick() -> None:
            while True:
                ticks.append(1)
                await anyio.sleep(0.001)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(tick)
            yield tasks
            tasks.cancel_scope.cancel()

    class Spawn(RecordStep[Item, Item]):
        async def execute(self, message: Message[Item], group: TaskGroup) -> Item:
            done = anyio.Event()

            async def work() -> None:
                done.set()

            group.start_soon(work)
            await done.wait()
            return message.payload

    runner = async_runner(runtime, Spawn, scope=scope, group=ContextFactory(ticking))
    assert ids(run(runner, items("a", "b"))) == ["a", "b"]
    assert ticks


def test_a_context_whose_task_group_fails_ends_the_run(any_runtime: dict[str, Any]) -> None:
    @asynccontextmanager
    async def fragile() -> AsyncIterator[anyio.Event]:
        broken = anyio.Event()

        async def fail_when_told() -> None:
            await broken.wait()
            raise ConnectionError("heartbeat lost")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(fail_when_told)
            yield broken

    class Break(RecordStep[Item, Item]):
        async def execute(self, message: Message[Item], broken: anyio.Event) -> Item:
            broken.set()
            for _ in range(50):
                await anyio.sleep(0)
            return message.payload

    scope: WithAsync[Any, Any] = WithAsync(process=Process(Break), broken=ContextFactory(fragile))
    outer: With[Any, Any] = With(process=Process(ForEach(), scope))
    runner = runner_of(PAIRS, outer, config=config_of(streaming={"runtime": any_runtime}))
    runner.with_payloads(items(*"abcd"))
    with pytest.raises(ResourceError) as raised:
        runner.run()
    assert "the dependency broken of WithAsync ended" in raised.value.what
    assert "heartbeat lost" in raised.value.what


def test_a_workers_context_that_does_not_open_fails_the_run(any_runtime: dict[str, Any]) -> None:
    @asynccontextmanager
    async def refusing() -> AsyncIterator[str]:
        await anyio.sleep(0)
        raise ConnectionError("the service is down")
        yield ""

    journal = Journal()
    runner = async_runner(
        any_runtime, Use, other=journal.context("other"), client=ContextFactory(refusing)
    ).with_payloads(items("a"))
    with pytest.raises(ResourceError, match="ConnectionError: the service is down"):
        runner.run()
    assert journal.entries == ["open other", "close other"]


def test_a_batchs_context_that_fails_fails_the_records_of_its_batch(
    any_runtime: dict[str, Any],
) -> None:
    outcomes = iter(["fine", "not opened", "not closed", "fine"])

    @asynccontextmanager
    async def moody() -> AsyncIterator[str]:
        outcome = next(outcomes)
        if outcome == "not opened":
            raise ConnectionError(outcome)
        yield outcome
        if outcome == "not closed":
            raise ConnectionError(outcome)

    batch = ResourceScope.BATCH
    runner = run(
        in_pairs(any_runtime, scope=batch, client=ContextFactory(moody)), items(*"abcdefgh")
    )
    assert ids(runner) == ["a", "b", "g", "h"]
    reasons = [envelope.reason for envelope in runner.errors[ErrorKind.TASK]]
    assert reasons == ["not opened"] * 2 + ["not closed"] * 2
