"""StatefulStep: state by key, records of a key in order, failures that change nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Any, Generic, TypeVar

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loom_runtime import (
    DomainError,
    ErrorKind,
    ExpandStep,
    IntoTopic,
    LoomFrozenStruct,
    LoomStruct,
    Message,
    MessageMeta,
    StatefulStep,
)
from loom_runtime.wire.state import encode_state
from tests.nodes.running import Item, Pass, Result, Upper, at, ids, items, run, runner_of


class Total(LoomFrozenStruct, frozen=True):
    count: int = 0
    total: int = 0


class Basket(LoomStruct):
    """State that a step may change in place."""

    goods: list[str] = msgspec.field(default_factory=list)
    worth: dict[str, int] = msgspec.field(default_factory=dict)


class Sum(StatefulStep[Item, Result, Total]):
    """Adds up values by id."""

    def key(self, message: Message[Item]) -> str:
        return message.payload.id

    def initial(self) -> Total:
        return Total()

    def execute(self, state: Total, message: Message[Item]) -> tuple[Total, list[Result]]:
        state = Total(state.count + 1, state.total + message.payload.value)
        return state, [Result(message.payload.id, f"{state.count}:{state.total}")]


class Keyed(StatefulStep[Any, Any, Total]):
    """Answers and keys as it was told."""

    def __init__(
        self,
        execute: Callable[[Total, Message[Any]], Any],
        key: Callable[[Message[Any]], Any] = lambda message: message.payload.id,
    ) -> None:
        self.answer, self.key_of = execute, key

    def key(self, message: Message[Any]) -> Any:
        return self.key_of(message)

    def initial(self) -> Total:
        return Total()

    def execute(self, state: Total, message: Message[Any]) -> Any:
        return self.answer(state, message)


def count(state: Total, message: Message[Any]) -> tuple[Total, list[Result]]:
    """Count the records of a key."""
    state = Total(state.count + 1)
    return state, [Result(message.payload.id, str(state.count))]


def texts(runner: Any) -> dict[str, list[str]]:
    """Return the outputs' texts in order, by id."""
    by_id: dict[str, list[str]] = {}
    for message in runner.output:
        by_id.setdefault(message.payload.id, []).append(message.payload.text)
    return by_id


def test_each_key_has_a_state_of_its_own() -> None:
    given = [Item("a", 1), Item("b", 10), Item("a", 2), Item("b", 20), Item("a", 3)]
    assert texts(run(runner_of(Sum), given)) == {"a": ["1:1", "2:3", "3:6"], "b": ["1:10", "2:30"]}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcdé"), st.integers(-5, 5)), max_size=60))
def test_the_records_of_a_key_are_taken_in_order(records: list[tuple[str, int]]) -> None:
    expected: dict[str, list[str]] = {}
    totals: dict[str, tuple[int, int]] = {}
    for key, value in records:
        number, total = totals.get(key, (0, 0))
        totals[key] = number + 1, total + value
        expected.setdefault(key, []).append(f"{number + 1}:{total + value}")
    runner = run(runner_of(Sum), [Item(key, value) for key, value in records])
    assert texts(runner) == expected


def test_a_step_may_give_no_output_or_several() -> None:
    def every_second(state: Total, message: Message[Item]) -> tuple[Total, list[Result]]:
        number = state.count + 1
        return Total(number), [Result(message.payload.id, str(number))] * (number % 2) * 2

    runner = run(runner_of(Keyed(every_second)), items("a", "a", "a"))
    assert texts(runner) == {"a": ["1", "1", "3", "3"]}
    assert runner.ledger is not None
    assert runner.ledger.total("filtered") == 1


def test_the_outputs_may_be_generated() -> None:
    def generated(state: Total, message: Message[Item]) -> tuple[Total, Iterator[Result]]:
        return state, (Result(message.payload.id, str(n)) for n in range(2))

    assert texts(run(runner_of(Keyed(generated)), items("a"))) == {"a": ["0", "1"]}


def test_state_none_drops_the_key() -> None:
    def until_three(state: Total, message: Message[Item]) -> tuple[Total | None, list[Result]]:
        number = state.count + 1
        return (None if number == 3 else Total(number)), [Result(message.payload.id, str(number))]

    runner = run(runner_of(Keyed(until_three)), items(*"aaaaabb"))
    assert texts(runner) == {"a": ["1", "2", "3", "1", "2"], "b": ["1", "2"]}


