"""Where nodes may stand: Router branches, scopes, and what is no node at all."""

from __future__ import annotations

from typing import Any

import pytest

from loom_runtime import (
    CollectBatch,
    Configurable,
    Drain,
    Explode,
    ForEach,
    Fork,
    IntoTopic,
    IssueCode,
    Process,
    ProcessNode,
    Router,
    StreamFlow,
    With,
    WithAsync,
    payload,
)
from tests.compiler.samples import flow_of, issues_of, refused
from tests.compiler.typed_flow import (
    Lines,
    Priced,
    Rates,
    RowType,
    RunningTotal,
    Saved,
    Taxed,
    Unrolled,
    Valid,
)

COLLECT = CollectBatch(max_records=2, timeout_ms=10)
TO_X: IntoTopic[Priced] = IntoTopic("x", payload=Priced)


def in_router(*nodes: ProcessNode) -> list[IssueCode]:
    return refused(Router.by(payload.id, {"a": Process(*nodes)}))


def in_with(*nodes: ProcessNode) -> list[IssueCode]:
    return refused(With(process=Process(*nodes), rates=Rates()))


def in_with_async(*nodes: ProcessNode) -> list[IssueCode]:
    return refused(WithAsync(process=Process(*nodes), rates=Rates()))


@pytest.mark.parametrize("nodes", [(COLLECT, ForEach()), (RunningTotal,)])
def test_nodes_that_hold_records_are_unsafe_in_a_router_branch(
    nodes: tuple[ProcessNode, ...],
) -> None:
    assert IssueCode.UNSAFE_IN_ROUTER in in_router(*nodes)


@pytest.mark.parametrize(
    "node",
    [
        Valid,
        Saved,
        Unrolled,
        TO_X,
        Drain(),
        Router.by(payload.id, {"b": Process(Valid)}),
        With(process=Process(Taxed), rates=Rates()),
        WithAsync(process=Process(Valid), rates=Rates()),
    ],
)
def test_nodes_that_take_one_record_at_a_time_are_safe_in_a_router_branch(
    node: ProcessNode,
) -> None:
    assert in_router(node) == []


@pytest.mark.parametrize("node", [COLLECT, RunningTotal])
def test_nodes_that_hold_records_are_unsafe_in_a_scope(node: ProcessNode) -> None:
    assert IssueCode.UNSAFE_IN_SCOPE in in_with(node)


@pytest.mark.parametrize(
    "node",
    [
        Saved,
        RunningTotal,
        COLLECT,
        With(process=Process(Valid)),
        Fork.by(payload.id, {"a": Process(TO_X)}, default=Process(Drain())),
    ],
)
def test_only_nodes_that_run_record_by_record_stand_in_with_async(node: ProcessNode) -> None:
    assert IssueCode.UNSAFE_IN_SCOPE in in_with_async(node)


@pytest.mark.parametrize(
    "node", [Valid, Taxed, TO_X, Drain(), Router.by(payload.id, {"a": Process(Valid, TO_X)})]
)
def test_record_nodes_routers_and_terminals_stand_in_with_async(node: ProcessNode) -> None:
    assert IssueCode.UNSAFE_IN_SCOPE not in in_with_async(node)


def test_an_explode_in_a_router_branch_needs_its_router_there() -> None:
    dispatch: Router[Any, Any] = Router.by(
        RowType(), {"any": Process(Valid)}, default=Process(Drain())
    )
    assert in_router(Explode(Lines)) == [IssueCode.EXPLODE_WITHOUT_ROUTER]
    assert in_router(Explode(Lines), dispatch) == []


def test_a_node_class_without_its_call_is_named() -> None:
    nodes: list[Any] = [Valid, ForEach]
    (issue,) = issues_of(flow_of(*nodes))
    assert issue.code is IssueCode.NOT_A_NODE
    assert issue.hint == "write ForEach(…)"


def test_a_node_class_without_its_call_does_not_make_its_neighbours_wrong() -> None:
    nodes: list[Any] = [CollectBatch, Saved, ForEach, Valid]
    assert refused(*nodes) == [IssueCode.NOT_A_NODE] * 2


class Client(Configurable):
    pass


@pytest.mark.parametrize("thing", [Client, Client(), Client.configure(), 7, lambda message: None])
def test_what_is_no_node_is_refused(thing: Any) -> None:
    issues = issues_of(flow_of(Valid, thing))
    assert [issue.code for issue in issues] == [IssueCode.NOT_A_NODE]


def test_a_flow_that_is_no_step_chain_still_names_every_bad_node() -> None:
    nodes: list[Any] = [1, Valid, 2.0]
    flow: StreamFlow[Any, Any] = flow_of(*nodes)
    assert [issue.component for issue in issues_of(flow)] == ["int", "float"]
