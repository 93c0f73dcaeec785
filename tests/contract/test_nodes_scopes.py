"""Contract, authoring rows that need the engine: scopes, error kinds, envelopes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import anyio
import pytest

from loom_runtime import (
    CollectBatch,
    ContextFactory,
    DomainError,
    ErrorKind,
    ForEach,
    Message,
    MessageMeta,
    Process,
    RecordStep,
    ResourceScope,
    Route,
    Router,
    With,
    WithAsync,
    payload,
)
from tests.nodes.running import Item, Result, config_of, ids, items, run, runner_of

PAIRS = CollectBatch(max_records=2, timeout_ms=60_000)


class Use(RecordStep[Item, Result]):
    def execute(self, message: Message[Item], db: str) -> Result:
        return Result(message.payload.id, db)


class UseLater(RecordStep[Item, Result]):
    async def execute(self, message: Message[Item], db: str) -> Result:
        await anyio.sleep(0)
        return Result(message.payload.id, db)


@pytest.mark.parametrize(
    ("scope", "openings"), [(ResourceScope.WORKER, 1), (ResourceScope.BATCH, 3)]
)
def test_with_enters_context_managers_per_worker_or_per_batch(
    scope: ResourceScope, openings: int
) -> None:
    entered: list[str] = []
    left: list[str] = []

    @contextmanager
    def connection() -> Iterator[str]:
        entered.append("db")
        yield "db"
        left.append("db")

    inner: With[Any, Any] = With(
        scope=scope, process=Process(ForEach(), Use), db=ContextFactory(connection)
    )
    run(runner_of(PAIRS, inner), items(*"abcde"))
    assert len(entered) == len(left) == openings


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_with_async_runs_records_at_once_up_to_max_concurrency(backend: str) -> None:
    inside = most = 0

    class Count(RecordStep[Item, Item]):
        async def execute(self, message: Message[Item]) -> Item:
            nonlocal inside, most
            inside += 1
            most = max(most, inside)
            for _ in range(10):
                await anyio.sleep(0)
            inside -= 1
            return message.payload

    scope: WithAsync[Any, Any] = WithAsync(process=Process(Count), max_concurrency=3)
    config = config_of(streaming={"runtime": {"async_backend": backend}})
    assert ids(run(runner_of(scope, config=config), items(*"abcdefgh"))) == list("abcdefgh")
    assert most == 3


def test_with_async_gives_each_record_its_deadline() -> None:
    class Stuck(RecordStep[Item, Item]):
        async def execute(self, message: Message[Item]) -> Item:
            if message.payload.id == "stuck":
                await anyio.sleep_forever()
            return message.payload

    scope: WithAsync[Any, Any] = WithAsync(process=Process(Stuck), task_timeout_ms=30)
    runner = run(runner_of(scope), items("a", "stuck", "b"))
    assert ids(runner) == ["a", "b"]
    (envelope,) = runner.errors[ErrorKind.TASK]
    assert envelope.exception_type == "builtins.TimeoutError"


def test_with_async_enters_async_context_managers() -> None:
    entered: list[str] = []

    @asynccontextmanager
    async def connection() -> AsyncIterator[str]:
        entered.append("in")
        yield "db"
        entered.append("out")

    scope: WithAsync[Any, Any] = WithAsync(process=Process(UseLater), db=ContextFactory(connection))
    run(runner_of(scope), items("a", "b"))
    assert entered == ["in", "out"]


def test_context_factory_makes_a_fresh_context_manager_per_scope() -> None:
    made: list[object] = []

    @contextmanager
    def connection() -> Iterator[str]:
        yield "db"

    def make() -> Any:
        made.append(connection())
        return made[-1]

    scope: With[Any, Any] = With(
        scope=ResourceScope.BATCH, process=Process(ForEach(), Use), db=ContextFactory(make)
    )
    run(runner_of(PAIRS, scope), items(*"abcd"))
    assert len(set(map(id, made))) == len(made) == 2


class Fails(RecordStep[Item, Item]):
    def execute(self, message: Message[Item]) -> Item:
        if message.payload.id == "business":
            raise DomainError("a rule")
        if message.payload.id == "task":
            raise KeyError("a bug")
        return message.payload


def test_error_kind_of_each_failure() -> None:
    router: Router[Any, Any] = Router.when([Route(payload.missing > 1, Process(Fails))])
    routes: dict[Any, Process[Any, Any]] = {"routing": Process(router)}
    runner = run(
        runner_of(Fails, Router.by(payload.id, routes)),
        [*items("fine", "business", "task", "routing"), b"{"],
    )
    assert {kind.value: len(each) for kind, each in runner.errors.items()} == dict.fromkeys(
        ("wire", "routing", "task", "business"), 1
    )
    assert ids(runner) == ["fine"]


def test_error_envelope_of_a_failed_record_says_what_where_and_why() -> None:
    meta = MessageMeta(message_id="m", topic="in", partition=1, offset=7, key=b"k")
    runner = run(runner_of(Fails), [Message(payload=Item("task"), meta=meta)])
    (envelope,) = runner.errors[ErrorKind.TASK]
    assert (envelope.kind, envelope.reason) == (ErrorKind.TASK, "'a bug'")
    assert (envelope.flow, envelope.node, envelope.node_path) == ("nodes", "Fails", (0,))
    assert (envelope.exception_type, envelope.attempt) == ("builtins.KeyError", 1)
    assert __file__ in (envelope.traceback or "")
    assert envelope.original_message is not None
    assert envelope.original_message.payload == Item("task")
    assert envelope.original_message.meta.offset == 7
