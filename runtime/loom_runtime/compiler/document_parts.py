"""A plan as data only: what is sent to another process, kept, drawn and compared."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from loom_runtime.compiler.plan import NodeKind, NodePath
from loom_runtime.errors import ErrorKind
from loom_runtime.flow.shapes import StreamShape
from loom_runtime.model import LoomFrozenStruct


class EdgeKind(StrEnum):
    """Why records go along an edge.

    ``flow``: they go on. ``branch``: a branch, a copy or a scope was entered. ``write``: they are
    written. ``late``: they came too late for a window. ``error``: they failed. ``dead_letter``:
    they could not be delivered.
    """

    FLOW = "flow"
    BRANCH = "branch"
    WRITE = "write"
    LATE = "late"
    ERROR = "error"
    DEAD_LETTER = "dead_letter"


class SourceDocument(LoomFrozenStruct, frozen=True, kw_only=True):
    """Where records come from.

    Attributes:
        id: Id in edges.
        name: Logical reference.
        topics: Physical topics.
        payload_types: Names of the types that records decode into.
        format: Wire format.
        delivery: Delivery guarantee.
        file: Source file of the declaration.
        line: Line in it, from 1.
    """

    id: str
    name: str
    topics: tuple[str, ...]
    payload_types: tuple[str, ...]
    format: str
    delivery: str
    file: str | None = None
    line: int | None = None


class SinkDocument(LoomFrozenStruct, frozen=True, kw_only=True):
    """A topic that records are written to.

    Attributes:
        id: Id in edges.
        name: Logical reference.
        topic: Physical topic.
        payload_type: Name of the type that is written; empty when none was declared.
        format: Wire format.
        dlq_topic: Topic for records whose delivery failed.
        file: Source file of the declaration.
        line: Line in it, from 1.
    """

    id: str
    name: str
    topic: str
    payload_type: str
    format: str
    dlq_topic: str | None = None
    file: str | None = None
    line: int | None = None


class NodeDocument(LoomFrozenStruct, frozen=True, kw_only=True):
    """One node.

    Attributes:
        id: Id in edges: the node's name, which is unique in the plan.
        name: Name shown everywhere.
        kind: What it is.
        input_shape: Shape that comes in.
        output_shape: Shape that goes out.
        path: Its address in the plan.
        file: Source file of the declaration; ``None`` when it could not be found.
        line: Line in that file, from 1.
        state_id: Bytewax step id of its state; ``None`` when it keeps none.
        detail: What it is told to do: a selector, a batch's size, a scope's dependencies.
        settings_hash: Hash of a step's constructor arguments; empty when it has none.
        source_hash: Hash of the code that runs in it, of its user-written classes; comments and
            layout don't count. Empty when it has none or the source is out of reach.
    """

    id: str
    name: str
    kind: NodeKind
    input_shape: StreamShape
    output_shape: StreamShape
    path: NodePath
    file: str | None = None
    line: int | None = None
    state_id: str | None = None
    detail: str = ""
    settings_hash: str = ""
    source_hash: str = ""


class EdgeDocument(LoomFrozenStruct, frozen=True):
    """A way that records take.

    Attributes:
        origin: Id of a source or node.
        target: Id of a node or sink.
        kind: Why they take it.
        label: Branch, condition or error kind; empty for the plain way.
    """

    origin: str
    target: str
    kind: EdgeKind = EdgeKind.FLOW
    label: str = ""


class StateDocument(LoomFrozenStruct, frozen=True, kw_only=True):
    """The state that one node keeps in the recovery store.

    Attributes:
        state_id: Bytewax step id.
        node: Id of the node.
        type: Name of the state's struct type; empty for records that a batch or window holds.
        schema: JSON Schema of that type, canonical JSON; what a window depends on otherwise.
    """

    state_id: str
    node: str
    type: str
    schema: str


class PlanDocument(LoomFrozenStruct, frozen=True, kw_only=True):
    """A whole plan.

    Attributes:
        flow: Name of the flow.
        source: Where records come from.
        nodes: Every node in the order of their paths.
        edges: Every way that records take.
        sinks: Every topic written to.
        output: Id of the sink of what leaves the process.
        error_routes: Id of the sink of each error kind that has one.
        states: State of every node that keeps some.
        code_hash: Hash of the files that the flow and its nodes are written in.
        file: Source file of the flow's declaration.
        line: Line in it, from 1.
    """

    flow: str
    source: SourceDocument
    nodes: tuple[NodeDocument, ...]
    edges: tuple[EdgeDocument, ...]
    sinks: tuple[SinkDocument, ...]
    output: str | None
    error_routes: dict[ErrorKind, str]
    states: tuple[StateDocument, ...] = ()
    code_hash: str = ""
    file: str | None = None
    line: int | None = None

    def encode(self) -> bytes:
        """Return the document as MessagePack."""
        return msgspec.msgpack.encode(self)

    @classmethod
    def decode(cls, data: bytes) -> PlanDocument:
        """Return the document that :meth:`encode` wrote.

        Raises:
            msgspec.ValidationError: When *data* is something else.
        """
        return msgspec.msgpack.decode(data, type=cls)
