"""Router: one branch a record, and records go on after it in order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given as hypothesis_given
from hypothesis import settings
from hypothesis import strategies as st

from loom_runtime import (
    BatchExpandStep,
    BatchStep,
    CollectBatch,
    Drain,
    ErrorKind,
    ExpandStep,
    ForEach,
    IntoTopic,
    Message,
    Process,
    RecordStep,
    Route,
    Router,
    With,
    msg,
    payload,
)
from tests.nodes.running import Item, Pass, Result, Upper, at, ids, items, run, runner_of


class Tag(RecordStep[Any, Result]):
    """Says which branch a record took."""

    def __init__(self, tag: str) -> None:
        self.tag = tag

    def execute(self, message: Message[Any]) -> Result:
        return Result(message.payload.id, self.tag)


class Alone(BatchStep[Item, Result]):
    """Says how large its batch is."""

    def execute(self, messages: Sequence[Message[Item]]) -> list[Result]:
        return [Result(message.payload.id, f"of {len(messages)}") for message in messages]


class Copies(ExpandStep[Item, Item]):
    """Gives numbered items, as many as the value says."""

    def execute(self, message: Message[Item]) -> Iterable[Item]:
        return [Item(f"{message.payload.id}{n}", n) for n in range(message.payload.value)]


def tags(runner: Any) -> list[tuple[str, str]]:
    return [(m.payload.id, getattr(m.payload, "text", "unclaimed")) for m in runner.output]


BY_ID: dict[Any, Process[Any, Any]] = {"a": Process(Tag("A")), "b": Process(Tag("B"))}


def test_by_runs_the_branch_of_the_selected_key() -> None:
    router: Router[Any, Any] = Router.by(payload.id, BY_ID, default=Process(Tag("default")))
    runner = run(runner_of(router), items("a", "b", "c", "a"))
    assert tags(runner) == [("a", "A"), ("b", "B"), ("c", "default"), ("a", "A")]


def test_by_takes_a_hand_written_selector() -> None:
    class Parity:
        def select(self, message: Message[Item]) -> object:
            return message.payload.value % 2

    routes: dict[Any, Process[Any, Any]] = {0: Process(Tag("even")), 1: Process(Tag("odd"))}
    runner = run(runner_of(Router.by(Parity(), routes)), items("a", "b", "c"))
    assert tags(runner) == [("a", "even"), ("b", "odd"), ("c", "even")]


def test_when_runs_the_first_branch_whose_condition_holds() -> None:
    class IsC:
        def matches(self, message: Message[Item]) -> bool:
            return message.payload.id == "c"

    router: Router[Any, Any] = Router.when(
        [
            Route(payload.value > 3, Process(Tag("large"))),
            Route(IsC(), Process(Tag("c"))),
            Route((payload.value > 0) & (msg.meta.partition == 0), Process(Tag("some"))),
        ],
        default=Process(Tag("none")),
    )
    given = [Item("a", 0), Item("b", 1), Item("c", 2), Item("c", 4), Item("d", 9)]
    got = tags(run(runner_of(router), given))
    assert got == [("a", "none"), ("b", "some"), ("c", "c"), ("c", "large"), ("d", "large")]


@pytest.mark.parametrize(
    "router",
    [
        Router.by(payload.id, BY_ID),
        Router.when(
            [
                Route(payload.id == "a", Process(Tag("A"))),
                Route(payload.id == "b", Process(Tag("B"))),
            ]
        ),
    ],
)
def test_a_record_that_no_branch_claims_goes_on_as_it_is(router: Router[Any, Any]) -> None:
    runner = run(runner_of(router), items("x", "a", "y", "b"))
    assert tags(runner) == [("x", "unclaimed"), ("a", "A"), ("y", "unclaimed"), ("b", "B")]
    assert runner.output[0].payload == Item("x", 0)


def test_an_unclaimed_record_reaches_what_follows_the_router() -> None:
    routes: dict[Any, Process[Any, Any]] = {"a": Process(IntoTopic("aside"))}
    runner = run(runner_of(Router.by(payload.id, routes), Upper), items("x", "a", "y"))
    assert sorted(ids(runner)) == ["X", "Y", "a"]


def test_an_unclaimed_record_where_nothing_follows_is_a_routing_error() -> None:
    routes: dict[Any, Process[Any, Any]] = {"a": Process(IntoTopic("aside"))}
    runner = run(runner_of(Router.by(payload.id, routes), output=False), items("x", "a"))
    assert ids(runner) == ["a"]
    (envelope,) = runner.errors[ErrorKind.ROUTING]
    assert envelope.original_message is not None
    assert envelope.original_message.payload.id == "x"
    assert "nothing follows it; the routes are a" in envelope.reason


def test_branches_may_end_in_a_terminal() -> None:
    routes: dict[Any, Process[Any, Any]] = {
        "a": Process(Tag("topic"), IntoTopic("aside", payload=Result)),
        "b": Process(Drain()),
    }
    router: Router[Any, Any] = Router.by(payload.id, routes, default=Process(Tag("default")))
    runner = run(runner_of(router, Pass), items("a", "b", "c"))
    assert sorted(tags(runner)) == [("a", "topic"), ("c", "default")]
    assert runner.ledger is not None
    assert (runner.ledger.total("filtered"), runner.ledger.total("written")) == (1, 2)


def test_records_keep_their_order_after_it() -> None:
    routes: dict[Any, Process[Any, Any]] = {
        0: Process(Tag("0")),
        1: Process(Tag("1a"), Tag("1b")),
        2: Process(Copies),
    }
    router: Router[Any, Any] = Router.by(payload.value, routes, default=Process(Pass))
    given = [Item(f"i{n:03d}", n % 4) for n in range(200)]
    expected = [
        each
        for item in given
        for each in ([f"{item.id}0", f"{item.id}1"] if item.value == 2 else [item.id])
    ]
    assert ids(run(runner_of(router), given)) == expected


def test_records_keep_their_order_after_a_fan_out_too() -> None:
    routes: dict[Any, Process[Any, Any]] = {0: Process(Tag("0")), 2: Process(Tag("2"))}
    runner = run(runner_of(Copies, Router.by(payload.value, routes)), [Item("a", 4), Item("b", 3)])
    assert tags(runner) == [
        ("a0", "0"),
        ("a1", "unclaimed"),
        ("a2", "2"),
        ("a3", "unclaimed"),
        ("b0", "0"),
        ("b1", "unclaimed"),
        ("b2", "2"),
    ]


@settings(max_examples=40, deadline=None)
@hypothesis_given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=30), st.booleans()
)
def test_any_records_through_any_branches_come_out_in_order(
    shapes: list[tuple[int, int]], fanned: bool
) -> None:
    """Branch 0 and 1 pass, 2 doubles, 3 is unclaimed."""

    class Double(ExpandStep[Item, Item]):
        def execute(self, message: Message[Item]) -> list[Item]:
            return [message.payload, message.payload]

    class Fan(ExpandStep[Item, Item]):
        def execute(self, message: Message[Item]) -> list[Item]:
            return [Item(message.payload.id, (message.payload.value + n) % 4) for n in range(2)]

    given = [Item(f"{n}", branch) for n, (branch, _) in enumerate(shapes)]
    routes: dict[Any, Process[Any, Any]] = {
        0: Process(Pass),
        1: Process(Pass, Pass),
        2: Process(Double),
    }
    nodes = [Fan] if fanned else []
    runner = run(runner_of(*nodes, Router.by(payload.value, routes)), given)
    routed = [
        Item(each.id, (each.value + n) % 4) for each in given for n in range(2 if fanned else 1)
    ]
    assert [m.payload for m in runner.output] == [
        each for each in routed for _ in range(2 if each.value == 2 else 1)
    ]


def test_a_batch_step_in_a_branch_runs_on_a_batch_of_one() -> None:
    class AloneExpand(BatchExpandStep[Item, Result]):
        def execute(self, messages: Sequence[Message[Item]]) -> list[list[Result]]:
            return [[Result(m.payload.id, f"of {len(messages)}")] * 2 for m in messages]

    routes: dict[Any, Process[Any, Any]] = {"a": Process(Alone), "b": Process(AloneExpand)}
    runner = run(runner_of(Router.by(payload.id, routes)), items("a", "a", "b", "a"))
    assert tags(runner) == [
        ("a", "of 1"),
        ("a", "of 1"),
        ("b", "of 1"),
        ("b", "of 1"),
        ("a", "of 1"),
    ]


def test_a_batch_step_under_a_with_in_a_branch_runs_on_a_batch_of_one() -> None:
    scope: With[Any, Any] = With(process=Process(Alone), tool=1)
    routes: dict[Any, Process[Any, Any]] = {"a": Process(scope)}
    assert tags(run(runner_of(Router.by(payload.id, routes)), items("a", "a"))) == [
        ("a", "of 1"),
        ("a", "of 1"),
    ]


def test_a_batch_step_in_a_branch_fails_its_own_record_only() -> None:
    class Picky(BatchStep[Item, Item]):
        def execute(self, messages: Sequence[Message[Item]]) -> list[Item]:
            if messages[0].payload.value == 1:
                raise ValueError("not this one")
            return [message.payload for message in messages]

    routes: dict[Any, Process[Any, Any]] = {"a": Process(Picky)}
    runner = run(runner_of(Router.by(payload.id, routes)), [Item("a", n) for n in range(3)])
    assert [m.payload.value for m in runner.output] == [0, 2]
    assert len(runner.errors[ErrorKind.TASK]) == 1


def test_routers_nest() -> None:
    inner: Router[Any, Any] = Router.when([Route(payload.value > 1, Process(Tag("large")))])
    routes: dict[Any, Process[Any, Any]] = {"a": Process(inner)}
    runner = run(
        runner_of(Router.by(payload.id, routes, default=Process(Tag("other")))),
        [Item("a", 1), Item("b", 1), Item("a", 2)],
    )
    assert tags(runner) == [("a", "unclaimed"), ("b", "other"), ("a", "large")]


def test_a_selector_or_condition_that_raises_is_a_routing_error() -> None:
    class Broken:
        def select(self, message: Message[Item]) -> object:
            return {"a": 1}[message.payload.id]

        def matches(self, message: Message[Item]) -> bool:
            return bool(self.select(message))

    routes: dict[Any, Process[Any, Any]] = {1: Process(Tag("one"))}
    for router in (
        Router.by(Broken(), routes),
        Router.when([Route(Broken(), Process(Tag("one")))]),
        Router.by(payload.missing, routes, default=Process(Pass)),
    ):
        runner = run(runner_of(router), items("bad"))
        assert runner.output == []
        (envelope,) = runner.errors[ErrorKind.ROUTING]
        assert envelope.node == "Router"


def test_a_key_that_cannot_be_looked_up_is_a_routing_error() -> None:
    class Lists:
        def select(self, message: Message[Item]) -> object:
            return [message.payload.id]

    runner = run(runner_of(Router.by(Lists(), BY_ID)), items("a"))
    assert len(runner.errors[ErrorKind.ROUTING]) == 1


def test_a_failure_in_a_branch_is_the_steps_own() -> None:
    class Bad(RecordStep[Item, Item]):
        name = "bad step"

        def execute(self, message: Message[Item]) -> Item:
            raise ValueError("in the branch")

    routes: dict[Any, Process[Any, Any]] = {"a": Process(Bad)}
    runner = run(runner_of(Router.by(payload.id, routes)), items("a", "b"))
    assert ids(runner) == ["b"]
    (envelope,) = runner.errors[ErrorKind.TASK]
    assert (envelope.node, envelope.node_path) == ("bad step", (0, 0, 0))


def test_a_router_works_on_records_that_left_a_batch() -> None:
    collect = CollectBatch(max_records=2, timeout_ms=60_000)
    runner = run(runner_of(collect, ForEach(), Router.by(payload.id, BY_ID)), items("a", "x", "b"))
    assert tags(runner) == [("a", "A"), ("x", "unclaimed"), ("b", "B")]


def test_expressions_route_by_metadata() -> None:
    router: Router[Any, Any] = Router.when(
        [
            Route(msg.meta.key == b"vip", Process(Tag("vip"))),
            Route(msg.meta.produced_at_ms.between(10, 20), Process(Tag("then"))),
            Route(~payload.id.in_(("15", "30")), Process(Tag("not in"))),
        ]
    )
    given = [at(1, key=b"vip"), at(15), at(30), at(40)]
    assert tags(run(runner_of(router), given)) == [
        ("1", "vip"),
        ("15", "then"),
        ("30", "unclaimed"),
        ("40", "not in"),
    ]
