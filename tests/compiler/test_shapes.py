"""Shapes: what goes into a node, what comes out, and where a path may end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from loom_runtime import (
    BatchStep,
    Broadcast,
    BroadcastRoute,
    CollectBatch,
    Drain,
    ForEach,
    Fork,
    ForkRoute,
    IntoTopic,
    IssueCode,
    Message,
    NodeKind,
    Process,
    ProcessNode,
    Route,
    Router,
    StreamShape,
    With,
    WithAsync,
    payload,
)
from tests.compiler.samples import plan_of, refused
from tests.compiler.typed_flow import (
    Priced,
    Rates,
    RunningTotal,
    Saved,
    Taxed,
    TaxedRemotely,
    Unrolled,
    Valid,
)

RECORD, BATCH, NONE = StreamShape.RECORD, StreamShape.BATCH, StreamShape.NONE
COLLECT = CollectBatch(max_records=2, timeout_ms=10)
TO_X: IntoTopic[Priced] = IntoTopic("x", payload=Priced)
ENDS: Process[Priced, Priced] = Process(TO_X)


def shapes(*nodes: ProcessNode, output: IntoTopic[Priced] | None = None) -> list[StreamShape]:
    """Return the shape before every top-level node, and the one after the last."""
    plan = plan_of(*nodes, **({} if output is None else {"output": output}))
    return [node.input_shape for node in plan.process] + [plan.process[-1].output_shape]


def test_records_batches_and_records_again() -> None:
    assert shapes(Valid, COLLECT, Saved, ForEach(), RunningTotal, COLLECT, Unrolled) == [
        RECORD,
        RECORD,
        BATCH,
        BATCH,
        RECORD,
        RECORD,
        BATCH,
        RECORD,
    ]


def test_a_batch_step_refuses_records() -> None:
    assert refused(Saved, ForEach()) == [IssueCode.SHAPE_MISMATCH]


def test_a_record_step_refuses_batches() -> None:
    assert refused(COLLECT, Valid) == [IssueCode.SHAPE_MISMATCH]


@pytest.mark.parametrize(
    "node", [COLLECT, Router.by(payload.id, {"a": ENDS}), TO_X, Drain(), RunningTotal]
)
def test_nodes_that_take_records_refuse_batches(node: ProcessNode) -> None:
    assert IssueCode.SHAPE_MISMATCH in refused(COLLECT, node)


def test_an_output_refuses_batches() -> None:
    assert refused(COLLECT, Saved) == [IssueCode.SHAPE_MISMATCH]


def test_a_shape_mismatch_is_reported_once_and_not_again_downstream() -> None:
    assert refused(Saved, Saved, ForEach(), Valid) == [IssueCode.SHAPE_MISMATCH]


def test_with_passes_on_the_shape_that_comes_in() -> None:
    scope: With[Any, Any] = With(process=Process(Saved), rates=Rates())
    assert shapes(COLLECT, scope, ForEach()) == [RECORD, BATCH, BATCH, RECORD]


def test_with_gives_what_its_inner_process_gives() -> None:
    assert shapes(COLLECT, With(process=Process(Unrolled), rates=Rates()))[-1] is RECORD


def test_with_ends_the_path_when_its_inner_process_does() -> None:
    plan = plan_of(With(process=Process(Taxed, TO_X), rates=Rates()), output=None)
    assert plan.process[0].output_shape is NONE
    assert list(plan.terminal_sinks) == [(0, 0, 1)]


def test_nothing_follows_a_scope_that_ends_the_path() -> None:
    scope: With[Any, Any] = With(process=Process(Taxed, Drain()), rates=Rates())
    assert refused(scope, Valid) == [IssueCode.NODE_AFTER_TERMINAL]


def test_with_async_takes_records_only() -> None:
    scope: WithAsync[Any, Any] = WithAsync(process=Process(TaxedRemotely), rates=Rates())
    assert refused(COLLECT, scope) == [IssueCode.SHAPE_MISMATCH]


def test_a_router_goes_on_when_one_branch_does() -> None:
    router: Router[Any, Any] = Router.by(
        payload.id, {"a": ENDS, "b": Process(Valid)}, default=Process(Drain())
    )
    assert shapes(router)[-1] is RECORD


def test_a_router_ends_the_path_when_every_branch_does() -> None:
    router: Router[Any, Any] = Router.by(payload.id, {"a": ENDS}, default=Process(Drain()))
    assert plan_of(router, output=None).process[0].output_shape is NONE
    assert refused(router, Valid) == [IssueCode.NODE_AFTER_TERMINAL]
    assert refused(router) == [IssueCode.OUTPUT_BESIDE_TERMINAL]


def test_a_router_without_default_may_have_all_its_branches_end() -> None:
    router: Router[Any, Any] = Router.when([Route(payload.total > 1, ENDS)])
    assert refused(router, Valid) == []
    assert refused(router) == []
    assert refused(router, output=None) == []


def test_a_batch_step_in_a_router_branch_takes_and_gives_records() -> None:
    plan = plan_of(Router.by(payload.id, {"a": Process(Saved), "b": Process(Unrolled, Valid)}))
    saved, unrolled, _ = plan.nodes[1:]
    assert (saved.kind, saved.input_shape, saved.output_shape) == (
        NodeKind.BATCH_STEP,
        RECORD,
        RECORD,
    )
    assert (unrolled.input_shape, unrolled.output_shape) == (RECORD, RECORD)


class SavedWithRates(BatchStep[Priced, Priced]):
    def execute(self, messages: Sequence[Message[Priced]], rates: Rates) -> Sequence[Priced]:
        return [message.payload for message in messages]


def test_a_batch_step_in_a_scope_in_a_router_branch_takes_records_too() -> None:
    inner: Process[Priced, Priced] = Process(
        With(process=Process(SavedWithRates), rates=Rates()), Valid
    )
    plan = plan_of(Router.by(payload.id, {"a": inner}))
    assert [node.input_shape for node in plan.nodes] == [RECORD] * 4


@pytest.mark.parametrize("terminal", [TO_X, Drain(), Broadcast(BroadcastRoute(ENDS))])
def test_nothing_follows_a_terminal(terminal: ProcessNode) -> None:
    assert refused(terminal, Valid) == [IssueCode.NODE_AFTER_TERMINAL]


def test_what_follows_a_terminal_is_checked_all_the_same() -> None:
    assert refused(Drain(), COLLECT, Valid) == [
        IssueCode.NODE_AFTER_TERMINAL,
        IssueCode.SHAPE_MISMATCH,
    ]


@pytest.mark.parametrize(
    "terminal",
    [
        TO_X,
        Drain(),
        Fork.when([ForkRoute(payload.total > 1, ENDS)], default=ENDS),
        Broadcast(BroadcastRoute(ENDS)),
    ],
)
def test_an_output_beside_a_terminal_is_refused(terminal: ProcessNode) -> None:
    assert refused(terminal) == [IssueCode.OUTPUT_BESIDE_TERMINAL]
    assert refused(terminal, output=None) == []


def test_a_process_without_an_end_is_refused() -> None:
    assert refused(Valid, output=None) == [IssueCode.NO_TERMINAL_OUTPUT]


def test_a_fork_branch_must_end() -> None:
    fork = Fork.by(payload.id, {"a": Process(Valid), "b": ENDS}, default=Process(COLLECT, Saved))
    assert refused(fork, output=None) == [IssueCode.BRANCH_WITHOUT_TERMINAL] * 2


def test_a_broadcast_branch_writes_to_its_output_or_ends_itself_or_drops() -> None:
    broadcast: Broadcast[Any] = Broadcast(
        BroadcastRoute(Process(Valid), TO_X),
        BroadcastRoute(Process(Valid, Drain())),
        BroadcastRoute(Process(Valid)),
    )
    plan = plan_of(broadcast, output=None)
    assert list(plan.terminal_sinks) == [(0, 0)]
    assert [branch.output is not None for branch in plan.process[0].branches] == [
        True,
        False,
        False,
    ]


def test_a_broadcast_branch_that_ends_itself_has_no_output() -> None:
    broadcast: Broadcast[Any] = Broadcast(BroadcastRoute(ENDS, IntoTopic("y", payload=Priced)))
    assert refused(broadcast, output=None) == [IssueCode.OUTPUT_BESIDE_TERMINAL]


def test_a_broadcast_branch_refuses_to_write_batches() -> None:
    broadcast: Broadcast[Any] = Broadcast(BroadcastRoute(Process(COLLECT, Saved), TO_X))
    assert refused(broadcast, output=None) == [IssueCode.SHAPE_MISMATCH]


def test_terminal_sinks_are_keyed_by_the_path_of_their_node() -> None:
    router: Router[Any, Any] = Router.by(
        payload.id, {"a": Process(Valid, TO_X)}, default=Process(Valid)
    )
    assert list(plan_of(Valid, router).terminal_sinks) == [(1, 0, 1)]
