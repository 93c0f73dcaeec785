"""The one frozen value that a session publishes and every screen is drawn from.

Texts in it come from outside as they are: whoever shows them makes them safe.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.protocol.frames import ErrorGroup, SeenEvent
from loom_bench.session.snapshots.value import SnapshotsValue
from loom_bench.session.tracing.value import TracingView
from loom_runtime.compiler.document_parts import PlanDocument
from loom_runtime.ledger import LedgerRow


class Phase(StrEnum):
    """What the session is doing."""

    OPENING = "opening"
    LOADING = "loading"
    RUNNING = "running"
    PAUSED = "paused"
    DRAINING = "draining"
    STOPPED = "stopped"
    FAILED = "failed"


class BrokerView(msgspec.Struct, frozen=True, kw_only=True):
    """The broker.

    Attributes:
        kind: ``embedded``, ``mock``, ``docker`` or ``external``; while none is there the one that
            is being opened, or what was chosen.
        bootstrap: Its address.
        reason: Why this one.
        state: ``starting``, ``ready``, ``failed`` or ``dead``.
        owned: Whether the bench started it.
        writable: Whether the bench creates topics and feeds there: its own, or allowed by the user.
        limits: What it cannot do that a real cluster can.
        memory_bytes: Its size, where it can be known.
        opening: What is being done for a broker that is not there yet: this one while it starts,
            else the one that is to follow it; empty for nothing.
        progress: Share of that which is done, 0 to 1; ``None`` when it cannot be told.
        problem: Why it failed or died.
    """

    kind: str = ""
    bootstrap: str = ""
    reason: str = ""
    state: str = "starting"
    owned: bool = False
    writable: bool = False
    limits: tuple[str, ...] = ()
    memory_bytes: int | None = None
    opening: str = ""
    progress: float | None = None
    problem: Diagnosis | None = None


class NodeView(msgspec.Struct, frozen=True, kw_only=True):
    """A node's counters.

    Attributes:
        id: Its id in the plan document.
        records_in: Records that came in since the revision began.
        records_out: Records that went out.
        errors: Failures.
        held: Records held now.
        late: Records that came too late for a window.
        rate_per_s: Records in per second, over the last seconds.
        p50_ms: Median time a record, milliseconds.
        p99_ms: 99th percentile of it.
        busy_share: Share of one worker's time that the node takes, 0 to 1.
    """

    id: str
    records_in: int = 0
    records_out: int = 0
    errors: int = 0
    held: int = 0
    late: int = 0
    rate_per_s: float = 0.0
    p50_ms: float | None = None
    p99_ms: float | None = None
    busy_share: float = 0.0


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One record as a node took it and what it gave for it.

    Attributes:
        at_ms: When, milliseconds since the Unix epoch.
        key: Record key, shown form.
        taken: The payload that came in, as JSON text.
        given: The payloads that went out, as JSON text.
    """

    at_ms: int
    key: str
    taken: str
    given: tuple[str, ...]


class OffsetView(msgspec.Struct, frozen=True, kw_only=True):
    """One source partition: its ledger row and how it moves.

    Attributes:
        row: The ledger's row; position, committed and end offset stand in it.
        rate_per_s: Records read per second.
        lag_history: Lag at the last reports, oldest first.
        committed_at_ms: When the committed offset last moved.
        commits: Commits since the run began.
        commit_failures: Commits that failed.
    """

    row: LedgerRow
    rate_per_s: float = 0.0
    lag_history: tuple[int, ...] = ()
    committed_at_ms: int | None = None
    commits: int = 0
    commit_failures: int = 0

    @property
    def lag(self) -> int | None:
        """Records that are there and were not read; never negative."""
        if self.row.end_offset is None or self.row.position is None:
            return None
        return max(0, self.row.end_offset - self.row.position)


class CommitSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One commit.

    Attributes:
        at_ms: When.
        topic: Source topic.
        partition: Source partition.
        offset: The committed offset.
        problem: Why it failed.
    """

    at_ms: int
    topic: str
    partition: int
    offset: int
    problem: str | None = None


class ErrorGroupView(msgspec.Struct, frozen=True, kw_only=True):
    """Failures that look alike, and how they come.

    Attributes:
        group: The group.
        history: Failures in each of the last intervals, oldest first.
        revision: Number of the revision that first had it.
        is_new: Whether it was first seen since the last reload.
    """

    group: ErrorGroup
    history: tuple[int, ...] = ()
    revision: int = 1
    is_new: bool = False


class OutputSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One record that the flow wrote.

    Attributes:
        at_ms: When.
        topic: Where it was written.
        key: Record key, shown form.
        text: Its value, decoded where that was possible.
        kind: ``record``, ``envelope`` or ``dead_letter``.
    """

    at_ms: int
    topic: str
    key: str
    text: str
    kind: str = "record"


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line that the flow printed or logged.

    Attributes:
        at_ms: When it arrived.
        revision: Number of the revision that printed it.
        stream: ``stdout`` or ``stderr``.
        text: The line.
    """

    at_ms: int
    revision: int
    stream: str
    text: str


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """One state of the flow's code.

    Attributes:
        number: Its number in this session, from 1.
        at_ms: When it was saved, as far as known.
        content_hash: Hash of its source.
        state: ``loading``, ``refused`` (it did not load), ``waiting`` (its state does not fit the
            store), ``ready`` (loaded, reload is manual), ``running`` or ``replaced``.
        summary: What changed against the one before.
        diagnoses: What is wrong with it.
    """

    number: int
    at_ms: int
    content_hash: str
    state: str
    summary: str = ""
    diagnoses: tuple[Diagnosis, ...] = ()


class StateConflict(msgspec.Struct, frozen=True, kw_only=True):
    """A revision whose state does not fit the recovery store.

    Attributes:
        revision: Number of the waiting revision.
        gone: State ids that the store has and the revision lacks.
        new: State ids that the revision has and the store lacks.
        changed: State ids whose state type changed.
    """

    revision: int
    gone: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


class FeedView(msgspec.Struct, frozen=True, kw_only=True):
    """The feed.

    Attributes:
        available: Whether the module has one and the broker is ours.
        running: Whether it feeds now.
        delivered: Records that the broker acknowledged.
        rate_per_s: The rate that was asked for; ``None`` for as fast as it goes.
        problem: Why it ended early.
    """

    available: bool = False
    running: bool = False
    delivered: int = 0
    rate_per_s: float | None = None
    problem: Diagnosis | None = None


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """Something to tell once.

    Attributes:
        number: Ascending; a screen shows each number once.
        text: What to tell.
        severity: ``information``, ``warning`` or ``error``.
    """

    number: int
    text: str
    severity: str = "information"


class SessionValue(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a screen shows.

    Attributes:
        target: Path of the flow's module.
        phase: What the session is doing.
        broker: The broker.
        plan: The plan that runs; ``None`` before the first revision loaded.
        changed_nodes: Ids of nodes that the last reload added or changed.
        removed_nodes: Names of nodes that it removed.
        revisions: The newest revisions, newest last.
        conflict: A revision that waits for a decision.
        diagnoses: What is wrong now: the newest revision's, or why the run failed.
        nodes: Counters by node id.
        samples: Newest samples of the nodes that were asked for, newest last.
        offsets: One entry a source partition.
        commits: The newest commits, newest last.
        events: The newest lifecycle events, newest last.
        events_seen: Events since the session began.
        events_left_out: Events that were never sent or fell out of the ring.
        errors: Groups, the one that failed last first.
        errors_seen: Failures since the session began.
        errors_ungrouped: Failures beyond what can be grouped.
        outputs: The newest outputs, newest last.
        outputs_seen: Records written since the session began.
        logs: The newest lines, newest last.
        logs_seen: Lines since the session began.
        logs_left_out: Lines that are not in ``logs``.
        feed: The feed.
        tracing: Traces, breakpoints, and the stop that the flow waits at.
        manual_reload: Whether a save waits for a key.
        look_only: Whether the flow is shown and never run.
        host_memory_bytes: Memory of the process that runs the flow; ``None`` where it is not known.
        snapshots: The recovery store that is open, as a history.
        notices: The newest notices, newest last.
        elapsed_s: Seconds since the session began.
        at_ms: When the value was made, milliseconds since the Unix epoch; ages are told from it.
    """

    target: str
    phase: Phase = Phase.OPENING
    broker: BrokerView = BrokerView()
    plan: PlanDocument | None = None
    changed_nodes: tuple[str, ...] = ()
    removed_nodes: tuple[str, ...] = ()
    revisions: tuple[Revision, ...] = ()
    conflict: StateConflict | None = None
    diagnoses: tuple[Diagnosis, ...] = ()
    nodes: dict[str, NodeView] = {}
    samples: dict[str, tuple[Sample, ...]] = {}
    offsets: tuple[OffsetView, ...] = ()
    commits: tuple[CommitSeen, ...] = ()
    events: tuple[SeenEvent, ...] = ()
    events_seen: int = 0
    events_left_out: int = 0
    errors: tuple[ErrorGroupView, ...] = ()
    errors_seen: int = 0
    errors_ungrouped: int = 0
    outputs: tuple[OutputSeen, ...] = ()
    outputs_seen: int = 0
    logs: Sequence[LogLine] = ()
    logs_seen: int = 0
    logs_left_out: int = 0
    feed: FeedView = FeedView()
    tracing: TracingView = TracingView()
    manual_reload: bool = False
    look_only: bool = False
    host_memory_bytes: int | None = None
    snapshots: SnapshotsValue = SnapshotsValue()
    notices: tuple[Notice, ...] = ()
    elapsed_s: float = 0.0
    at_ms: int = 0
