"""What a session shows of a recovery store: its history, its state, its forks and their replays.

An epoch is named by the number under which the store keeps it, and stands for the moment at which
it was closed. Texts in here come from outside as they are: whoever shows them makes them safe.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.session.snapshots.bisection_value import Bisection
from loom_bench.session.snapshots.comparison_value import Comparison
from loom_bench.session.snapshots.replay_value import Replay


class MarkKind(StrEnum):
    """What happened at an epoch."""

    START = "start"
    RELOAD = "reload"
    ERROR = "error"
    DRAIN = "drain"
    CRASH = "crash"


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened at an epoch.

    Attributes:
        kind: What.
        text: In words.
        count: How many records failed, for an ``error``.
    """

    kind: MarkKind
    text: str = ""
    count: int = 0


class EpochView(msgspec.Struct, frozen=True, kw_only=True):
    """One epoch of a store.

    Attributes:
        number: Its number in the store.
        at_ms: When it was closed, milliseconds since the Unix epoch; ``None`` in a foreign store.
        positions: Next offset to read, by source partition (``topic:0``).
        records: Records consumed since the epoch before it in the list; ``None`` where the store
            does not tell.
        keys_changed: Keys written or discarded in it; ``None`` until they are counted.
        state_bytes: Size of what was written for them; ``None`` until it is counted.
        revision: Revision of the code that wrote it.
        marks: What happened at it.
        complete: Whether every partition of the store has it: only then may it be chosen.
        why_not: Why it may not be chosen; empty when it may.
    """

    number: int
    at_ms: int | None = None
    positions: dict[str, int] = {}
    records: int | None = None
    keys_changed: int | None = None
    state_bytes: int | None = None
    revision: str | None = None
    marks: tuple[Mark, ...] = ()
    complete: bool = True
    why_not: str = ""


class StepView(msgspec.Struct, frozen=True, kw_only=True):
    """A step that keeps state.

    Attributes:
        step_id: Its id in the store, without the flow's.
        node: Name of its node.
        kind: ``stateful_step`` or ``collect_batch``; empty in a foreign store.
        state_type: Stable name of the state's type.
    """

    step_id: str
    node: str = ""
    kind: str = ""
    state_type: str = ""


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """The history that a store holds.

    Attributes:
        store: Folder of the store.
        root: Folder of the store that it is a fork of; its own when it is none.
        flow: Name of the flow that wrote it.
        ours: Whether our runtime wrote it; of another store only the structure is shown.
        partitions: SQLite files of the store.
        size_bytes: Size of its files.
        in_use: Whether a run writes it now.
        steps: Steps that keep state.
        epochs: Epochs, oldest first.
        resume_epoch: First epoch that the next run would write.
        counted: Share of the history whose changes were counted, 0 to 1.
        kept: What history is kept, in words.
    """

    store: str
    root: str = ""
    flow: str = ""
    ours: bool = True
    partitions: int = 0
    size_bytes: int = 0
    in_use: bool = False
    steps: tuple[StepView, ...] = ()
    epochs: tuple[EpochView, ...] = ()
    resume_epoch: int = 1
    counted: float = 0.0
    kept: str = ""


class FieldChange(msgspec.Struct, frozen=True, kw_only=True):
    """A field of a value that differs.

    Attributes:
        path: Where, for example ``carriers[2].count``; empty for the whole value.
        before: JSON text of what it was; ``None`` when it was not there.
        after: JSON text of what it is; ``None`` when it is not there.
    """

    path: str
    before: str | None
    after: str | None


class StateRow(msgspec.Struct, frozen=True, kw_only=True):
    """A key's value at an epoch.

    Attributes:
        step_id: The step.
        key: The key.
        text: The value as JSON text, or the structure of a foreign pickle; ``None`` when the key
            was discarded.
        written_at_epoch: Epoch that wrote it.
        size_bytes: Size of the stored value.
        readable: Whether *text* is the value; otherwise it is told from the pickle's opcodes.
        changed: Whether the chosen epoch wrote it.
        changes: What differs from the value before, when *changed* was asked for.
    """

    step_id: str
    key: str
    text: str | None
    written_at_epoch: int
    size_bytes: int = 0
    readable: bool = True
    changed: bool = False
    changes: tuple[FieldChange, ...] = ()


class StateQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of the state is asked for.

    Attributes:
        epoch: The epoch.
        step_id: Only this step; ``None`` for the first one.
        search: Only keys that contain it; a search for a beginning (``abc*``) is faster.
        changed_only: Only keys that the epoch wrote, each with what differs.
        after: Key after which the page begins; ``None`` for the first page.
        limit: Most rows of the page.
    """

    epoch: int
    step_id: str | None = None
    search: str = ""
    changed_only: bool = False
    after: str | None = None
    limit: int = 100


class StatePage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the state at an epoch.

    Attributes:
        query: What was asked for, the step filled in.
        rows: Keys in order.
        more: Whether keys follow; the next page begins after the last row, or after *looked_up_to*.
        looked_up_to: Last key that a search has looked at when it stopped at its time limit;
            ``None`` when it looked at all that it had to.
    """

    query: StateQuery
    rows: tuple[StateRow, ...] = ()
    more: bool = False
    looked_up_to: str | None = None


