"""ExpandStep: one record in, any number out; none filters the record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from loom_runtime import DomainError, ErrorKind, ExpandStep, Message, MessageMeta
from tests.nodes.running import Item, Result, Upper, at, ids, items, run, runner_of


class Expand(ExpandStep[Any, Any]):
    """Answers as it was told."""

    def __init__(self, answer: Callable[[Message[Any]], Any]) -> None:
        self.answer = answer

    def execute(self, message: Message[Any]) -> Any:
        return self.answer(message)


def copies(message: Message[Item]) -> Iterator[Item]:
    """Yield the item as often as its value says."""
    for number in range(message.payload.value):
        yield Item(f"{message.payload.id}{number}")


def test_outputs_follow_in_order() -> None:
    runner = run(runner_of(Expand(copies), Upper), [Item("a", 2), Item("b", 1), Item("c", 3)])
    assert ids(runner) == ["A0", "A1", "B0", "C0", "C1", "C2"]


def test_no_output_filters_the_record() -> None:
    runner = run(runner_of(Expand(copies)), [Item("a", 0), Item("b", 1), Item("c", 0)])
    assert ids(runner) == ["b0"]
    assert runner.ledger is not None
    assert runner.ledger.totals() | {"consumed": 3, "filtered": 2, "written": 1} == (
        runner.ledger.totals()
    )


def test_source_records_and_output_records_are_counted_apart() -> None:
    runner = run(runner_of(Expand(copies)), [Item("a", 5), Item("b", 7)])
    assert runner.ledger is not None
    assert runner.ledger.total("written") == 2
    assert runner.ledger.total("records_written") == 12


def test_a_generator_that_raises_midway_gives_nothing_but_an_envelope() -> None:
    def partly(message: Message[Item]) -> Iterator[Item]:
        yield message.payload
        if message.payload.id == "bad":
            raise DomainError("not this one")
        yield message.payload

    runner = run(runner_of(Expand(partly)), items("a", "bad", "c"))
    assert ids(runner) == ["a", "a", "c", "c"]
    (envelope,) = runner.errors[ErrorKind.BUSINESS]
    assert envelope.original_message is not None
    assert envelope.original_message.payload.id == "bad"


def test_messages_and_payloads_may_be_mixed_and_keep_the_place_of_the_record() -> None:
    def mixed(message: Message[Item]) -> list[Any]:
        own = Message(payload=Result("own"), meta=MessageMeta(message_id="m", key=b"own"))
        return [Result("plain"), own]

    given = [at(5, Item("a"), topic="in", partition=1, offset=9, key=b"k")]
    plain, own = run(runner_of(Expand(mixed)), given).output
    assert (plain.meta.offset, plain.meta.key) == (9, b"k")
    assert (own.meta.offset, own.meta.key, own.meta.message_id) == (9, b"own", "m")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, "returned None; it must return an iterable"),
        (Result("a"), "returned a Result; it must return an iterable"),
        ("text", "returned a str"),
        ({"a": Result("a")}, "returned a dict"),
        ([Result("a"), None], "returned None"),
        (at(1), "returned a Message; it must return an iterable"),
    ],
)
def test_any_other_answer_is_a_task_error(answer: Any, said: str) -> None:
    runner = run(runner_of(Expand(lambda message: answer)), items("a"))
    assert runner.output == []
    assert said in runner.errors[ErrorKind.TASK][0].reason


def test_any_iterable_will_do_a_set_too() -> None:
    runner = run(runner_of(Expand(lambda message: {Result("a"), Result("b")})), items("x"))
    assert sorted(ids(runner)) == ["a", "b"]


def test_a_record_with_outputs_and_a_failure_after_them_counts_as_errored() -> None:
    class FailOn(ExpandStep[Item, Item]):
        def execute(self, message: Message[Item]) -> list[Item]:
            if message.payload.id == "a1":
                raise ValueError("second one")
            return [message.payload]

    runner = run(runner_of(Expand(copies), FailOn), [Item("a", 3), Item("b", 1)])
    assert ids(runner) == ["a0", "a2", "b0"]
    assert runner.ledger is not None
    totals = runner.ledger.totals()
    assert (totals["written"], totals["errored"]) == (1, 1)
    assert (totals["records_written"], totals["envelopes_written"]) == (3, 1)
