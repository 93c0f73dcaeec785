"""BatchStep and BatchExpandStep: whole batches in, one output or one list for each message."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from loom_runtime import (
    BatchExpandStep,
    BatchStep,
    CollectBatch,
    DomainError,
    ErrorKind,
    ForEach,
    Message,
    MessageMeta,
    ProcessNode,
)
from tests.nodes.running import Item, Result, Upper, at, ids, items, run, runner_of

COLLECT = CollectBatch(max_records=3, timeout_ms=60_000)

Answer = Callable[[Sequence[Message[Any]]], Any]


class Each(BatchStep[Item, Result]):
    """Numbers the messages of its batch."""

    def execute(self, messages: Sequence[Message[Item]]) -> list[Result]:
        size = len(messages)
        return [Result(m.payload.id, f"{n + 1}/{size}") for n, m in enumerate(messages)]


class Batch(BatchStep[Any, Any]):
    """Answers as it was told."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    def execute(self, messages: Sequence[Message[Any]]) -> Any:
        return self.answer(messages)


class BatchExpand(BatchExpandStep[Any, Any]):
    """Answers as it was told."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    def execute(self, messages: Sequence[Message[Any]]) -> Any:
        return self.answer(messages)


def batched(*nodes: ProcessNode) -> Any:
    return runner_of(COLLECT, *nodes, ForEach())


def test_one_output_per_message_in_order_whatever_is_left_at_the_end() -> None:
    runner = run(batched(Each), items("a", "b", "c", "d", "e"))
    texts = [(m.payload.id, m.payload.text) for m in runner.output]
    assert texts == [("a", "1/3"), ("b", "2/3"), ("c", "3/3"), ("d", "1/2"), ("e", "2/2")]


def test_each_output_keeps_the_metadata_of_its_own_message() -> None:
    given = [at(n, Item(str(n)), key=f"k{n}".encode()) for n in range(5)]
    runner = run(batched(Each), given)
    assert [m.meta.key for m in runner.output] == [b"k0", b"k1", b"k2", b"k3", b"k4"]
    assert [m.meta.produced_at_ms for m in runner.output] == [0, 1, 2, 3, 4]


def test_batch_steps_follow_one_another_on_the_same_batch() -> None:
    sizes: list[int] = []

    def note(messages: Sequence[Message[Any]]) -> list[Any]:
        sizes.append(len(messages))
        return [message.payload for message in messages]

    run(batched(Batch(note), Batch(note)), items("a", "b", "c", "d"))
    assert sizes == [3, 3, 1, 1]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda messages: [Result("x")], "returned 1 results for 3 messages"),
        (lambda messages: [Result("x")] * 4, "returned 4 results for 3 messages"),
        (lambda messages: [], "returned 0 results for 3 messages"),
        (lambda messages: None, "returned None; it must return a sequence"),
        (lambda messages: Result("x"), "returned a Result; it must return a sequence"),
        (lambda messages: "abc", "returned a str"),
        (lambda messages: {"a": 1, "b": 2, "c": 3}, "returned a dict"),
        (lambda messages: {Result("a"), Result("b"), Result("c")}, "a set, which has no order"),
        (lambda messages: [Result("a"), None, Result("c")], "returned None"),
    ],
)
def test_a_wrong_answer_fails_every_message_of_the_batch(answer: Answer, said: str) -> None:
    runner = run(batched(Batch(answer)), items("a", "b", "c"))
    assert runner.output == []
    envelopes = runner.errors[ErrorKind.TASK]
    assert [e.original_message and e.original_message.payload.id for e in envelopes] == [
        "a",
        "b",
        "c",
    ]
    assert all(said in envelope.reason for envelope in envelopes)


def test_an_exception_fails_each_message_of_its_batch_and_no_other() -> None:
    def refuse(messages: Sequence[Message[Item]]) -> list[Item]:
        if any(message.payload.id == "bad" for message in messages):
            raise DomainError("a bad one in here")
        return [message.payload for message in messages]

    runner = run(batched(Batch(refuse)), items("a", "bad", "c", "d", "e", "f"))
    assert ids(runner) == ["d", "e", "f"]
    assert len(runner.errors[ErrorKind.BUSINESS]) == 3


def test_any_iterable_with_an_order_will_do() -> None:
    def generated(messages: Sequence[Message[Item]]) -> Any:
        return (Result(message.payload.id) for message in messages)

    assert ids(run(batched(Batch(generated)), items("a", "b"))) == ["a", "b"]
    as_tuple = Batch(lambda messages: tuple(Result(m.payload.id) for m in messages))
    assert ids(run(batched(as_tuple), items("a", "b"))) == ["a", "b"]


def test_a_step_that_tampers_with_its_list_tampers_with_nothing_else() -> None:
    def tamper(messages: Any) -> list[Result]:
        messages.reverse()
        answer = [Result(message.payload.id) for message in reversed(messages)]
        messages.clear()
        return answer

    given = [at(n, Item(str(n)), key=str(n)) for n in range(3)]
    runner = run(batched(Batch(tamper)), given)
    assert [(m.payload.id, m.meta.key) for m in runner.output] == [
        ("0", "0"),
        ("1", "1"),
        ("2", "2"),
    ]


def test_a_message_in_the_answer_keeps_the_place_of_its_record() -> None:
    def own(messages: Sequence[Message[Item]]) -> list[Message[Result]]:
        return [
            Message(payload=Result(m.payload.id), meta=MessageMeta(message_id="own"))
            for m in messages
        ]

    given = [at(n, Item(str(n)), topic="in", partition=0, offset=n) for n in range(2)]
    runner = run(batched(Batch(own)), given)
    assert [(m.meta.message_id, m.meta.offset) for m in runner.output] == [("own", 0), ("own", 1)]


def test_batch_expand_gives_list_i_for_message_i() -> None:
    def twice(messages: Sequence[Message[Item]]) -> list[list[Result]]:
        return [[Result(m.payload.id, "1"), Result(m.payload.id, "2")] for m in messages]

    given = [at(n, Item(str(n)), key=str(n)) for n in range(2)]
    runner = run(runner_of(COLLECT, BatchExpand(twice)), given)
    got = [(m.payload.id, m.payload.text, m.meta.key) for m in runner.output]
    assert got == [("0", "1", "0"), ("0", "2", "0"), ("1", "1", "1"), ("1", "2", "1")]


def test_batch_expand_filters_a_message_whose_list_is_empty() -> None:
    def odd_only(messages: Sequence[Message[Item]]) -> list[list[Item]]:
        return [[m.payload] * (m.payload.value % 2) for m in messages]

    runner = run(runner_of(COLLECT, BatchExpand(odd_only), Upper), items("a", "b", "c", "d"))
    assert ids(runner) == ["B", "D"]
    assert runner.ledger is not None
    assert runner.ledger.total("filtered") == 2


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda messages: [[Result("x")]], "returned 1 results for 2 messages"),
        (lambda messages: [Result("x"), Result("y")], "it must return one list per message"),
        (lambda messages: ["ab", "cd"], "it must return one list per message"),
        (lambda messages: [None, []], "returned None; it must return one list per message"),
        (lambda messages: [[None], []], "returned None; it must return a LoomStruct"),
        (lambda messages: [[messages[0]], []], "returns payloads, not Messages"),
        (lambda messages: None, "returned None; it must return a sequence"),
    ],
)
def test_batch_expand_refuses_any_other_answer(answer: Answer, said: str) -> None:
    runner = run(runner_of(COLLECT, BatchExpand(answer)), items("a", "b"))
    assert runner.output == []
    assert [said in e.reason for e in runner.errors[ErrorKind.TASK]] == [True, True]


def test_batch_expand_that_raises_fails_each_message() -> None:
    def refuse(messages: Sequence[Message[Item]]) -> list[list[Item]]:
        raise LookupError("nothing here")

    runner = run(runner_of(COLLECT, BatchExpand(refuse)), items("a", "b", "c", "d"))
    assert len(runner.errors[ErrorKind.TASK]) == 4
