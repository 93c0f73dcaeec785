"""Whatever a flow is put together from, it becomes a sound plan or a list of issues."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from loom_runtime import (
    Broadcast,
    BroadcastRoute,
    CollectBatch,
    CompiledPlan,
    Drain,
    ExpandRoutes,
    Explode,
    ForEach,
    Fork,
    ForkRoute,
    IntoTopic,
    Process,
    Route,
    Router,
    StreamShape,
    With,
    WithAsync,
    compile_flow,
    payload,
)
from loom_runtime.compiler.difference import difference
from loom_runtime.compiler.document import PlanDocument, document_of
from tests.compiler.samples import OUT, config_of, flow_of, issues_of
from tests.compiler.typed_flow import (
    Line,
    Lines,
    Price,
    RowType,
    RunningTotal,
    Saved,
    Taxed,
    TaxedRemotely,
    Unrolled,
    Valid,
)

LEAVES = st.sampled_from(
    [
        Valid,
        Price,
        Price(2.0),
        Price.configure(surcharge=1.0),
        Taxed,
        TaxedRemotely,
        RunningTotal,
        Saved,
        Unrolled,
        CollectBatch(2, 10),
        ForEach(),
        Drain(),
        IntoTopic("x"),
        Explode(Lines),
    ]
)


def branching(nodes: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    process = st.lists(nodes, min_size=1, max_size=4).map(lambda each: Process(*each))
    default = st.none() | process
    condition = payload.total > 1
    return st.one_of(
        st.builds(
            lambda one, other, rest: Router.by(payload.id, {"a": one, "b": other}, default=rest),
            process,
            process,
            default,
        ),
        st.builds(
            lambda one, rest: Router.when([Route(condition, one)], default=rest), process, default
        ),
        st.builds(
            lambda one, rest: Fork.when([ForkRoute(condition, one)], default=rest), process, default
        ),
        st.builds(
            lambda one, other: Broadcast(BroadcastRoute(one, OUT), BroadcastRoute(other)),
            process,
            process,
        ),
        st.builds(
            lambda one, rest: ExpandRoutes(expander=Lines, routes={Line: one}, default=rest),
            process,
            default,
        ),
        process.map(lambda inner: With(process=inner, rates=1)),
        process.map(lambda inner: WithAsync(process=inner, rates=1)),
        process.map(lambda inner: Router.by(RowType(), {Line: inner}, default=Process(Drain()))),
    )


NODES = st.recursive(LEAVES, branching, max_leaves=8)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(NODES, min_size=1, max_size=5), st.booleans())
def test_any_flow_becomes_a_sound_plan_or_issues(nodes: list[Any], has_output: bool) -> None:
    flow = flow_of(*nodes, output=OUT if has_output else None)
    issues = issues_of(flow)
    event("refused" if issues else "compiled")
    assert all(issue.message and issue.component and issue.file for issue in issues)
    if not issues:
        check_plan(compile_flow(flow, config=config_of()))


ONE_BY_ONE: list[list[Any]] = [
    [Valid],
    [Price(2.0)],
    [With(process=Process(Taxed, Valid), rates=1)],
    [WithAsync(process=Process(TaxedRemotely, Valid), rates=1)],
    [Explode(Lines), Router.by(RowType(), {Line: Process(Valid)}, default=Process(Drain()))],
]
HELD: list[list[Any]] = [
    [RunningTotal],
    [CollectBatch(2, 10), Saved, ForEach()],
    [CollectBatch(2, 10), With(process=Process(Saved, Unrolled), rates=1), Valid],
]
TERMINALS: list[Any] = [
    Drain(),
    IntoTopic("x"),
    Fork.by(payload.id, {"a": Process(IntoTopic("y"))}, default=Process(Drain())),
    Broadcast(BroadcastRoute(Process(Valid), OUT), BroadcastRoute(Process(Drain()))),
]


@st.composite
def record_nodes(draw: st.DrawFn, holding: bool, depth: int = 2) -> list[Any]:
    """Draw nodes that take records and give records."""
    nodes: list[Any] = []
    for _ in range(draw(st.integers(1, 3))):
        if depth and draw(st.booleans()):
            inner = record_nodes(holding=False, depth=depth - 1)
            branch = Process(*draw(inner), *draw(st.sampled_from([[], [Drain()]])))
            nodes.append(Router.by(payload.id, {"a": branch, "b": Process(*draw(inner))}))
        else:
            nodes += draw(st.sampled_from([*ONE_BY_ONE, *(HELD if holding else [])]))
    return nodes


@settings(max_examples=100, deadline=None)
@given(record_nodes(holding=True), st.none() | st.sampled_from(TERMINALS))
def test_a_well_formed_flow_compiles(nodes: list[Any], terminal: Any) -> None:
    flow = flow_of(*nodes) if terminal is None else flow_of(*nodes, terminal, output=None)
    check_plan(compile_flow(flow, config=config_of()))


def check_plan(plan: CompiledPlan) -> None:
    nodes = plan.nodes
    assert len({node.name for node in nodes}) == len(nodes)
    assert len({node.path for node in nodes}) == len(nodes)
    assert [node.path for node in nodes] == sorted(node.path for node in nodes)
    states = [node.state_id for node in nodes if node.state_id is not None]
    assert len(set(states)) == len(states)
    by_path = {node.path: node for node in nodes}
    for node in nodes:
        before = by_path.get((*node.path[:-1], node.path[-1] - 1))
        assert before is None or before.output_shape is node.input_shape
        assert node.input_shape is not StreamShape.NONE
    for path, sink in plan.terminal_sinks.items():
        assert path in by_path or path[:-1] in by_path
        assert sink.topic
    document = document_of(plan)
    assert PlanDocument.decode(document.encode()) == document
    assert not difference(document, document)
    assert {edge.target for edge in document.edges} >= {node.name for node in nodes}
