"""WithAsync: concurrent execution, a deadline for each record, async dependencies."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterable
from contextvars import ContextVar
from typing import Any

import anyio
import pytest

from loom_runtime import (
    DomainError,
    Drain,
    ErrorKind,
    ExpandStep,
    IntoTopic,
    Message,
    Process,
    RecordStep,
    Router,
    With,
    WithAsync,
    payload,
)
from loom_runtime.failures import EngineError
from tests.nodes.async_running import BACKENDS, Do, async_runner
from tests.nodes.running import Item, Result, Upper, config_of, ids, items, run, runner_of


class Gauge:
    """Counts how many are inside at once; lets nobody leave before *wanted* were inside."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.inside = 0
        self.most = 0

    async def visit(self, message: Message[Item]) -> Item:
        self.inside += 1
        self.most = max(self.most, self.inside)
        while self.most < self.wanted:
            await anyio.sleep(0)
        for _ in range(20):
            await anyio.sleep(0)
        self.inside -= 1
        return message.payload


@pytest.mark.parametrize(("limit", "records"), [(1, 5), (4, 30), (10, 10), (50, 8)])
def test_records_run_at_once_up_to_the_limit(
    runtime: dict[str, Any], limit: int, records: int
) -> None:
    gauge = Gauge(wanted=min(limit, records))
    runner = async_runner(runtime, Do(gauge.visit), max_concurrency=limit)
    run(runner, items(*(f"i{n}" for n in range(records))))
    assert gauge.most == min(limit, records)
    assert len(runner.output) == records


def test_outputs_keep_the_order_of_their_records_however_long_each_takes(
    runtime: dict[str, Any],
) -> None:
    async def slow_first(message: Message[Item]) -> Item:
        for _ in range(100 - message.payload.value * 10):
            await anyio.sleep(0)
        return message.payload

    runner = run(async_runner(runtime, Do(slow_first)), items(*"abcdefgh"))
    assert ids(runner) == list("abcdefgh")


def test_coroutine_and_plain_steps_stand_side_by_side(any_runtime: dict[str, Any]) -> None:
    async def exclaim(message: Message[Any]) -> Result:
        await anyio.sleep(0)
        return Result(message.payload.id + "!")

    runner = run(async_runner(any_runtime, Upper, Do(exclaim), Upper), items("a", "b"))
    assert ids(runner) == ["A!", "B!"]


class Copies(ExpandStep[Item, Item]):
    """An async generator: items numbered up to the value."""

    async def execute(self, message: Message[Item]) -> AsyncIterator[Item]:
        for number in range(message.payload.value):
            await anyio.sleep(0)
            if message.payload.id == "bad" and number == 1:
                raise DomainError("halfway")
            yield Item(f"{message.payload.id}{number}")


class ListCopies(ExpandStep[Item, Item]):
    """A coroutine that returns a list."""

    async def execute(self, message: Message[Item]) -> Iterable[Item]:
        await anyio.sleep(0)
        return [Item(f"{message.payload.id}{n}") for n in range(message.payload.value)]


@pytest.mark.parametrize("step", [Copies, ListCopies])
def test_expand_steps_may_be_async_generators_or_coroutines(
    any_runtime: dict[str, Any], step: type[ExpandStep[Item, Item]]
) -> None:
    given = [Item("a", 2), Item("none", 0), Item("b", 1)]
    runner = run(async_runner(any_runtime, step, Upper), given)
    assert ids(runner) == ["A0", "A1", "B0"]
    assert runner.ledger is not None
    assert runner.ledger.total("filtered") == 1


def test_an_async_generator_that_raises_midway_gives_an_envelope_only(
    any_runtime: dict[str, Any],
) -> None:
    runner = run(async_runner(any_runtime, Copies), [Item("bad", 3), Item("a", 1)])
    assert ids(runner) == ["a0"]
    assert [e.reason for e in runner.errors[ErrorKind.BUSINESS]] == ["halfway"]


def test_an_async_generator_is_closed_when_its_output_is_refused(
    any_runtime: dict[str, Any],
) -> None:
    closed: list[bool] = []

    class Wrong(ExpandStep[Item, Item]):
        async def execute(self, message: Message[Item]) -> AsyncIterator[Any]:
            try:
                yield None
                yield message.payload
            finally:
                closed.append(True)

    runner = run(async_runner(any_runtime, Wrong), items("a"))
    assert "returned None" in runner.errors[ErrorKind.TASK][0].reason
    assert closed == [True]


