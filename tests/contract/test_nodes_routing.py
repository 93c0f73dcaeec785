"""Contract, authoring rows that need the engine: choosing, copying, expanding, expressions."""

from __future__ import annotations

from typing import Any, ClassVar

from loom_runtime import (
    Broadcast,
    BroadcastRoute,
    Drain,
    ErrorKind,
    ExpandRoutes,
    Explode,
    Fork,
    ForkRoute,
    IntoTopic,
    LoomFrozenStruct,
    Message,
    PayloadExpander,
    Process,
    RecordStep,
    Route,
    Router,
    msg,
    payload,
)
from tests.nodes.running import Item, Result, at, config_of, ids, items, run, runner_of


class Tag(RecordStep[Any, Result]):
    def __init__(self, tag: str) -> None:
        self.tag = tag

    def execute(self, message: Message[Any]) -> Result:
        return Result(message.payload.id, self.tag)


class Line(LoomFrozenStruct, frozen=True):
    id: str


class Tax(LoomFrozenStruct, frozen=True):
    id: str


class Rows(PayloadExpander[Item]):
    outputs: ClassVar[tuple[type, ...]] = (Line, Tax)

    @classmethod
    def expand(cls, event: Item) -> dict[type, list[Any]]:
        return {Line: [Line(f"{event.id}1"), Line(f"{event.id}2")], Tax: [Tax(event.id)]}


class ByType:
    def select(self, message: Message[Any]) -> object:
        return type(message.payload)


class IsB:
    def matches(self, message: Message[Item]) -> bool:
        return message.payload.id == "b"


def tags(*nodes: Any, given: Any, **options: Any) -> list[tuple[str, str]]:
    runner = run(runner_of(*nodes, **options), given)
    return [(m.payload.id, getattr(m.payload, "text", "")) for m in runner.output]


def test_router_by_takes_one_branch_per_record_in_place() -> None:
    router: Router[Any, Any] = Router.by(
        payload.id, {"a": Process(Tag("A")), "b": Process(Tag("B"))}, default=Process(Tag("-"))
    )
    assert tags(router, given=items(*"acb")) == [("a", "A"), ("c", "-"), ("b", "B")]


def test_router_when_takes_the_first_condition_that_holds() -> None:
    router: Router[Any, Any] = Router.when(
        [Route(payload.value > 1, Process(Tag("large"))), Route(IsB(), Process(Tag("b")))],
        default=Process(Tag("-")),
    )
    assert tags(router, given=items(*"abc")) == [("a", "-"), ("b", "b"), ("c", "large")]


def test_router_branches_may_end_in_a_terminal_and_records_continue_after_it_in_order() -> None:
    routes: dict[Any, Process[Any, Any]] = {"x": Process(IntoTopic("x")), "d": Process(Drain())}
    got = tags(Router.by(payload.id, routes), Tag("after"), given=items(*"axbdc"))
    assert [each for each in got if each[1]] == [("a", "after"), ("b", "after"), ("c", "after")]
    assert ("x", "") in got


def test_router_passes_records_through_that_no_branch_claims() -> None:
    routes: dict[Any, Process[Any, Any]] = {"a": Process(Tag("A"))}
    assert tags(Router.by(payload.id, routes), given=items("a", "b")) == [("a", "A"), ("b", "")]


def test_fork_splits_into_full_processes() -> None:
    fork: Fork[Any] = Fork.when(
        [ForkRoute(payload.value > 0, Process(Tag("some"), IntoTopic("x")))],
        default=Process(Tag("none"), IntoTopic("y")),
    )
    assert sorted(tags(fork, given=items("a", "b"), output=False)) == [("a", "none"), ("b", "some")]


def test_fork_without_default_filters_unmatched_records_at_most_once() -> None:
    fork: Fork[Any] = Fork.by(payload.id, {"a": Process(IntoTopic("x"))})
    config = config_of(delivery="at_most_once")
    assert tags(fork, given=items("a", "b"), output=False, config=config) == [("a", "")]


def test_broadcast_gives_every_branch_every_record() -> None:
    broadcast: Broadcast[Any] = Broadcast(
        BroadcastRoute(process=Process(Tag("one")), output=IntoTopic("x")),
        BroadcastRoute(process=Process(Tag("two"), IntoTopic("y"))),
    )
    assert sorted(tags(broadcast, given=items("a", "b"), output=False)) == [
        ("a", "one"),
        ("a", "two"),
        ("b", "one"),
        ("b", "two"),
    ]


def test_explode_gives_typed_rows_to_the_router_after_it() -> None:
    routes: dict[Any, Process[Any, Any]] = {Line: Process(Tag("line")), Tax: Process(Tag("tax"))}
    got = tags(Explode(Rows), Router.by(ByType(), routes), given=items("a"))
    assert got == [("a1", "line"), ("a2", "line"), ("a", "tax")]


def test_expand_routes_gives_each_type_to_its_own_process() -> None:
    node = ExpandRoutes(
        expander=Rows,
        routes={Line: Process(Tag("line"), IntoTopic("x"))},
        default=Process(Tag("rest"), IntoTopic("y")),
    )
    assert sorted(tags(node, given=items("a"), output=False)) == [
        ("a", "rest"),
        ("a1", "line"),
        ("a2", "line"),
    ]


def test_expressions_of_msg_and_payload_route_records() -> None:
    conditions = {
        "gt": payload.value > 5,
        "key": msg.meta.key == b"x",
        "and": (payload.value == 3) & (payload.id == "a"),
        "or": (payload.value == 1) | (payload.id == "o"),
        "in": payload.id.in_(["i", "j"]),
        "between": payload.value.between(2, 2),
        "item": msg.meta.headers["kind"] == b"h",
    }
    router: Router[Any, Any] = Router.when(
        [Route(condition, Process(Tag(name))) for name, condition in conditions.items()]
    )
    given = [
        Item("z", 6),
        at(1, Item("z"), key=b"x"),
        Item("a", 3),
        Item("z", 1),
        Item("o", 0),
        Item("i", 0),
        Item("z", 2),
        at(1, Item("z"), headers={"kind": b"h"}),
        at(1, Item("z", 4), headers={"kind": b"?"}),
    ]
    assert [text for _, text in tags(router, given=given)] == [
        "gt",
        "key",
        "and",
        "or",
        "or",
        "in",
        "between",
        "item",
        "",
    ]


def test_a_negated_expression_routes_the_others() -> None:
    router: Router[Any, Any] = Router.when([Route(~(payload.id == "a"), Process(Tag("not a")))])
    assert tags(router, given=items("a", "b")) == [("a", ""), ("b", "not a")]


def test_selector_and_predicate_that_raise_are_routing_errors() -> None:
    class Broken:
        def select(self, message: Message[Item]) -> object:
            raise LookupError("no choice")

        def matches(self, message: Message[Item]) -> bool:
            raise LookupError("no choice")

    for router in (
        Router.by(Broken(), {1: Process(Tag("x"))}),
        Router.when([Route(Broken(), Process(Tag("x")))]),
    ):
        runner = run(runner_of(router), items("a"))
        assert ids(runner) == []
        assert [e.reason for e in runner.errors[ErrorKind.ROUTING]] == ["no choice"]