def test_a_failure_leaves_the_state_as_it_was() -> None:
    def picky(state: Total, message: Message[Item]) -> tuple[Total, list[Result]]:
        if message.payload.value == 1:
            raise DomainError("not this one")
        return count(state, message)

    given = [Item("a", 0), Item("a", 1), Item("a", 2), Item("b", 1), Item("b", 0)]
    runner = run(runner_of(Keyed(picky)), given)
    assert texts(runner) == {"a": ["1", "2"], "b": ["1"]}
    assert len(runner.errors[ErrorKind.BUSINESS]) == 2


class Fill(StatefulStep[Item, Result, Basket]):
    """Changes its state in place, before it fails."""

    def key(self, message: Message[Item]) -> str:
        return "all"

    def initial(self) -> Basket:
        return Basket()

    def execute(self, state: Basket, message: Message[Item]) -> tuple[Any, Any]:
        item = message.payload
        state.goods.append(item.id)
        state.worth[item.id] = item.value
        if item.id == "raise":
            raise ValueError("after the change")
        if item.id == "no outputs":
            return state, None
        if item.id == "no state":
            return "state", []
        if item.id == "no pair":
            return state  # type: ignore[return-value]
        if item.id == "unkept":
            state.worth["unkept"] = object()  # type: ignore[assignment]
        return state, [Result(item.id, ",".join([*state.goods, *state.worth]))]


@pytest.mark.parametrize("bad", ["raise", "no outputs", "no state", "no pair", "unkept"])
def test_a_failure_leaves_the_state_as_it_was_even_when_it_was_changed_in_place(bad: str) -> None:
    runner = run(runner_of(Fill), items("a", bad, "b", bad, "c"))
    assert [m.payload.text for m in runner.output] == ["a,a", "a,b,a,b", "a,b,c,a,b,c"]
    assert len(runner.errors[ErrorKind.TASK]) == 2


def test_a_first_record_that_fails_leaves_no_state() -> None:
    runner = run(runner_of(Fill), items("raise", "a"))
    assert [m.payload.text for m in runner.output] == ["a,a"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (("state", []), "returned a str as state; it must return a Total, or None to drop"),
        ((Basket(), []), "returned a Basket as state"),
        (Total(), "returned a Total; it must return (state, iterable of outputs)"),
        (None, "returned a NoneType; it must return (state, iterable of outputs)"),
        ((Total(), [], []), "returned a tuple; it must return (state, iterable of outputs)"),
        ((Total(), None), "returned None; it must return an iterable"),
        ((Total(), Result("a")), "returned a Result; it must return an iterable"),
        ((Total(), [None]), "returned None; it must return a LoomStruct"),
        ((Total(count=1 + 2j), []), "the state cannot be kept"),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_answer_is_a_task_error(answer: Any, said: str) -> None:
    runner = run(runner_of(Keyed(lambda state, message: answer)), items("a"))
    assert runner.output == []
    (envelope,) = runner.errors[ErrorKind.TASK]
    assert said in envelope.reason
    assert envelope.node == "Keyed"


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (7, "key returned a int; it must return a str"),
        (None, "key returned a NoneType"),
        (b"a", "key returned a bytes"),
        ("lone \udc80", "surrogates not allowed"),
    ],
)
def test_a_key_that_is_no_text_is_a_task_error(key: Any, said: str) -> None:
    runner = run(runner_of(Keyed(count, lambda message: key)), items("a"))
    assert runner.output == []
    assert said in runner.errors[ErrorKind.TASK][0].reason


def test_a_key_that_cannot_be_computed_fails_its_record_only() -> None:
    def key_of(message: Message[Item]) -> str:
        if message.payload.id == "bad":
            raise DomainError("no key")
        return message.payload.id

    runner = run(runner_of(Keyed(count, key_of)), items("a", "bad", "a"))
    assert texts(runner) == {"a": ["1", "2"]}
    assert [e.reason for e in runner.errors[ErrorKind.BUSINESS]] == ["no key"]


def test_any_text_is_a_key() -> None:
    class Colour(StrEnum):
        RED = "red"

    keys = iter(["", "é" * 1_000, "a\x00b", Colour.RED, "red", ":", "in:0"])
    runner = run(runner_of(Keyed(count, lambda message: next(keys))), items(*"abcdefg"))
    got = sorted((m.payload.id, m.payload.text) for m in runner.output)
    assert got == [(each, "2" if each == "e" else "1") for each in "abcdefg"]


