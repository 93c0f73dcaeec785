"""The frozen value of the inbox that its screens are drawn from.

It is apart from the session's value: it changes only while envelopes come, or are looked at. Texts
in it come from outside as they are: whoever shows them makes them safe.
"""

from __future__ import annotations

import msgspec

from loom_bench.broker.place import RecordPlace
from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.protocol.tracing import Verdict
from loom_bench.session.envelopes.redrive_value import RedrivePlan, RedriveProgress
from loom_bench.session.envelopes.terms import (
    InboxFilter,
    Origin,
    TriageState,
)


class ProofTally(msgspec.Struct, frozen=True, kw_only=True):
    """How far open envelopes were run through a revision, and how they did.

    Attributes:
        revision: Number of the revision.
        passes: Records that pass in it.
        same_error: Records that fail as before.
        different_error: Records that fail in another way.
        untried: Records that were cut off or could not be tried; their rows say why.
        waiting: Records that were not tried.
        under_way: Whether those that wait are being tried; a proof that ended early leaves some.
    """

    revision: int
    passes: int = 0
    same_error: int = 0
    different_error: int = 0
    untried: int = 0
    waiting: int = 0
    under_way: bool = False

    @property
    def tried(self) -> int:
        """How many have a verdict."""
        return self.passes + self.same_error + self.different_error + self.untried

    @property
    def done(self) -> bool:
        """Whether all were tried."""
        return self.waiting == 0


class EnvelopeRow(msgspec.Struct, frozen=True, kw_only=True):
    """One envelope as a list shows it.

    Attributes:
        id: Its identity in commands: where it lies, or the file that it was imported from.
        fingerprint: Its group.
        origin: Who wrote it.
        at_ms: When it was written, milliseconds since the Unix epoch; 0 when that is not known.
        place: Where it lies; ``None`` when it was imported.
        source: Where the record lies that failed, when that is known.
        key: Key of that record, shown form.
        kind: Error kind; empty for a foreign one.
        node: Node that failed; of a foreign one the stage, connector or consumer group.
        exception_type: Type of the exception.
        reason: Its text.
        revision: Revision that failed, as the envelope tells it; for a session's own failures
            ``r`` and the number.
        attempt: 1 for a record's first failure.
        state: What was decided about it.
        fixed_in: Number of the revision that proved it fixed, while ``state`` is ``fixed``.
        parked: Whether it was redriven and failed again in the same way: it is not redriven again
            unless it is chosen by itself.
        verdict: How it did in the newest revision; ``None`` before it was tried.
        verdict_reason: The error that it fails with in that revision, or why it was not tried.
    """

    id: str
    fingerprint: str
    origin: Origin
    at_ms: int = 0
    place: RecordPlace | None = None
    source: RecordPlace | None = None
    key: str = ""
    kind: str = ""
    node: str = ""
    exception_type: str = ""
    reason: str = ""
    revision: str = ""
    attempt: int = 1
    state: TriageState = TriageState.OPEN
    fixed_in: int | None = None
    parked: bool = False
    verdict: Verdict | None = None
    verdict_reason: str = ""


class InboxGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Envelopes that failed in the same way.

    Attributes:
        fingerprint: Identity of the group.
        origin: Who wrote them.
        kind: Error kind; empty for foreign ones.
        node: Node that failed, or the foreign place.
        exception_type: Type of the exception.
        reason: Text of the newest.
        traceback: User frames of the newest, or the foreign stack trace; ``None`` when there are
            none.
        count: Envelopes that were read.
        kept: How many of them can be looked at one by one; the others are counted, and reached by
            a redrive of the group only.
        states: How many are in each state; a state that none is in is absent.
        fixed_in: Number of the revision that proved the newest fixed one fixed.
        parked: How many failed again in the same way after a redrive.
        history: Envelopes in each of the last intervals, oldest first, for a sparkline.
        first_ms: When the first was written, milliseconds since the Unix epoch.
        last_ms: When the newest was.
        revision: Revision of the newest, as the envelopes tell it.
        is_new: Whether it was first seen since the last reload.
        matches: How many of the kept ones the filter lets through.
        proof: How its open envelopes do in the newest revision; ``None`` before any was tried.
    """

    fingerprint: str
    origin: Origin
    kind: str
    node: str
    exception_type: str
    reason: str
    traceback: str | None = None
    count: int = 0
    kept: int = 0
    states: dict[TriageState, int] = {}
    fixed_in: int | None = None
    parked: int = 0
    history: tuple[int, ...] = ()
    first_ms: int = 0
    last_ms: int = 0
    revision: str = ""
    is_new: bool = False
    matches: int = 0
    proof: ProofTally | None = None

    @property
    def open(self) -> int:
        """How many are open."""
        return self.states.get(TriageState.OPEN, 0)


class EnvelopeWindow(msgspec.Struct, frozen=True, kw_only=True):
    """A window on the kept envelopes of the chosen group that the filter lets through.

    Attributes:
        fingerprint: The group; ``None`` for those of all groups.
        first: Number of the first row of the window, from 0; the newest envelope is number 0.
        total: How many rows there are.
        rows: Those of the window, newest first.
    """

    fingerprint: str | None = None
    first: int = 0
    total: int = 0
    rows: tuple[EnvelopeRow, ...] = ()


class TopicReading(msgspec.Struct, frozen=True, kw_only=True):
    """How far an error or dead-letter topic was read.

    Attributes:
        topic: The topic.
        read: Records that were read.
        behind: Records that are there and were not read; ``None`` when that is not known yet.
        strange: Records that are no envelope of any kind that is known; they are left alone.
        problem: Why it cannot be read.
    """

    topic: str
    read: int = 0
    behind: int | None = None
    strange: int = 0
    problem: Diagnosis | None = None


class KeptReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the inbox holds of all that it read.

    Attributes:
        seen: Envelopes that were read.
        kept: Envelopes that can be looked at one by one.
        counted: Envelopes that are counted in their group and lie in their topic only.
        ungrouped: Envelopes of yet other groups than can be told apart.
        bytes: About how much memory the kept ones take.
        text: All that in a sentence; empty while everything is kept.
    """

    seen: int = 0
    kept: int = 0
    counted: int = 0
    ungrouped: int = 0
    bytes: int = 0
    text: str = ""


