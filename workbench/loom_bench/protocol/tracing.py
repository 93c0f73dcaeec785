"""Tracing: one record through a host's revision, many records, and stops of the live flow."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from loom_runtime.tracing.shown import EditedMessage
from loom_runtime.tracing.trace import SourceRecord, Trace, TraceStop

TRACE_TIME_LIMIT_MS: Final = 10_000
"""Longest time that one record may take in a trace host before it is cut off."""

PROOF_TIME_LIMIT_MS: Final = 5_000
"""The same for one of many records: it waits for the processor behind the flow that runs."""


def printed_end(trace: int) -> bytes:
    """Return the line that a host writes to its output and its errors when a trace has ended: what
    the code printed comes by another way than the trace, and would be taken for the next one's."""
    return b"\0end of trace %d\n" % trace


# From the bench to a host that has loaded a revision and runs nothing


class KnownState(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one key, to trace with.

    Attributes:
        state_id: Bytewax step id of the stateful step.
        key: The key.
        blob: The state as the recovery store has it (:mod:`loom_runtime.wire.state`); ``None`` for
            a key without one.
    """

    state_id: str
    key: str
    blob: bytes | None


class TraceRecord(msgspec.Struct, frozen=True, kw_only=True, tag="trace_record"):
    """Run one record through the loaded flow, with nothing written; answered by TraceProgress
    frames, StateWanted where a key's state is not known, and Traced at the end.

    Attributes:
        id: Number that the answers carry.
        record: The source record.
        start: Id of the node to begin at, with ``message``; ``None`` begins at the source.
        message: What that node takes instead of what would have reached it.
        states: State of keys as far as known; what else is needed is asked for.
        ask_for_states: Whether to ask; otherwise keys that are not in ``states`` have none.
        flush: Whether batches and windows that hold the record are handed on at the end.
        time_limit_ms: When it takes longer, the host dumps its stacks: the bench ends it then.
    """

    id: int
    record: SourceRecord
    start: str | None = None
    message: EditedMessage | None = None
    states: tuple[KnownState, ...] = ()
    ask_for_states: bool = False
    flush: bool = True
    time_limit_ms: int = TRACE_TIME_LIMIT_MS


class StateGiven(msgspec.Struct, frozen=True, tag="state_given"):
    """Answers StateWanted."""

    state: KnownState


class ProofCase(msgspec.Struct, frozen=True, kw_only=True):
    """One record to be proved.

    Attributes:
        id: Identity that the answer carries.
        record: The source record.
        fingerprint: Fingerprint of the failure that it had.
        states: State of keys as far as known.
    """

    id: str
    record: SourceRecord
    fingerprint: str
    states: tuple[KnownState, ...] = ()


class ProveRecords(msgspec.Struct, frozen=True, kw_only=True, tag="prove_records"):
    """Run records through the loaded flow, each by itself, with nothing written; answered by
    Proved frames, the last of which says so. Send chunks: the next one is not begun before its
    frame came, so that a proof can be given up between two.

    Attributes:
        id: Number that the answers carry.
        cases: The records.
        time_limit_ms: For one record, as in TraceRecord.
        share: Share of one processor's time that it may take, above 0 to 1.
        ask_for_states: Whether to ask, by StateWanted, for the state of a key that is not known;
            otherwise such a key has none.
    """

    id: int
    cases: tuple[ProofCase, ...]
    time_limit_ms: int = PROOF_TIME_LIMIT_MS
    share: float = 1.0
    ask_for_states: bool = False


# From the bench to a host that runs


class SetPauseOnError(msgspec.Struct, frozen=True, tag="set_pause_on_error"):
    """Choose whether the run stops at a record that fails, before its envelope is written."""

    on: bool


class SetBreakpoint(msgspec.Struct, frozen=True, kw_only=True, tag="set_breakpoint"):
    """Stop before a node takes a record that fits; answered by BreakpointSet.

    Attributes:
        id: Number of the breakpoint; one of the same number is replaced.
        node: Id of the node.
        condition: Expression over ``payload`` and ``msg`` in the words of routes, as
            ``payload.amount > 100``; ``None`` for any record.
    """

    id: int
    node: str
    condition: str | None = None


class ClearBreakpoint(msgspec.Struct, frozen=True, tag="clear_breakpoint"):
    """Forget a breakpoint."""

    id: int


class StopAction(StrEnum):
    """What becomes of the record at which a live flow has stopped.

    ``go_on``: what would have become of it without the stop. ``skip``: it is dropped, counted as
    filtered. ``dead_letter``: it becomes an envelope of kind ``routing``, or the one that it was to
    become. ``edit``: the node takes the edited message in its place. ``run_again``: the node takes
    the same message again.
    """

    GO_ON = "go_on"
    SKIP = "skip"
    DEAD_LETTER = "dead_letter"
    EDIT = "edit"
    RUN_AGAIN = "run_again"


class AnswerStop(msgspec.Struct, frozen=True, kw_only=True, tag="answer_stop"):
    """Have a stopped flow go on.

    Attributes:
        id: Number of the stop; an answer to another one is left alone.
        action: What becomes of the record.
        message: The edited message, for ``edit``.
    """

    id: int
    action: StopAction
    message: EditedMessage | None = None


# From a host to the bench


class TraceProgress(msgspec.Struct, frozen=True, kw_only=True, tag="trace_progress"):
    """A node has begun (its outcome is ``running``) or ended.

    Attributes:
        id: Number of the TraceRecord.
        stop: The stop; takes the place of the one with the same number.
    """

    id: int
    stop: TraceStop


class StateWanted(msgspec.Struct, frozen=True, kw_only=True, tag="state_wanted"):
    """A trace or a proof waits for the state of a key; answered by StateGiven.

    Attributes:
        id: Number of the TraceRecord, or of the ProveRecords.
        state_id: Bytewax step id of the stateful step.
        key: The key.
    """

    id: int
    state_id: str
    key: str


class Traced(msgspec.Struct, frozen=True, kw_only=True, tag="traced"):
    """A trace is complete.

    Attributes:
        id: Number of the TraceRecord.
        trace: The trace.
    """

    id: int
    trace: Trace


class Verdict(StrEnum):
    """What a revision makes of a record that failed.

    ``passes``: it does not fail. ``same_error``: its first failure has the same fingerprint.
    ``different_error``: it has another. ``cut_off``: it hung, or ended its process.
    ``not_proved``: it cannot be run, as when its source topic is none of the flow's.
    """

    PASSES = "passes"
    SAME_ERROR = "same_error"
    DIFFERENT_ERROR = "different_error"
    CUT_OFF = "cut_off"
    NOT_PROVED = "not_proved"


class ProofResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one record.

    Attributes:
        id: Identity of the case.
        verdict: The verdict.
        fingerprint: Fingerprint of the first failure; empty without one.
        node: Node of that failure.
        reason: Its text, of bounded length, or why it was cut off or not proved.
    """

    id: str
    verdict: Verdict
    fingerprint: str = ""
    node: str = ""
    reason: str = ""


class Proved(msgspec.Struct, frozen=True, kw_only=True, tag="proved"):
    """Some records of a proof are done.

    Attributes:
        id: Number of the ProveRecords.
        results: What came of them.
        last: Whether these were the last ones.
    """

    id: int
    results: tuple[ProofResult, ...]
    last: bool = False


class BreakpointSet(msgspec.Struct, frozen=True, kw_only=True, tag="breakpoint_set"):
    """A breakpoint is set, or cannot be.

    Attributes:
        id: Its number.
        problem: Why it cannot be; ``None`` when it is.
    """

    id: int
    problem: str | None = None


class LiveStop(msgspec.Struct, frozen=True, kw_only=True, tag="live_stop"):
    """The run has stopped at a record and waits for AnswerStop. Nothing of the record's batch has
    left the segment: when the run is ended instead, the batch is read again by the next one.

    Attributes:
        id: Number of the stop, ascending.
        breakpoint: Number of the breakpoint that it met; ``None`` for a failure.
        node: Id of the node: the one that failed, or the one that would take the record next.
        at_ms: When, milliseconds since the Unix epoch.
        topic: Source topic of the record.
        partition: Its partition.
        offset: Its offset.
        trace: The record's way so far; its last stop is the node's, with what it takes.
        waiting: How many more records of the same batch stop here.
    """

    id: int
    node: str
    at_ms: int
    topic: str
    partition: int
    offset: int
    trace: Trace
    breakpoint: int | None = None
    waiting: int = 0


class StopEnded(msgspec.Struct, frozen=True, kw_only=True, tag="stop_ended"):
    """A stop is over.

    Attributes:
        id: Number of the stop.
        action: What became of the record; ``None`` when the run ends with the record unwritten.
        problem: Why an answer could not be used: the stop is not over then.
    """

    id: int
    action: StopAction | None = None
    problem: str | None = None