def test_a_failure_is_its_own_records_only(runtime: dict[str, Any]) -> None:
    async def picky(message: Message[Item]) -> Item:
        await anyio.sleep(0)
        if message.payload.id == "business":
            raise DomainError("no")
        if message.payload.id == "task":
            raise KeyError("missing")
        if message.payload.id == "exit":
            raise SystemExit(3)
        return message.payload

    runner = run(async_runner(runtime, Do(picky)), items("a", "business", "task", "exit", "b"))
    assert ids(runner) == ["a", "b"]
    assert [e.reason for e in runner.errors[ErrorKind.BUSINESS]] == ["no"]
    assert [e.reason for e in runner.errors[ErrorKind.TASK]] == ["'missing'", "3"]
    assert "picky" in (runner.errors[ErrorKind.TASK][0].traceback or "")


def test_groups_of_exceptions_tell_what_they_hold(any_runtime: dict[str, Any]) -> None:
    async def fail(error: Exception) -> None:
        raise error

    async def grouped(message: Message[Item]) -> Item:
        errors: dict[str, list[Exception]] = {
            "business": [DomainError("no tea"), DomainError("no mug")],
            "mixed": [DomainError("no tea"), ValueError("odd")],
        }
        async with anyio.create_task_group() as tasks:
            for error in errors[message.payload.id]:
                tasks.start_soon(fail, error)
        return message.payload

    runner = run(async_runner(any_runtime, Do(grouped)), items("business", "mixed"))
    (business,) = runner.errors[ErrorKind.BUSINESS]
    assert "DomainError: no tea" in business.reason
    assert "DomainError: no mug" in business.reason
    assert "in test_groups_of_exceptions_tell_what_they_hold.<locals>.fail" in (
        business.traceback or ""
    )
    (mixed,) = runner.errors[ErrorKind.TASK]
    assert mixed.exception_type == "builtins.ExceptionGroup"
    assert "ValueError: odd" in mixed.reason


def test_a_record_past_its_deadline_is_a_task_error(runtime: dict[str, Any]) -> None:
    async def stuck(message: Message[Item]) -> Item:
        if message.payload.id == "stuck":
            await anyio.sleep_forever()
        return message.payload

    runner = async_runner(runtime, Do(stuck), task_timeout_ms=50)
    run(runner, items("a", "stuck", "b"))
    assert ids(runner) == ["a", "b"]
    (envelope,) = runner.errors[ErrorKind.TASK]
    assert envelope.exception_type == "builtins.TimeoutError"
    assert envelope.reason == "the record took longer than 0.05 s"
    assert envelope.node == "WithAsync"


def test_every_record_has_a_deadline_of_its_own(any_runtime: dict[str, Any]) -> None:
    async def stuck(message: Message[Item]) -> Item:
        await anyio.sleep_forever()
        return message.payload

    runner = async_runner(any_runtime, Do(stuck), task_timeout_ms=10, max_concurrency=2)
    run(runner, items(*"abcdef"))
    assert len(runner.errors[ErrorKind.TASK]) == 6


def test_a_record_past_its_deadline_gives_nothing_of_what_it_had_written(
    any_runtime: dict[str, Any],
) -> None:
    async def stuck(message: Message[Item]) -> Item:
        if message.payload.id == "a1":
            await anyio.sleep_forever()
        return message.payload

    routes: dict[Any, Process[Any, Any]] = {"a0": Process(IntoTopic("aside"))}
    router: Router[Any, Any] = Router.by(payload.id, routes)
    runner = async_runner(any_runtime, ListCopies, router, Do(stuck), task_timeout_ms=50)
    run(runner, [Item("a", 2)])
    assert runner.output == []
    assert len(runner.errors[ErrorKind.TASK]) == 1


def test_a_step_that_finishes_after_its_deadline_keeps_its_result(
    any_runtime: dict[str, Any],
) -> None:
    """Nobody cancelled it in time, so what it did was done."""

    async def shielded(message: Message[Item]) -> Item:
        with anyio.CancelScope(shield=True):
            await anyio.sleep(0.1)
        return message.payload

    runner = run(async_runner(any_runtime, Do(shielded), task_timeout_ms=20), items("a"))
    assert ids(runner) == ["a"]


@pytest.mark.parametrize("limit", [1, 10])
def test_a_step_that_ignores_its_cancellation_is_left_behind_and_holds_nobody_up(
    any_runtime: dict[str, Any], limit: int
) -> None:
    """The place of the deaf record among those in flight is taken by the next."""
    release = threading.Event()

    async def deaf(message: Message[Item]) -> Item:
        if message.payload.id == "deaf":
            with anyio.CancelScope(shield=True):
                while not release.is_set():
                    await anyio.sleep(0.01)
        return message.payload

    class Release(RecordStep[Item, Item]):
        def execute(self, message: Message[Item]) -> Item:
            release.set()
            return message.payload

    runner = async_runner(
        any_runtime, Do(deaf), after=(Release,), task_timeout_ms=20, max_concurrency=limit
    )
    run(runner, items("a", "deaf", *(f"i{n}" for n in range(20))))
    assert ids(runner) == ["a", *(f"i{n}" for n in range(20))]
    (envelope,) = runner.errors[ErrorKind.TASK]
    assert envelope.exception_type == "builtins.TimeoutError"
    assert "does not heed its cancellation" in envelope.reason