def test_an_initial_state_that_cannot_be_made_is_a_task_error() -> None:
    class NoStart(Sum):
        def initial(self) -> Total:
            raise KeyError("settings")

    runner = run(runner_of(NoStart), items("a", "b"))
    assert len(runner.errors[ErrorKind.TASK]) == 2


def test_outputs_keep_the_metadata_of_their_record() -> None:
    given = [at(n, Item("a"), key=f"k{n}", topic="in", partition=0, offset=n) for n in range(3)]
    runner = run(runner_of(Keyed(count)), given)
    assert [(m.meta.key, m.meta.offset) for m in runner.output] == [("k0", 0), ("k1", 1), ("k2", 2)]


def test_a_message_as_output_keeps_the_place_of_its_record() -> None:
    def own(state: Total, message: Message[Item]) -> Any:
        return state, [Message(payload=Result("x"), meta=MessageMeta(message_id="own"))]

    given = [at(1, Item("a"), topic="in", partition=3, offset=9)]
    (message,) = run(runner_of(Keyed(own)), given).output
    assert (message.meta.message_id, message.meta.partition, message.meta.offset) == ("own", 3, 9)


def test_steps_before_and_after_it() -> None:
    class Twice(ExpandStep[Any, Any]):
        def execute(self, message: Message[Any]) -> list[Any]:
            return [message.payload, message.payload]

    runner = run(runner_of(Twice, Sum, Twice, Upper), [Item("a", 1), Item("b", 2)])
    assert sorted(ids(runner)) == ["A"] * 4 + ["B"] * 4


def test_two_of_them_keep_their_states_apart() -> None:
    runner = run(runner_of(Keyed(count), Keyed(count), IntoTopic("x"), output=False), items(*"aab"))
    assert texts(runner) == {"a": ["1", "2"], "b": ["1"]}


T = TypeVar("T")


class Box(LoomFrozenStruct, Generic[T], frozen=True):
    """Generic state."""

    inside: T


def test_state_may_be_of_a_generic_struct() -> None:
    class Boxed(StatefulStep[Item, Result, Box[int]]):
        def key(self, message: Message[Item]) -> str:
            return message.payload.id

        def initial(self) -> Box[int]:
            return Box(0)

        def execute(self, state: Box[int], message: Message[Item]) -> Any:
            return Box(state.inside + 1), [Result(message.payload.id, str(state.inside + 1))]

    assert texts(run(runner_of(Boxed), items("a", "a"))) == {"a": ["1", "2"]}


@pytest.mark.parametrize(
    "known",
    [
        Total(4, 40),
        {"count": 4, "total": 40},
        encode_state(Total(4, 40), "some.Total"),
    ],
    ids=["a value", "plain data", "stored bytes"],
)
def test_a_key_may_begin_with_a_state(known: Any) -> None:
    runner = runner_of(Sum)
    runner.with_payloads([Item("a", 1), Item("b", 1), Item("a", 2)]).with_state("Sum", "a", known)
    runner.run()
    assert texts(runner) == {"a": ["5:41", "6:43"], "b": ["1:1"]}
    # Every run begins with it, until it is forgotten.
    runner.run()
    assert texts(runner)["a"] == ["5:41", "6:43"] * 2
    run(runner.reset(), items("a"))
    assert texts(runner) == {"a": ["1:0"]}


def test_a_key_that_is_dropped_does_not_begin_with_its_state_again() -> None:
    def until_three(state: Total, message: Message[Item]) -> tuple[Total | None, list[Result]]:
        number = state.count + 1
        return (None if number == 3 else Total(number)), [Result(message.payload.id, str(number))]

    runner = runner_of(Keyed(until_three)).with_state("Keyed", "a", Total(1))
    runner.with_payloads([Item("a"), Item("a"), Item("b"), Item("a")])
    runner.run()
    assert texts(runner) == {"a": ["2", "3", "1"], "b": ["1"]}


@pytest.mark.parametrize(
    ("step", "state", "told"),
    [
        ("Pass", Total(), "no stateful step 'Pass'"),
        ("Total", Total(), "no stateful step 'Total'"),
        ("Sum", Basket(), "no state of type"),
        ("Sum", {"count": "four"}, "Expected `int`"),
        ("Sum", b"\xff", "no state of type"),
        ("Sum", encode_state(Basket(), "Basket"), "goods"),
    ],
)
def test_a_state_that_no_step_keeps_is_refused(step: str, state: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        runner_of(Sum, Pass).with_state(step, "a", state)