class ShownBytes(msgspec.Struct, frozen=True, kw_only=True):
    """A value, a key or a header as it lies on a topic.

    Attributes:
        content: The bytes, cut to a length that a screen can take; ``None`` for no value.
        size_bytes: How many there are.
    """

    content: bytes | None = None
    size_bytes: int = 0

    @property
    def cut(self) -> bool:
        """Whether some are left out."""
        return self.content is not None and len(self.content) < self.size_bytes


class ShownRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A record as it lies on a topic.

    Attributes:
        place: Where; ``None`` when it was imported.
        at_ms: Its timestamp, milliseconds since the Unix epoch; ``None`` when it has none.
        key: Its key.
        value: Its value.
        headers: Its headers.
    """

    place: RecordPlace | None
    at_ms: int | None
    key: ShownBytes
    value: ShownBytes
    headers: tuple[tuple[str, ShownBytes], ...] = ()


class OpenEnvelope(msgspec.Struct, frozen=True, kw_only=True):
    """The envelope that is looked at.

    Attributes:
        row: It, as in the list.
        record: The envelope's record.
        source: The record that failed; ``None`` while it is fetched, or when it is gone.
        traceback: User frames of the failure, or the foreign stack trace.
        headers: What a foreign envelope tells in its headers, and of ours the fields that a row
            has not: name and text.
        trace: Number of the newest trace of it in ``TracingView.traces`` of the session's value;
            ``None`` before there is one.
        edited: Whether that trace ran with an edited value.
        problem: Why there is no trace, or no source.
    """

    row: EnvelopeRow
    record: ShownRecord | None = None
    source: ShownRecord | None = None
    traceback: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    trace: int | None = None
    edited: bool = False
    problem: Diagnosis | None = None


class InboxNotice(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a command, to tell once.

    Attributes:
        number: Ascending; a screen shows each number once.
        text: What to tell.
        severity: ``information``, ``warning`` or ``error``.
        path: The file that was written, for a test or an export.
    """

    number: int
    text: str
    severity: str = "information"
    path: str | None = None


class InboxValue(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about envelopes that a screen shows.

    Attributes:
        number: Ascends with every change: equal numbers, equal values.
        topics: The error and dead-letter topics of the flow, and how far they were read.
        groups: Groups that the filter lets through, the one with the newest envelope first.
        groups_total: How many groups there are, the filtered ones included.
        states: How many envelopes are in each state, over all groups.
        kept: What is held of all that was read.
        filter: The filter.
        window: The rows that are shown.
        opened: The envelope that is looked at; ``None`` for none.
        proof: How all open envelopes do in the newest revision; ``None`` before any reload.
        node_proofs: The same by the name of the node that failed, for the graph.
        proving: Whether open envelopes are run through a revision now.
        plan: The dry run of a redrive; ``None`` for none.
        redrive: The redrive under way, or the last one.
        undoable: What undo would take back, in words; empty for nothing.
        store_path: File that the triage states are kept in; ``None`` when they end with the
            session, because the broker does, or because the file cannot be used.
        notices: The newest notices, newest last.
        at_ms: When the value was made, milliseconds since the Unix epoch; ages are told from it.
        made_in_ms: How long making it took.
    """

    number: int = 0
    topics: tuple[TopicReading, ...] = ()
    groups: tuple[InboxGroup, ...] = ()
    groups_total: int = 0
    states: dict[TriageState, int] = {}
    kept: KeptReport = KeptReport()
    filter: InboxFilter = InboxFilter()
    window: EnvelopeWindow = EnvelopeWindow()
    opened: OpenEnvelope | None = None
    proof: ProofTally | None = None
    node_proofs: dict[str, ProofTally] = {}
    proving: bool = False
    plan: RedrivePlan | None = None
    redrive: RedriveProgress | None = None
    undoable: str = ""
    store_path: str | None = None
    notices: tuple[InboxNotice, ...] = ()
    at_ms: int = 0
    made_in_ms: float = 0.0

    @property
    def open(self) -> int:
        """How many envelopes are open."""
        return self.states.get(TriageState.OPEN, 0)
