"""Explode and ExpandRoutes: one event becomes typed rows."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from loom_runtime import (
    DomainError,
    Drain,
    ErrorKind,
    ExpandRoutes,
    Explode,
    IntoTopic,
    LoomFrozenStruct,
    Message,
    Process,
    Router,
    msg,
)
from tests.nodes.running import Item, Pass, Result, Upper, at, ids, items, run, runner_of


class Line(LoomFrozenStruct, frozen=True):
    __loom_message_type__: ClassVar[str] = "shop.line"

    id: str


class Tax(LoomFrozenStruct, frozen=True):
    id: str


class SpecialTax(Tax, frozen=True):
    rate: int = 7


class Rows:
    """Two lines and a tax; ``none`` has no rows, ``bad`` is refused."""

    outputs: ClassVar[tuple[type, ...]] = (Line, Tax)

    @classmethod
    def expand(cls, event: Item) -> dict[type, list[Any]]:
        if event.id == "bad":
            raise DomainError("no such article")
        if event.id == "none":
            return {Line: [], Tax: []}
        return {Line: [Line(f"{event.id}1"), Line(f"{event.id}2")], Tax: [SpecialTax(event.id)]}


class ByType:
    def select(self, message: Message[Any]) -> object:
        return type(message.payload)


def answering(answer: Any) -> Any:
    class Answer:
        outputs: ClassVar[tuple[type, ...]] = (Line,)

        @classmethod
        def expand(cls, event: Item) -> Any:
            return answer

    return Answer


LINES: Process[Any, Any] = Process(Pass, IntoTopic("lines", payload=Line))
TAXES: Process[Any, Any] = Process(Pass, IntoTopic("taxes", payload=Tax))


def test_explode_gives_the_rows_of_each_event_in_order() -> None:
    router: Router[Any, Any] = Router.by(
        msg.meta.message_type, {"shop.line": Process(Pass), Tax.loom_message_type(): Process(Pass)}
    )
    runner = run(runner_of(Explode(Rows), router), items("a", "none", "b"))
    assert ids(runner) == ["a1", "a2", "a", "b1", "b2", "b"]
    assert runner.ledger is not None
    assert runner.ledger.total("filtered") == 1


def test_explode_rows_are_routed_by_their_type() -> None:
    routes: dict[Any, Process[Any, Any]] = {Line: LINES, Tax: TAXES}
    router: Router[Any, Any] = Router.by(ByType(), routes, default=Process(Drain()))
    runner = run(runner_of(Explode(Rows), router, output=False), items("a"))
    assert ids(runner) == ["a1", "a2"]


def test_explode_rows_carry_their_own_message_type_and_the_rest_of_their_events_metadata() -> None:
    event = at(9, Item("a"), topic="in", offset=4, key=b"k", message_type="shop.Item")
    router: Router[Any, Any] = Router.by(ByType(), {Line: Process(Pass)}, default=Process(Pass))
    line, _, tax = run(runner_of(Explode(Rows), router), [event]).output
    assert (line.meta.message_type, line.meta.message_version) == ("shop.line", None)
    assert tax.meta.message_type == Tax.loom_message_type()
    assert (line.meta.offset, line.meta.key, line.meta.produced_at_ms) == (4, b"k", 9)


def test_an_event_whose_rows_cannot_be_made_fails_as_a_whole() -> None:
    router: Router[Any, Any] = Router.by(ByType(), {Line: Process(Pass)}, default=Process(Pass))
    runner = run(runner_of(Explode(Rows), router), items("a", "bad"))
    assert len(runner.output) == 3
    (envelope,) = runner.errors[ErrorKind.BUSINESS]
    assert envelope.original_message is not None
    assert envelope.original_message.payload.id == "bad"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, "expand returned None; it must return a dict"),
        ([Line("a")], "expand returned a list"),
        ({Line: Line("a")}, "expand gave a Line under Line"),
        ({Line: None}, "expand gave None under Line"),
        ({Line: [Tax("a")]}, "expand gave a Tax under Line"),
        ({"Line": [Line("a")]}, "under 'Line', which is no type"),
        ({dict: [{"id": "a"}]}, "expand gave a dict under dict"),
    ],
)
def test_an_expander_that_answers_anything_else_is_a_task_error(answer: Any, said: str) -> None:
    exploding = runner_of(Explode(answering(answer)), Router.by(ByType(), {Line: Process(Pass)}))
    routing = runner_of(
        ExpandRoutes(expander=answering(answer), routes={Line: LINES}), output=False
    )
    for runner in (exploding, routing):
        run(runner, items("a"))
        assert runner.output == []
        assert said in runner.errors[ErrorKind.TASK][0].reason


def test_expand_routes_sends_each_type_to_its_process_even_when_rows_are_of_a_subtype() -> None:
    node = ExpandRoutes(expander=Rows, routes={Line: LINES, Tax: TAXES})
    runner = run(runner_of(node, output=False), items("a", "none"))
    assert sorted(ids(runner)) == ["a", "a1", "a2"]
    assert runner.ledger is not None
    assert (runner.ledger.total("written"), runner.ledger.total("filtered")) == (1, 1)


def test_expand_routes_default_takes_the_other_types() -> None:
    node = ExpandRoutes(
        expander=Rows, routes={Tax: TAXES}, default=Process(Upper, IntoTopic("rest"))
    )
    runner = run(runner_of(node, output=False), items("a"))
    assert sorted(ids(runner)) == ["A1", "A2", "a"]


def test_expand_routes_calls_its_expander_once_an_event() -> None:
    calls: list[str] = []

    class Counting:
        outputs: ClassVar[tuple[type, ...]] = (Line, Tax)

        @classmethod
        def expand(cls, event: Item) -> dict[type, list[Any]]:
            calls.append(event.id)
            return {Line: [Line("1")], Tax: [Tax("2")]}

    node = ExpandRoutes(expander=Counting, routes={Line: LINES, Tax: TAXES})
    run(runner_of(node, output=False), items("a", "b"))
    assert calls == ["a", "b"]


def test_expand_routes_rows_of_a_type_that_was_not_declared_are_a_routing_error() -> None:
    undeclared = answering({Line: [Line("a")], Result: [Result("x")]})
    node = ExpandRoutes(expander=undeclared, routes={Line: LINES})
    runner = run(runner_of(node, output=False), items("a"))
    assert ids(runner) == ["a"]
    (envelope,) = runner.errors[ErrorKind.ROUTING]
    assert "no route for rows of Result" in envelope.reason