def test_a_step_that_turns_its_cancellation_into_an_error_fails_with_that_error(
    any_runtime: dict[str, Any],
) -> None:
    async def convert(message: Message[Item]) -> Item:
        try:
            await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class():
            raise ConnectionError("interrupted") from None
        return message.payload

    runner = run(async_runner(any_runtime, Do(convert), task_timeout_ms=20), items("a"))
    assert [e.reason for e in runner.errors[ErrorKind.TASK]] == ["interrupted"]


@pytest.mark.parametrize("deadline_ms", [None, 5_000])
def test_a_step_that_awaits_something_cancelled_fails_and_loses_no_record(
    deadline_ms: int | None,
) -> None:
    async def awaiting(message: Message[Item]) -> Item:
        if message.payload.id == "bad":
            task = asyncio.create_task(asyncio.sleep(10))
            task.cancel()
            await task
        return message.payload

    runner = async_runner(BACKENDS["asyncio"], Do(awaiting), task_timeout_ms=deadline_ms)
    run(runner, items("a", "bad", "b"))
    assert ids(runner) == ["a", "b"]
    (envelope,) = runner.errors[ErrorKind.TASK]
    assert "something that the step awaited was cancelled" in envelope.reason


@pytest.mark.parametrize("deadline_ms", [None, 5_000])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_event_loop_that_ends_fails_the_run_and_no_record(deadline_ms: int | None) -> None:
    async def exits() -> None:
        raise SystemExit(3)

    async def start_exit(message: Message[Item]) -> Item:
        await asyncio.create_task(exits())
        return message.payload

    runner = async_runner(BACKENDS["asyncio"], Do(start_exit), task_timeout_ms=deadline_ms)
    runner.with_payloads(items("a"))
    with pytest.raises(EngineError, match="the event loop of WithAsync ended"):
        runner.run()
    assert runner.errors[ErrorKind.TASK] == []


def test_routers_and_terminals_inside(any_runtime: dict[str, Any]) -> None:
    async def same(message: Message[Item]) -> Item:
        await anyio.sleep(0)
        return message.payload

    routes: dict[Any, Process[Any, Any]] = {
        "a": Process(Do(same), IntoTopic("aside")),
        "b": Process(Drain()),
        "c": Process(Upper),
    }
    router: Router[Any, Any] = Router.by(payload.id, routes)
    runner = run(async_runner(any_runtime, Do(same), router), items("a", "b", "c", "x", "c"))
    assert sorted(ids(runner)) == ["C", "C", "a", "x"]
    assert [each for each in ids(runner) if each != "a"] == ["C", "x", "C"]
    assert runner.ledger is not None
    assert runner.ledger.total("filtered") == 1


def test_a_selector_inside_that_raises_is_a_routing_error(any_runtime: dict[str, Any]) -> None:
    router: Router[Any, Any] = Router.by(payload.missing, {1: Process(Upper)})
    runner = run(async_runner(any_runtime, router), items("a"))
    (envelope,) = runner.errors[ErrorKind.ROUTING]
    assert envelope.node == "Router"


class Use(RecordStep[Item, Result]):
    """Says which client it was given."""

    async def execute(self, message: Message[Item], client: Any) -> Result:
        return Result(message.payload.id, str(client))


def test_dependencies_of_an_outer_with_are_seen_inside(any_runtime: dict[str, Any]) -> None:
    scope: WithAsync[Any, Any] = WithAsync(process=Process(Use))
    outer: With[Any, Any] = With(process=Process(scope), client="outer")
    runner = runner_of(outer, config=config_of(streaming={"runtime": any_runtime}))
    assert run(runner, items("a")).output[0].payload.text == "outer"


def test_records_see_the_context_variables_of_the_run(any_runtime: dict[str, Any]) -> None:
    variable: ContextVar[str] = ContextVar("tenant", default="none")

    async def read(message: Message[Item]) -> Result:
        return Result(variable.get())

    token = variable.set("acme")
    try:
        for deadline_ms in (None, 5_000):
            runner = async_runner(any_runtime, Do(read), task_timeout_ms=deadline_ms)
            assert ids(run(runner, items("a"))) == ["acme"]
    finally:
        variable.reset(token)


def test_blocking_code_in_a_step_delays_but_breaks_nothing(any_runtime: dict[str, Any]) -> None:
    async def blocks(message: Message[Item]) -> Item:
        time.sleep(0.03)
        return message.payload

    runner = async_runner(any_runtime, Do(blocks), task_timeout_ms=10, max_concurrency=4)
    assert ids(run(runner, items(*"abcdef"))) == list("abcdef")
