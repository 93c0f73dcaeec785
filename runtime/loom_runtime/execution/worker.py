"""One worker's own objects: steps, scopes, encoders and counters, built from the shared layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from loom_runtime.async_bridge import AsyncBridge
from loom_runtime.compiler.plan import CompiledNode, NodeKind, NodePath
from loom_runtime.errors import ErrorKind
from loom_runtime.execution.boundary import CAUGHT, ErrorBoundary, FailureListener
from loom_runtime.execution.concurrent import (
    AsyncEnd,
    AsyncNode,
    AsyncRoute,
    AsyncStep,
    ConcurrentStage,
)
from loom_runtime.execution.keyed import KeyedForwardStage, KeyedStep
from loom_runtime.execution.layout import DROP, EXCHANGED, RETURN, EndKind, Layout, PathEnd
from loom_runtime.execution.routing import (
    BroadcastStage,
    ExpandRoutesStage,
    RouterStage,
    chooser,
)
from loom_runtime.execution.scopes import AsyncScope, DependencyScope, ScopeStage, SyncScope
from loom_runtime.execution.shared_contexts import SharedContexts
from loom_runtime.execution.stages import (
    NO_DEPENDENCIES,
    BatchExpandStage,
    BatchStage,
    Dependencies,
    ExpandStage,
    ExplodeStage,
    RecordStage,
    SingleStage,
    Stage,
    StepStage,
)
from loom_runtime.execution.statistics import NodeStatistics
from loom_runtime.execution.terminal import (
    DropStage,
    EnvelopeWriterEncoder,
    ForwardStage,
    PassStage,
    RecordEncoder,
    WriteStage,
)
from loom_runtime.execution.watching import Overseer
from loom_runtime.flow.shapes import StreamShape
from loom_runtime.lazy_log import LazyLog

_log = LazyLog(__name__)

_STEP_STAGES: Mapping[NodeKind, type[StepStage]] = {
    NodeKind.RECORD_STEP: RecordStage,
    NodeKind.EXPAND_STEP: ExpandStage,
    NodeKind.BATCH_STEP: BatchStage,
    NodeKind.BATCH_EXPAND_STEP: BatchExpandStage,
}


@dataclass(frozen=True)
class Surroundings:
    """What every worker of a process is given.

    Attributes:
        layout: The plan, cut into segments.
        record_encoder: Makes the encoder of a port's records.
        envelope_encoder: Makes the encoder of an error kind's envelopes; ``None`` where nothing
            takes envelopes of that kind.
        bridge: Returns the process's event loop; called by ``WithAsync`` only.
        revision: Revision of the flow's code.
        listener: Told of every envelope.
        shared_contexts: Context managers that the workers share.
        overseer: Who looks on; ``None`` for nobody.
    """

    layout: Layout
    record_encoder: Callable[[int], RecordEncoder]
    envelope_encoder: Callable[[ErrorKind], tuple[int, EnvelopeWriterEncoder] | None]
    bridge: Callable[[], AsyncBridge]
    revision: str | None = None
    listener: FailureListener | None = None
    shared_contexts: SharedContexts = field(default_factory=SharedContexts)
    overseer: Overseer | None = None


@dataclass
class Worker:
    """One worker of the process.

    Attributes:
        surroundings: What it shares with the others.
        statistics: Its counters, by the node's path; the empty path is the source.
    """

    surroundings: Surroundings
    statistics: dict[NodePath, NodeStatistics] = field(default_factory=dict)
    _scopes: list[DependencyScope] = field(default_factory=list)

    def statistics_of(self, path: NodePath) -> NodeStatistics:
        """Return the counters of the node at *path*."""
        found = self.statistics.get(path)
        if found is None:
            found = self.statistics[path] = NodeStatistics()
            if self.surroundings.overseer is not None:
                self.surroundings.overseer.register(self, path, found)
        return found

    def boundary_of(self, node: CompiledNode) -> ErrorBoundary:
        """Return the error boundary of *node*."""
        return ErrorBoundary(
            node,
            self.statistics_of(node.path),
            flow=self.surroundings.layout.plan.name,
            revision=self.surroundings.revision,
            listener=self.surroundings.listener,
        )

    def path(
        self,
        nodes: Sequence[CompiledNode],
        end: PathEnd,
        dependencies: Dependencies = NO_DEPENDENCIES,
        *,
        in_router: bool = False,
    ) -> list[Stage]:
        """Return the stages of *nodes* and of the path's end."""
        stages: list[Stage] = []
        for node in nodes:
            if node.kind in EXCHANGED:
                stages.append(self._forward(node))
                return stages
            stages.append(self._stage(node, dependencies, in_router=in_router))
        if end.kind is not EndKind.RETURN:
            stages.append(self._end(end, nodes))
        return stages

    def keyed_step(self, node: CompiledNode) -> KeyedStep:
        """Return the keyed step of *node*."""
        return KeyedStep(
            self._step(node), node, self.statistics_of(node.path), self.boundary_of(node)
        )

    def write_stage(self, port: int, node: CompiledNode) -> WriteStage:
        """Return the stage that writes *node*'s records to *port*."""
        sink = self.surroundings.layout.ports[port].sink
        return WriteStage(
            port,
            self.surroundings.record_encoder(port),
            sink.partition_policy if sink else None,
            self.statistics_of(node.path),
            self.boundary_of(node),
        )

    def close(self) -> None:
        """Close what scopes opened, the innermost first. A context that does not is logged."""
        while self._scopes:
            scope = self._scopes.pop()
            try:
                scope.close()
            except CAUGHT:
                _log.exception("a dependency did not close")

    def _step(self, node: CompiledNode) -> Any:
        return node.node if node.build is None else node.build()

    def _forward(self, node: CompiledNode) -> Stage:
        statistics, boundary = self.statistics_of(node.path), self.boundary_of(node)
        exchange = self.surroundings.layout.exchange_of_path[node.path]
        if node.kind is NodeKind.STATEFUL_STEP:
            return KeyedForwardStage(exchange, self._step(node), statistics, boundary)
        return ForwardStage(exchange, statistics, boundary)

    def _end(self, end: PathEnd, nodes: Sequence[CompiledNode]) -> Stage:
        last = nodes[-1] if nodes else self.surroundings.layout.plan.process[-1]
        if end.kind is EndKind.DROP:
            return DropStage(NodeStatistics(), self.boundary_of(last))
        port = self.surroundings.layout.ports[end.port]
        output = CompiledNode(
            node=None,
            kind=NodeKind.INTO_TOPIC,
            name=f"output {port.sink.name}" if port.sink else "output",
            input_shape=StreamShape.RECORD,
            output_shape=StreamShape.NONE,
            path=(-1, end.port),
            location=port.sink.location if port.sink else None,
        )
        return self.write_stage(end.port, output)

    def _stage(self, node: CompiledNode, dependencies: Dependencies, *, in_router: bool) -> Stage:
        statistics, boundary = self.statistics_of(node.path), self.boundary_of(node)
        if node.kind in _STEP_STAGES:
            stage = _STEP_STAGES[node.kind](self._step(node), statistics, boundary, dependencies)
            alone = in_router and isinstance(stage, BatchStage | BatchExpandStage)
            return SingleStage(stage) if alone else stage
        return self._structure(node, dependencies, in_router=in_router)

    def _structure(
        self, node: CompiledNode, dependencies: Dependencies, *, in_router: bool
    ) -> Stage:
        """Return the stage of a node that is no step."""
        statistics, boundary = self.statistics_of(node.path), self.boundary_of(node)
        stage: Stage
        match node.kind:
            case NodeKind.EXPLODE:
                stage = ExplodeStage(node.node.expander, statistics, boundary)
            case NodeKind.ROUTER:
                paths = self._paths(node, RETURN, dependencies, in_router=True)
                stage = RouterStage(chooser(node), paths, (), statistics, boundary)
            case NodeKind.FORK:
                paths = self._paths(node, RETURN, dependencies, in_router=in_router)
                dropped = [DropStage(NodeStatistics(), boundary)]
                stage = RouterStage(chooser(node), paths, dropped, statistics, boundary)
            case NodeKind.BROADCAST:
                paths = self._paths(node, DROP, dependencies, in_router=in_router)
                stage = BroadcastStage(paths, statistics, boundary)
            case NodeKind.EXPAND_ROUTES:
                paths = self._paths(node, RETURN, dependencies, in_router=in_router)
                stage = ExpandRoutesStage(node, paths, statistics, boundary)
            case NodeKind.WITH:
                stage = self._scope_stage(node, dependencies, in_router=in_router)
            case NodeKind.WITH_ASYNC:
                stage = self._concurrent_stage(node, dependencies)
            case NodeKind.INTO_TOPIC:
                stage = self.write_stage(self.surroundings.layout.port_of_path[node.path], node)
            case NodeKind.DRAIN:
                stage = DropStage(statistics, boundary)
            case NodeKind.FOR_EACH:
                stage = PassStage(statistics, boundary)
            case _:
                raise NotImplementedError(f"{node.name}: {node.kind}")
        return stage

    def _paths(
        self,
        node: CompiledNode,
        end: PathEnd,
        dependencies: Dependencies,
        *,
        in_router: bool,
    ) -> list[list[Stage]]:
        ports = self.surroundings.layout.port_of_path
        paths = []
        for branch in node.branches:
            port = ports.get((*node.path, branch.index)) if branch.output is not None else None
            branch_end = end if port is None else PathEnd(EndKind.WRITE, port)
            paths.append(self.path(branch.nodes, branch_end, dependencies, in_router=in_router))
        return paths

    def _scope_stage(self, node: CompiledNode, outer: Dependencies, *, in_router: bool) -> Stage:
        dependencies = Dependencies()
        scope = SyncScope(node, dependencies, outer, self.surroundings.shared_contexts)
        self._scopes.append(scope)
        path = self.path(node.branches[0].nodes, RETURN, dependencies, in_router=in_router)
        return ScopeStage(scope, path, self.statistics_of(node.path), self.boundary_of(node))

    def _concurrent_stage(self, node: CompiledNode, outer: Dependencies) -> Stage:
        dependencies = Dependencies()
        bridge = self.surroundings.bridge()
        scope = AsyncScope(node, dependencies, outer, self.surroundings.shared_contexts, bridge)
        self._scopes.append(scope)
        ends: list[list[Stage]] = []
        inner = [self._async_node(n, dependencies, ends) for n in node.branches[0].nodes]
        return ConcurrentStage(
            scope,
            node.node,
            inner,
            ends,
            bridge=bridge,
            statistics=self.statistics_of(node.path),
            boundary=self.boundary_of(node),
        )

    def _async_node(
        self, node: CompiledNode, dependencies: Dependencies, ends: list[list[Stage]]
    ) -> AsyncNode:
        statistics, boundary = self.statistics_of(node.path), self.boundary_of(node)
        if node.kind is NodeKind.ROUTER:
            branches = [
                [self._async_node(inner, dependencies, ends) for inner in branch.nodes]
                for branch in node.branches
            ]
            return AsyncRoute(chooser(node), branches, statistics, boundary)
        if node.kind in {NodeKind.INTO_TOPIC, NodeKind.DRAIN}:
            ends.append([self._stage(node, dependencies, in_router=False)])
            return AsyncEnd(len(ends), NodeStatistics(), boundary)
        return AsyncStep(
            self._step(node),
            statistics,
            boundary,
            dependencies,
            expands=node.kind is NodeKind.EXPAND_STEP,
        )
