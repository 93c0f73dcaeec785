"""Fork: a terminal split, each branch a full process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from loom_runtime import (
    BatchStep,
    CollectBatch,
    Drain,
    ErrorKind,
    ForEach,
    Fork,
    ForkRoute,
    IntoTopic,
    LoomFrozenStruct,
    Message,
    Process,
    StatefulStep,
    payload,
)
from tests.nodes.running import Item, Pass, Result, Upper, config_of, ids, items, run, runner_of


class Seen(LoomFrozenStruct, frozen=True):
    count: int = 0


class Count(StatefulStep[Item, Result, Seen]):
    """Counts items by id."""

    def key(self, message: Message[Item]) -> str:
        return message.payload.id

    def initial(self) -> Seen:
        return Seen()

    def execute(self, state: Seen, message: Message[Item]) -> tuple[Seen, list[Result]]:
        count = state.count + 1
        return Seen(count), [Result(message.payload.id, str(count))]


class Sizes(BatchStep[Item, Result]):
    """Says how large its batch is."""

    def execute(self, messages: Sequence[Message[Item]]) -> list[Result]:
        return [Result(message.payload.id, f"of {len(messages)}") for message in messages]


def test_each_record_takes_one_branch_to_its_end() -> None:
    fork: Fork[Any] = Fork.by(
        payload.id,
        {"a": Process(Upper, IntoTopic("upper")), "b": Process(IntoTopic("plain"))},
        default=Process(Drain()),
    )
    runner = run(runner_of(fork, output=False), items("a", "b", "c", "a"))
    assert sorted(ids(runner)) == ["A", "A", "b"]
    assert runner.ledger is not None
    assert runner.ledger.total("filtered") == 1


def test_branches_may_hold_state_and_batches() -> None:
    collect = CollectBatch(max_records=2, timeout_ms=60_000)
    fork: Fork[Any] = Fork.when(
        [
            ForkRoute(payload.value > 4, Process(Count, Upper, IntoTopic("counted"))),
            ForkRoute(payload.value > 1, Process(collect, Sizes, ForEach(), IntoTopic("sized"))),
        ],
        default=Process(IntoTopic("rest")),
    )
    given = [Item("x", 5), Item("y", 2), Item("z", 0), Item("x", 6), Item("w", 3), Item("v", 4)]
    runner = run(runner_of(fork, output=False), given)
    by_id: dict[str, list[str]] = {}
    for message in runner.output:
        by_id.setdefault(message.payload.id, []).append(getattr(message.payload, "text", "rest"))
    assert by_id == {"X": ["", ""], "y": ["of 2"], "w": ["of 2"], "v": ["of 1"], "z": ["rest"]}


def test_at_most_once_an_unclaimed_record_without_default_is_filtered() -> None:
    fork: Fork[Any] = Fork.by(payload.id, {"a": Process(IntoTopic("aside"))})
    runner = runner_of(fork, output=False, config=config_of(delivery="at_most_once"))
    run(runner, items("a", "x", "y"))
    assert ids(runner) == ["a"]
    assert runner.errors == {kind: [] for kind in ErrorKind}
    assert runner.ledger is not None
    assert runner.ledger.total("filtered") == 2


def test_a_condition_that_raises_is_a_routing_error() -> None:
    fork: Fork[Any] = Fork.when(
        [ForkRoute(payload.missing > 1, Process(IntoTopic("aside")))], default=Process(Drain())
    )
    runner = run(runner_of(Pass, fork, output=False), items("a"))
    (envelope,) = runner.errors[ErrorKind.ROUTING]
    assert (envelope.node, envelope.exception_type) == ("Fork", "builtins.AttributeError")
