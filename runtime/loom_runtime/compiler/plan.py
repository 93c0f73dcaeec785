"""The compiled plan: a flow with every reference resolved, every shape known, every place named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from loom_runtime.config.kafka import ConsumerSettings, ProducerSettings
from loom_runtime.declaration import SourceLocation
from loom_runtime.errors import ErrorKind
from loom_runtime.flow.boundary import PartitionPolicy
from loom_runtime.flow.shapes import StreamShape
from loom_runtime.model import StreamPayload

NodePath = tuple[int, ...]
"""Address of a node: its position in the process, then branch and position for each level down."""


class NodeKind(StrEnum):
    """What a node is."""

    RECORD_STEP = "record_step"
    BATCH_STEP = "batch_step"
    EXPAND_STEP = "expand_step"
    BATCH_EXPAND_STEP = "batch_expand_step"
    STATEFUL_STEP = "stateful_step"
    COLLECT_BATCH = "collect_batch"
    FOR_EACH = "for_each"
    DRAIN = "drain"
    INTO_TOPIC = "into_topic"
    ROUTER = "router"
    FORK = "fork"
    BROADCAST = "broadcast"
    EXPLODE = "explode"
    EXPAND_ROUTES = "expand_routes"
    WITH = "with"
    WITH_ASYNC = "with_async"


@dataclass(frozen=True)
class CompiledSource:
    """Where records come from.

    Attributes:
        name: Logical reference.
        topics: Physical topics.
        payload_types: Types that records decode into; several are told apart by message type.
        settings: Consumer settings.
        settings_key: Configuration key that the settings came from.
        location: Place of the declaration.
    """

    name: str
    topics: tuple[str, ...]
    payload_types: tuple[type[StreamPayload], ...]
    settings: ConsumerSettings
    settings_key: str
    location: SourceLocation | None = None


@dataclass(frozen=True)
class CompiledSink:
    """A topic that records are written to.

    Attributes:
        name: Logical reference.
        topic: Physical topic.
        payload_type: Type of what is written, when it was declared.
        settings: Producer settings.
        partition_policy: How output records get their key.
        dlq_topic: Topic for records whose delivery failed.
        location: Place of the declaration.
    """

    name: str
    topic: str
    payload_type: Any
    settings: ProducerSettings
    partition_policy: PartitionPolicy[Any] | None = None
    dlq_topic: str | None = None
    location: SourceLocation | None = None


@dataclass(frozen=True)
class CompiledBranch:
    """One way out of a branching node, or the inner process of a scope.

    Attributes:
        index: Position among the node's branches; the default comes last.
        label: Name shown for it.
        nodes: What stands on it.
        key: Route key, or row type of an :class:`~loom_runtime.flow.expansion.ExpandRoutes`.
        when: Condition of a predicate route.
        output: Sink that the branch declares beside its process (Broadcast).
        is_default: Whether records come here that no other branch claims.
    """

    index: int
    label: str
    nodes: tuple[CompiledNode, ...]
    key: object = None
    when: object = None
    output: CompiledSink | None = None
    is_default: bool = False


@dataclass(frozen=True)
class CompiledNode:
    """One node of the flow.

    Attributes:
        node: The declaration; for a step the instance that the compiler built.
        kind: What it is.
        name: Name shown everywhere; unique in the plan.
        input_shape: Shape that comes in.
        output_shape: Shape that goes out.
        path: Address of the node.
        location: Place of the declaration: the class of a step, the call of any other node.
        state_id: Bytewax step id of the node's state in the recovery store; ``None`` when the node
            keeps none. Stable while the node's own name is.
        state_type: Struct type of that state; ``None`` when the node keeps none.
        build: Makes a fresh instance of a step for one worker; ``None`` for other nodes. A step
            that the author gave as an instance is that instance for every worker.
        dependencies: Names of the enclosing scopes' dependencies that a step's ``execute`` takes.
        is_coroutine: Whether a step's ``execute`` is a coroutine function.
        settings: Constructor arguments of a step that is bound to configuration or overrides.
        sink: Sink of an ``into_topic`` node or of a window's late records.
        branches: Ways out of a branching node; the one inner process of a scope.
    """

    node: Any
    kind: NodeKind
    name: str
    input_shape: StreamShape
    output_shape: StreamShape
    path: NodePath
    location: SourceLocation | None = None
    state_id: str | None = None
    state_type: Any = None
    build: Callable[[], Any] | None = field(default=None, compare=False)
    dependencies: tuple[str, ...] = ()
    is_coroutine: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict, compare=False)
    sink: CompiledSink | None = None
    branches: tuple[CompiledBranch, ...] = ()

    def walk(self) -> Iterator[CompiledNode]:
        """Yield this node and every node below it, in the order of their paths."""
        yield self
        for branch in self.branches:
            for node in branch.nodes:
                yield from node.walk()


@dataclass(frozen=True)
class CompiledPlan:
    """A flow, ready to run.

    Attributes:
        name: Name of the flow.
        source: Where records come from.
        process: The top-level nodes in order; branches hang below them.
        output: Sink of what leaves the process.
        terminal_sinks: Sink of every path that ends itself, by path.
        error_routes: Sink of each error kind that has one.
        needs_async_bridge: Whether a node runs coroutines.
        location: Place of the flow's declaration.
    """

    name: str
    source: CompiledSource
    process: tuple[CompiledNode, ...]
    output: CompiledSink | None
    terminal_sinks: Mapping[NodePath, CompiledSink]
    error_routes: Mapping[ErrorKind, CompiledSink]
    needs_async_bridge: bool = False
    location: SourceLocation | None = None

    @property
    def nodes(self) -> tuple[CompiledNode, ...]:
        """Every node, those on branches included, in the order of their paths."""
        return tuple(node for top in self.process for node in top.walk())
