"""The ways that records take through a plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from loom_runtime.compiler.document_parts import EdgeDocument, EdgeKind
from loom_runtime.compiler.plan import CompiledNode, CompiledPlan, CompiledSink, NodeKind
from loom_runtime.errors import ErrorKind
from loom_runtime.flow.shapes import StreamShape, WindowStrategy

_ROUTING: Final = frozenset({NodeKind.ROUTER, NodeKind.FORK, NodeKind.EXPAND_ROUTES})

_RUNS_CODE: Final = frozenset(
    {
        NodeKind.RECORD_STEP,
        NodeKind.BATCH_STEP,
        NodeKind.EXPAND_STEP,
        NodeKind.BATCH_EXPAND_STEP,
        NodeKind.STATEFUL_STEP,
        NodeKind.EXPLODE,
        NodeKind.EXPAND_ROUTES,
    }
)

UNCLAIMED: Final = "unclaimed"
"""Label of the edge of records that no branch of a Router claims: they go on after it."""

_Tail = tuple[str, EdgeKind, str]
"""The loose end of a path: the edge that will leave it."""


def source_id(plan: CompiledPlan) -> str:
    """Return the id of the plan's source in edges."""
    return f"source:{plan.source.name}"


def sink_id(sink: CompiledSink) -> str:
    """Return the id of *sink* in edges."""
    return f"sink:{sink.name}"


def dead_letter_id(sink: CompiledSink) -> str:
    """Return the id of the topic of records that *sink* failed to deliver."""
    return f"sink:{sink.dlq_topic}"


def edges_of(plan: CompiledPlan) -> tuple[EdgeDocument, ...]:
    """Return every edge of *plan*, in the order of the nodes' paths; error routes come last."""
    return _EdgeWalk(plan).walk()


class _EdgeWalk:
    def __init__(self, plan: CompiledPlan) -> None:
        self._plan = plan
        self._edges: list[EdgeDocument] = []

    def walk(self) -> tuple[EdgeDocument, ...]:
        plan = self._plan
        tails = self._line(plan.process, [(source_id(plan), EdgeKind.FLOW, "")])
        if plan.output is not None:
            self._write(tails, plan.output)
        self._error_edges(plan.error_routes)
        return tuple(dict.fromkeys(self._edges))

    def _line(self, nodes: Iterable[CompiledNode], tails: list[_Tail]) -> list[_Tail]:
        for node in nodes:
            for origin, kind, label in tails:
                self._add(origin, node.name, kind, label)
            tails = self._node(node)
        return tails

    def _node(self, node: CompiledNode) -> list[_Tail]:
        """Add what leaves *node* sideways; return its loose ends."""
        if node.sink is not None:
            late = node.kind is NodeKind.COLLECT_BATCH
            self._sink_edge(
                node.name, node.sink, EdgeKind.LATE if late else EdgeKind.WRITE, "late" * late
            )
        if not node.branches:
            ended = node.output_shape is StreamShape.NONE
            return [] if ended else [(node.name, EdgeKind.FLOW, "")]
        loose: list[_Tail] = []
        for branch in node.branches:
            ends = self._line(branch.nodes, [(node.name, EdgeKind.BRANCH, branch.label)])
            if branch.output is not None:
                self._write(ends, branch.output)
            else:
                loose += ends
        if node.output_shape is StreamShape.NONE:
            return []
        if node.kind is NodeKind.ROUTER and not any(each.is_default for each in node.branches):
            loose.append((node.name, EdgeKind.BRANCH, UNCLAIMED))
        return loose

    def _write(self, tails: list[_Tail], sink: CompiledSink) -> None:
        for origin, _, label in tails:
            self._sink_edge(origin, sink, EdgeKind.WRITE, label)

    def _sink_edge(self, origin: str, sink: CompiledSink, kind: EdgeKind, label: str) -> None:
        self._add(origin, sink_id(sink), kind, label)
        if sink.dlq_topic is not None:
            self._add(sink_id(sink), dead_letter_id(sink), EdgeKind.DEAD_LETTER, "dead letter")

    def _error_edges(self, routes: Mapping[ErrorKind, CompiledSink]) -> None:
        for kind, sink in routes.items():
            for origin in self._failing(kind):
                self._sink_edge(origin, sink, EdgeKind.ERROR, kind.value)

    def _failing(self, kind: ErrorKind) -> Iterable[str]:
        if kind is ErrorKind.WIRE:
            return [source_id(self._plan)]
        if kind is ErrorKind.ROUTING:
            return [node.name for node in self._plan.nodes if _fails_to_route(node)]
        return [node.name for node in self._plan.nodes if node.kind in _RUNS_CODE]

    def _add(self, origin: str, target: str, kind: EdgeKind, label: str) -> None:
        self._edges.append(EdgeDocument(origin, target, kind, label))


def _fails_to_route(node: CompiledNode) -> bool:
    if node.kind is NodeKind.COLLECT_BATCH:
        return node.node.window is not WindowStrategy.COLLECT and node.sink is None
    return node.kind in _ROUTING
