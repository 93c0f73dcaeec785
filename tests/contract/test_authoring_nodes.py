"""Contract, authoring rows on nodes that batch, choose, copy, expand and provide."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, ClassVar

import pytest

from loom_runtime import (
    Broadcast,
    BroadcastRoute,
    CollectBatch,
    CompilationError,
    CompiledPlan,
    ContextFactory,
    Drain,
    ExpandRoutes,
    Explode,
    ForEach,
    Fork,
    ForkRoute,
    FromTopic,
    IntoTopic,
    IssueCode,
    LoomFrozenStruct,
    Message,
    PayloadExpander,
    Predicate,
    Process,
    ProcessNode,
    RecordStep,
    ResourceScope,
    Route,
    Router,
    Selector,
    StreamFlow,
    StreamShape,
    WindowStrategy,
    With,
    WithAsync,
    compile_flow,
    payload,
)


class Order(LoomFrozenStruct, frozen=True):
    id: str
    amount: float = 0.0


class Line(LoomFrozenStruct, frozen=True):
    id: str


class Tax(LoomFrozenStruct, frozen=True):
    id: str


class Keep(RecordStep[Order, Order]):
    def execute(self, message: Message[Order], *, db: object = None) -> Order:
        return message.payload


class ById:
    def select(self, message: Message[Order]) -> object:
        return message.payload.id


class IsLarge:
    def matches(self, message: Message[Order]) -> bool:
        return message.payload.amount > 100


class RowType:
    def select(self, message: Message[Any]) -> object:
        return type(message.payload)


class Rows:
    outputs: ClassVar[tuple[type, ...]] = (Line, Tax)

    @classmethod
    def expand(cls, event: Order) -> dict[type, list[Any]]:
        return {Line: [Line(event.id)], Tax: [Tax(event.id)]}


KEEP: Process[Any, Any] = Process(Keep)
TO_X: Process[Any, Any] = Process(IntoTopic("x"))


def config(delivery: str = "at_least_once") -> dict[str, Any]:
    return {
        "kafka": {
            "consumer": {"brokers": ["b:9092"], "group_id": "contract", "delivery": delivery},
            "producer": {"brokers": ["b:9092"]},
        }
    }


def plan_of(
    *nodes: ProcessNode, output: bool = True, delivery: str = "at_least_once"
) -> CompiledPlan:
    sink: IntoTopic[Any] | None = IntoTopic("out") if output else None
    flow: StreamFlow[Any, Any] = StreamFlow(
        "contract", FromTopic("in", payload=Order), Process(*nodes), sink
    )
    return compile_flow(flow, config=config(delivery))


def codes_of(*nodes: ProcessNode, output: bool = True, delivery: str = "at_least_once") -> set[str]:
    with pytest.raises(CompilationError) as raised:
        plan_of(*nodes, output=output, delivery=delivery)
    return {issue.code.value for issue in raised.value.issues}


@pytest.mark.parametrize("window", list(WindowStrategy))
def test_collect_batch_compiles_with_every_window_strategy(window: WindowStrategy) -> None:
    plan = plan_of(CollectBatch(max_records=5, timeout_ms=100, window=window), ForEach())
    node = plan.nodes[0]
    assert (node.input_shape, node.output_shape) == (StreamShape.RECORD, StreamShape.BATCH)
    assert node.state_id == "collect_batch"


def test_collect_batch_defaults_to_count_and_time() -> None:
    node = CollectBatch(max_records=5, timeout_ms=100)
    assert (node.window, node.event_time) == (WindowStrategy.COLLECT, False)
    assert {each.value for each in WindowStrategy} == {"collect", "tumbling", "session"}


@pytest.mark.parametrize(("max_records", "timeout_ms"), [(0, 1), (1, 0), (-1, 5)])
def test_collect_batch_refuses_numbers_that_mean_nothing(max_records: int, timeout_ms: int) -> None:
    with pytest.raises(ValueError, match="the least is 1"):
        CollectBatch(max_records=max_records, timeout_ms=timeout_ms)


def test_for_each_turns_batches_into_records_and_drain_ends_a_path() -> None:
    plan = plan_of(CollectBatch(5, 100), ForEach(), Drain(), output=False)
    assert [node.output_shape.value for node in plan.nodes] == ["batch", "record", "none"]


def test_router_by_has_a_branch_per_key_and_a_default() -> None:
    router: Router[Any, Any] = Router.by(
        payload.id, routes={"a": KEEP, "b": TO_X}, default=Process(Drain())
    )
    node, after = plan_of(router, Keep).process
    assert [branch.key for branch in node.branches] == ["a", "b", None]
    assert [branch.is_default for branch in node.branches] == [False, False, True]
    assert (node.output_shape, after.kind.value) == (StreamShape.RECORD, "record_step")


def test_router_when_takes_expressions_and_predicates() -> None:
    router: Router[Any, Any] = Router.when(
        [Route(payload.amount > 10, KEEP), Route(IsLarge(), TO_X)], default=KEEP
    )
    labels = [branch.label for branch in plan_of(router).process[0].branches]
    assert labels == ["payload.amount > 10", "IsLarge", "default"]


def test_router_branches_may_end_in_a_terminal_and_records_go_on_after_it() -> None:
    plan = plan_of(Router.by(ById(), {"a": TO_X, "b": KEEP}), Keep)
    assert list(plan.terminal_sinks) == [(0, 0, 0)]


def test_fork_is_a_terminal_split_of_full_processes() -> None:
    fork: Fork[Any] = Fork.when([ForkRoute(payload.amount > 1, TO_X)], default=Process(Drain()))
    assert plan_of(fork, output=False).process[0].output_shape is StreamShape.NONE
    assert codes_of(fork, Keep) == {"node_after_terminal"}


def test_fork_without_default_is_refused_at_least_once_and_fine_at_most_once() -> None:
    fork: Fork[Any] = Fork.by(payload.id, {"a": TO_X})
    assert codes_of(fork, output=False) == {"fork_without_default"}
    assert plan_of(fork, output=False, delivery="at_most_once").process[0].branches[0].key == "a"


def test_broadcast_is_a_terminal_copy_to_every_branch() -> None:
    broadcast: Broadcast[Any] = Broadcast(
        BroadcastRoute(process=KEEP, output=IntoTopic("copy")), BroadcastRoute(process=TO_X)
    )
    plan = plan_of(broadcast, output=False)
    assert {sink.topic for sink in plan.terminal_sinks.values()} == {"copy", "x"}
    assert list(plan.terminal_sinks) == [(0, 0), (0, 1, 0)]


def test_explode_needs_a_router_that_dispatches_its_rows() -> None:
    by_type: Router[Any, Any] = Router.by(RowType(), {Line: KEEP, Tax: TO_X})
    assert len(plan_of(Explode(Rows), by_type).process) == 2
    assert codes_of(Explode(Rows)) == {"explode_without_router"}


def test_payload_expander_is_a_protocol_with_outputs_and_expand() -> None:
    def rows_of(expander: type[PayloadExpander[Order]]) -> dict[type, list[Any]]:
        return expander.expand(Order("1"))

    assert rows_of(Rows) == {Line: [Line("1")], Tax: [Tax("1")]}


def test_expand_routes_sends_each_row_type_to_its_own_process() -> None:
    node = ExpandRoutes(expander=Rows, routes={Line: TO_X}, default=Process(Drain()))
    branches = plan_of(node, output=False).process[0].branches
    assert [(branch.key, branch.is_default) for branch in branches] == [(Line, False), (None, True)]


@contextmanager
def connection() -> Iterator[str]:
    yield "open"


@asynccontextmanager
async def async_connection() -> AsyncIterator[str]:
    yield "open"


def test_with_provides_sync_dependencies_per_worker_or_batch() -> None:
    worker: With[Any, Any] = With(process=KEEP, db=connection())
    batch: With[Any, Any] = With(
        process=KEEP, scope=ResourceScope.BATCH, db=ContextFactory(connection)
    )
    first, second = plan_of(worker, batch).process
    assert (first.node.scope.value, second.node.scope.value) == ("worker", "batch")
    assert first.branches[0].nodes[0].dependencies == ("db",)


def test_with_refuses_an_async_context_manager() -> None:
    with pytest.raises(TypeError, match="use WithAsync"):
        With(process=KEEP, db=async_connection())


def test_with_async_has_concurrency_deadline_and_scope() -> None:
    scope: WithAsync[Any, Any] = WithAsync(process=KEEP, db=async_connection())
    assert (scope.max_concurrency, scope.task_timeout_ms) == (10, None)
    assert scope.scope is ResourceScope.WORKER
    assert plan_of(scope).needs_async_bridge


def test_with_async_refuses_a_sync_context_manager() -> None:
    with pytest.raises(TypeError, match="use With"):
        WithAsync(process=KEEP, db=connection())


def test_context_factory_makes_a_fresh_context_manager_each_time() -> None:
    factory = ContextFactory(connection)
    assert factory.create() is not factory.create()


def test_context_factory_is_what_batch_scope_needs() -> None:
    bare: With[Any, Any] = With(process=KEEP, scope=ResourceScope.BATCH, db=connection())
    assert codes_of(bare) == {"batch_scope_needs_factory"}
    bare_async: WithAsync[Any, Any] = WithAsync(
        process=KEEP, scope=ResourceScope.BATCH, db=async_connection()
    )
    assert codes_of(bare_async) == {IssueCode.BATCH_SCOPE_NEEDS_FACTORY.value}


def test_selector_and_predicate_are_protocols_for_hand_written_routing() -> None:
    assert isinstance(ById(), Selector)
    assert isinstance(IsLarge(), Predicate)
    assert not isinstance(Order("1"), Selector | Predicate)
