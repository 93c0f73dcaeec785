"""A trace: one source record and every node that it met, as plain data."""

from __future__ import annotations

from enum import StrEnum

from loom_runtime.compiler.plan import NodeKind, NodePath
from loom_runtime.errors import ErrorKind
from loom_runtime.model import LoomFrozenStruct
from loom_runtime.tracing.failure import TracedFailure, TracedFrame
from loom_runtime.tracing.shown import ShownValue, TracedMessage


class SourceRecord(LoomFrozenStruct, frozen=True, kw_only=True):
    """A record as it lies on a source topic.

    Attributes:
        topic: Its topic.
        partition: Its partition.
        offset: Its offset.
        key: Its key.
        value: Its value; ``None`` for a tombstone.
        headers: Its headers, in order.
        timestamp_ms: Its time, milliseconds since the Unix epoch; -1 for none.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None = None
    value: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    timestamp_ms: int = -1


class StopOutcome(StrEnum):
    """What became of what a node took; of several the last named here that is true of one.

    ``running``: it has not come back. ``passed``: it went on, or ended without an output on
    purpose where the flow ends. ``filtered``: it ended here. ``written``: it went to a topic.
    ``held``: it waits in a batch or a window. ``late``: it came too late for its window.
    ``failed``: it became an envelope. ``cut_off``: it never came back.
    """

    RUNNING = "running"
    PASSED = "passed"
    FILTERED = "filtered"
    WRITTEN = "written"
    HELD = "held"
    LATE = "late"
    FAILED = "failed"
    CUT_OFF = "cut_off"


class TraceStop(LoomFrozenStruct, frozen=True, kw_only=True):
    """One node at work on the record, or on what it has become by then.

    Nodes that hold others (scopes, routers) have a stop of their own that begins before those of
    the nodes in them and ends after. A stateful step has one stop for each record, any other node
    one for all that reached it together.

    Attributes:
        number: Its place in the trace, from 0, in the order in which nodes began.
        node: Id of the node in the plan document; a source's or sink's too.
        name: Its name.
        kind: What it is; ``None`` for the source and for a sink that is no node.
        path: Its address in the plan; empty for the source.
        takes: What it took; for the source the raw record as read, in :attr:`Trace.record` too.
        gives: What it gave to what follows; for a holder of nodes what left it.
        takes_left_out: Messages that it took and that are not in ``takes``.
        gives_left_out: Likewise.
        outcome: What became of them.
        branches: Labels of the branches that a router chose.
        duration_ms: How long it took, with the nodes inside it; ``None`` while it runs.
        state_key: Key of the state that it worked on; ``None`` for a node without keyed state.
        state_before: The state before; ``None`` for a key without one.
        state_after: The state after.
        failures: What failed, in the order of what it took.
    """

    number: int
    node: str
    name: str
    kind: NodeKind | None
    path: NodePath
    takes: tuple[TracedMessage, ...] = ()
    gives: tuple[TracedMessage, ...] = ()
    takes_left_out: int = 0
    gives_left_out: int = 0
    outcome: StopOutcome = StopOutcome.PASSED
    branches: tuple[str, ...] = ()
    duration_ms: float | None = None
    state_key: str | None = None
    state_before: ShownValue | None = None
    state_after: ShownValue | None = None
    failures: tuple[TracedFailure, ...] = ()

    @property
    def failure(self) -> TracedFailure | None:
        """The first failure."""
        return self.failures[0] if self.failures else None


class OutputKind(StrEnum):
    """What is written to a topic. A trace delivers nothing, so it has no dead letters.

    ``record``: an output. ``envelope``: a failure. ``unrouted``: a failure that the flow has no
    topic for; in a run it would end the run.
    """

    RECORD = "record"
    ENVELOPE = "envelope"
    UNROUTED = "unrouted"


class TracedOutput(LoomFrozenStruct, frozen=True, kw_only=True):
    """What a run would have written.

    Attributes:
        kind: What it is.
        sink: Id of the sink in the plan document; empty when there is none.
        topic: The topic; empty when there is none.
        key: Its key.
        value: Its value as the topic's wire format writes it; as JSON text where that is JSON.
        headers: Its headers.
        error_kind: Kind of an envelope.
    """

    kind: OutputKind
    sink: str
    topic: str
    key: bytes | None
    value: ShownValue
    headers: tuple[tuple[str, bytes], ...] = ()
    error_kind: ErrorKind | None = None


class TraceOutcome(StrEnum):
    """The fate of the record, as a ledger would tell it, or how the trace ended instead.

    ``written``, ``errored``, ``filtered``, ``held``: as in the ledger. ``run_failed``: it would
    have ended the run, as an error without a topic or a dependency that does not open do.
    ``cut_off``: its process was ended, or ended by itself. ``under_way``: it is not over: it runs,
    or the run waits at this record.
    """

    WRITTEN = "written"
    ERRORED = "errored"
    FILTERED = "filtered"
    HELD = "held"
    RUN_FAILED = "run_failed"
    CUT_OFF = "cut_off"
    UNDER_WAY = "under_way"


class StateChange(LoomFrozenStruct, frozen=True, kw_only=True):
    """The state of one key before and after a trace, as the recovery store would have it
    (:mod:`loom_runtime.wire.state`). Nothing of it is ever written there.

    Attributes:
        state_id: Bytewax step id of the stateful step.
        key: The key.
        before: The state before; ``None`` for a key without one.
        after: The state after.
    """

    state_id: str
    key: str
    before: bytes | None
    after: bytes | None


class Trace(LoomFrozenStruct, frozen=True, kw_only=True):
    """One record's way.

    Attributes:
        flow: Name of the flow.
        revision: Hash of the code that ran, as in envelopes; ``None`` when it is not known.
        record: The source record.
        start: Id of the node where it began; the source's for a whole trace.
        stops: Every node that it met, in the order in which they began.
        outputs: What would have been written.
        outcome: Its fate.
        failures: Every failure, in the order of ``stops``.
        states: Every state that it met; without those that are too large to be told.
        problem: Why it ended early: one clause; empty when it did not.
        hint: What to do about that.
        stack: Where the user's code was when it was cut off, innermost last.
        duration_ms: How long it took.
    """

    flow: str
    record: SourceRecord
    start: str
    outcome: TraceOutcome
    revision: str | None = None
    stops: tuple[TraceStop, ...] = ()
    outputs: tuple[TracedOutput, ...] = ()
    failures: tuple[TracedFailure, ...] = ()
    states: tuple[StateChange, ...] = ()
    problem: str = ""
    hint: str = ""
    stack: tuple[TracedFrame, ...] = ()
    duration_ms: float = 0.0
