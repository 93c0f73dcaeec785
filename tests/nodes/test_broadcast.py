"""Broadcast: a terminal copy, every branch gets every record."""

from __future__ import annotations

from typing import Any

from loom_runtime import (
    Broadcast,
    BroadcastRoute,
    CollectBatch,
    Drain,
    ErrorKind,
    ForEach,
    IntoTopic,
    Message,
    Process,
    RecordStep,
)
from tests.nodes.running import Item, Pass, Result, Upper, ids, items, run, runner_of
from tests.nodes.test_fork import Count


class BadA(RecordStep[Item, Item]):
    def execute(self, message: Message[Item]) -> Item:
        if message.payload.id == "a":
            raise ValueError("a is bad")
        return message.payload


def broadcast(*routes: BroadcastRoute[Any, Any]) -> Any:
    return runner_of(Broadcast(*routes), output=False)


def test_every_branch_gets_every_record_in_order() -> None:
    runner = broadcast(
        BroadcastRoute(process=Process(Upper), output=IntoTopic("upper")),
        BroadcastRoute(process=Process(Pass, IntoTopic("plain"))),
    )
    run(runner, items("a", "b"))
    assert [each for each in ids(runner) if each.isupper()] == ["A", "B"]
    assert [each for each in ids(runner) if each.islower()] == ["a", "b"]
    assert runner.ledger is not None
    assert (runner.ledger.total("written"), runner.ledger.total("records_written")) == (2, 4)


def test_a_branch_without_output_drops_its_results() -> None:
    runner = broadcast(
        BroadcastRoute(process=Process(Pass)),
        BroadcastRoute(process=Process(Drain())),
        BroadcastRoute(process=Process(Upper), output=IntoTopic("upper")),
    )
    assert ids(run(runner, items("a"))) == ["A"]
    assert runner.ledger is not None
    assert (runner.ledger.total("written"), runner.ledger.total("filtered")) == (1, 0)


def test_records_that_every_branch_drops_are_filtered() -> None:
    runner = broadcast(
        BroadcastRoute(process=Process(Pass)), BroadcastRoute(process=Process(Drain()))
    )
    run(runner, items("a", "b"))
    assert runner.ledger is not None
    assert runner.ledger.total("filtered") == 2


def test_a_failure_on_one_branch_leaves_the_others_alone() -> None:
    runner = broadcast(
        BroadcastRoute(process=Process(BadA), output=IntoTopic("one")),
        BroadcastRoute(process=Process(Upper), output=IntoTopic("two")),
    )
    run(runner, items("a", "b"))
    assert sorted(ids(runner)) == ["A", "B", "b"]
    assert len(runner.errors[ErrorKind.TASK]) == 1
    assert runner.ledger is not None
    assert (runner.ledger.total("errored"), runner.ledger.total("written")) == (1, 1)


def test_branches_hold_state_and_batches_of_their_own() -> None:
    collect = CollectBatch(max_records=10, timeout_ms=60_000)
    runner = broadcast(
        BroadcastRoute(process=Process(Count), output=IntoTopic("counts", payload=Result)),
        BroadcastRoute(process=Process(collect, ForEach(), Upper), output=IntoTopic("upper")),
        BroadcastRoute(process=Process(collect, ForEach(), Count), output=IntoTopic("late")),
    )
    run(runner, items("a", "a", "b"))
    counted = [(m.payload.id, m.payload.text) for m in runner.output if m.payload.text]
    assert sorted(counted) == sorted([("a", "1"), ("a", "2"), ("b", "1")] * 2)
    assert [each for each in ids(runner) if each.isupper()] == ["A", "A", "B"]


def test_broadcasts_nest() -> None:
    inner: Broadcast[Any] = Broadcast(
        BroadcastRoute(process=Process(Pass), output=IntoTopic("one")),
        BroadcastRoute(process=Process(Pass), output=IntoTopic("two")),
    )
    runner = broadcast(
        BroadcastRoute(process=Process(Upper, inner)),
        BroadcastRoute(process=Process(Pass), output=IntoTopic("three")),
    )
    assert sorted(ids(run(runner, items("a")))) == ["A", "A", "a"]
