"""Dependencies reach ``execute`` as keyword arguments, by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from loom_runtime import (
    BatchStep,
    CollectBatch,
    ErrorKind,
    ExpandStep,
    ForEach,
    Message,
    Process,
    RecordStep,
    Router,
    With,
    payload,
)
from tests.nodes.running import Item, Pass, Result, ids, items, run, runner_of

SEEN: list[dict[str, Any]] = []


class Named(RecordStep[Item, Result]):
    def execute(self, message: Message[Item], prefix: str) -> Result:
        return Result(prefix + message.payload.id)


class Defaulted(RecordStep[Item, Result]):
    def execute(self, message: Message[Item], *, prefix: str = "default-") -> Result:
        return Result(prefix + message.payload.id)


class Everything(RecordStep[Item, Item]):
    def execute(self, message: Message[Item], **deps: Any) -> Item:
        SEEN.append(deps)
        return message.payload


class Both(RecordStep[Item, Item]):
    def execute(self, message: Message[Item], prefix: str, **others: Any) -> Item:
        SEEN.append({"prefix": prefix, "others": others})
        return message.payload


def given(process: Process[Any, Any], **dependencies: Any) -> Any:
    return runner_of(With(process=process, **dependencies))


def test_a_dependency_arrives_under_its_name() -> None:
    assert ids(run(given(Process(Named), prefix="p-", other=1), items("a"))) == ["p-a"]


def test_a_default_stands_where_no_scope_provides_the_name() -> None:
    assert ids(run(given(Process(Defaulted), other=1), items("a"))) == ["default-a"]
    assert ids(run(runner_of(Defaulted), items("a"))) == ["default-a"]
    assert ids(run(given(Process(Defaulted), prefix="p-"), items("a"))) == ["p-a"]


def test_kwargs_take_every_dependency() -> None:
    SEEN.clear()
    run(given(Process(Everything, Both), prefix="p-", client=7), items("a"))
    assert SEEN == [
        {"prefix": "p-", "client": 7},
        {"prefix": "p-", "others": {"client": 7}},
    ]


def test_kwargs_never_take_a_dependency_for_the_message() -> None:
    SEEN.clear()
    runner = run(given(Process(Everything), message="no message", client=7), items("a"))
    assert ids(runner) == ["a"]
    assert SEEN == [{"client": 7}]


def test_inner_scopes_see_outer_dependencies_and_hide_those_of_the_same_name() -> None:
    SEEN.clear()
    inner: With[Any, Any] = With(process=Process(Everything), prefix="inner", extra=2)
    run(runner_of(With(process=Process(inner, Everything), prefix="outer", client=1)), items("a"))
    assert SEEN == [
        {"prefix": "inner", "client": 1, "extra": 2},
        {"prefix": "outer", "client": 1},
    ]


def test_steps_of_every_kind_take_dependencies() -> None:
    class Expand(ExpandStep[Item, Item]):
        def execute(self, message: Message[Item], prefix: str) -> Iterable[Item]:
            return [Item(prefix + message.payload.id)]

    class Batch(BatchStep[Item, Item]):
        def execute(self, messages: Sequence[Message[Item]], prefix: str) -> list[Item]:
            return [Item(prefix + message.payload.id) for message in messages]

    assert ids(run(given(Process(Expand), prefix="e-"), items("a"))) == ["e-a"]
    batch: With[Any, Any] = With(process=Process(Batch), prefix="b-")
    runner = runner_of(CollectBatch(max_records=2, timeout_ms=60_000), batch, ForEach())
    assert ids(run(runner, items("a", "b"))) == ["b-a", "b-b"]


def test_dependencies_reach_into_router_branches() -> None:
    routes: dict[Any, Process[Any, Any]] = {"a": Process(Named)}
    router: Router[Any, Any] = Router.by(payload.id, routes, default=Process(Pass))
    assert ids(run(given(Process(router), prefix="p-"), items("a", "b"))) == ["p-a", "b"]


def test_a_dependency_is_the_very_object_and_the_same_for_every_record() -> None:
    SEEN.clear()
    client = object()
    run(given(Process(Everything), client=client), items("a", "b"))
    assert [deps["client"] is client for deps in SEEN] == [True, True]


def test_a_step_that_fails_with_its_dependency_is_a_task_error_of_the_step() -> None:
    runner = run(given(Process(Named), prefix=None), items("a"))
    (envelope,) = runner.errors[ErrorKind.TASK]
    assert envelope.node == "Named"