class KeyHistory(msgspec.Struct, frozen=True, kw_only=True):
    """Every value of a key that the store holds.

    Attributes:
        step_id: The step.
        key: The key.
        rows: Its values, oldest first, each with what differs from the one before.
    """

    step_id: str
    key: str
    rows: tuple[StateRow, ...] = ()


class Touch(msgspec.Struct, frozen=True, kw_only=True):
    """A source record that touched a key.

    Attributes:
        partition: Source partition (``topic:0``).
        offset: Offset of the record.
        at_ms: Its timestamp.
        record: Its value as text.
        before: The key's value before it, JSON text; ``None`` without one.
        after: The key's value after it; ``None`` without one.
        changes: What differs.
    """

    partition: str
    offset: int
    at_ms: int | None = None
    record: str = ""
    before: str | None = None
    after: str | None = None
    changes: tuple[FieldChange, ...] = ()


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """Why a key has its value: the source records that touched it between two epochs.

    Attributes:
        step_id: The step.
        key: The key.
        from_epoch: Epoch before the first record.
        to_epoch: Epoch after the last one.
        touches: The records, in the order of the replay.
        running: Whether the search goes on.
        looked_at: Records replayed so far.
        problem: Why it ended early.
    """

    step_id: str
    key: str
    from_epoch: int
    to_epoch: int
    touches: tuple[Touch, ...] = ()
    running: bool = False
    looked_at: int = 0
    problem: Diagnosis | None = None


class ForkView(msgspec.Struct, frozen=True, kw_only=True):
    """A fork of a store.

    Attributes:
        name: Its name.
        folder: Its folder.
        parent: Name of the fork that it was cut from; empty for the store itself.
        epoch: Epoch that it was cut at.
        revision: Revision that wrote that epoch.
        epoch_at_ms: When that epoch was closed.
        made_at_ms: When the fork was made.
        size_bytes: Disk that it uses.
        replayed_to: Epoch that its replays have reached; ``None`` while it is as it was cut.
        note: What it was made for.
    """

    name: str
    folder: str
    parent: str = ""
    epoch: int
    revision: str | None = None
    epoch_at_ms: int | None = None
    made_at_ms: int = 0
    size_bytes: int = 0
    replayed_to: int | None = None
    note: str = ""


class Fit(StrEnum):
    """Whether a fork can be replayed with a revision."""

    FITS = "fits"
    WARNED = "warned"
    REFUSED = "refused"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a compatibility check found.

    Attributes:
        fit: How grave it is.
        what: What.
        what_next: What to do about it.
    """

    fit: Fit
    what: str
    what_next: str = ""


class MissingRecords(msgspec.Struct, frozen=True, kw_only=True):
    """Records that a replay would need and the broker has no more.

    Attributes:
        partition: Source partition (``topic:0``).
        needed_from: Offset at which the fork goes on.
        log_begins: First offset of the log.
        gone: How many are gone at most.
    """

    partition: str
    needed_from: int
    log_begins: int
    gone: int


class Compatibility(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a fork can be replayed with a revision.

    Attributes:
        fork: Name of the fork.
        revision: The revision; ``current`` for the code on disk.
        fit: The gravest of the findings.
        findings: Everything that was found.
        gone: Step ids that the fork has and the revision lacks.
        new: Step ids that the revision has and the fork lacks.
        suggested: New step id by old step id, where one looks like the other.
        missing: Records that the broker has no more.
    """

    fork: str
    revision: str
    fit: Fit = Fit.FITS
    findings: tuple[Finding, ...] = ()
    gone: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    suggested: dict[str, str] = {}
    missing: tuple[MissingRecords, ...] = ()


class KeptRevision(msgspec.Struct, frozen=True, kw_only=True):
    """A revision whose source the bench has kept.

    Attributes:
        name: Its name, as snapshots carry it.
        kept_at_ms: When it was first run.
        files: Its files, relative to the folder that they share.
        size_bytes: Their size.
    """

    name: str
    kept_at_ms: int
    files: tuple[str, ...] = ()
    size_bytes: int = 0


class SnapshotsValue(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a screen shows of a store.

    Attributes:
        timeline: The store that is open; ``None`` when none is.
        page: The state that was asked for last.
        history: The key that was asked for last.
        why: Why a key has its value, as asked for last.
        forks: Forks of the store, each after its parent.
        revisions: Revisions whose source is kept, newest last.
        compatibility: The check that was asked for last.
        replay: The replay that runs or ran last.
        comparison: The comparison that runs or ran last.
        bisection: The bisection that runs or ran last.
        busy: What is being done and what waits, in words; empty for nothing.
        problem: Why what was asked for last could not be done.
    """

    timeline: Timeline | None = None
    page: StatePage | None = None
    history: KeyHistory | None = None
    why: Why | None = None
    forks: tuple[ForkView, ...] = ()
    revisions: tuple[KeptRevision, ...] = ()
    compatibility: Compatibility | None = None
    replay: Replay | None = None
    comparison: Comparison | None = None
    bisection: Bisection | None = None
    busy: str = ""
    problem: Diagnosis | None = None
