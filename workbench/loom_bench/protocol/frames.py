"""The frames: what a host tells the bench, and what the bench tells a host.

Counters are absolute, so that a frame that was merged or left out never makes a total wrong.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from loom_bench.protocol.decoding import DecodePickles, PicklesDecoded
from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.protocol.feeding import Feed, FeedFinished, FeedProgress, SetRate
from loom_bench.protocol.measurements import Commits, Nodes, Outputs, Samples
from loom_bench.protocol.replaying import ReplayOrder, ReplayProgress, SteerReplay
from loom_bench.protocol.security import NO_SECURITY, ClientSecurity
from loom_bench.protocol.steering import RecordWritten, StepBatch, WarmUp, WatchNode, WriteRecord
from loom_bench.protocol.tracing import (
    AnswerStop,
    BreakpointSet,
    ClearBreakpoint,
    LiveStop,
    Proved,
    ProveRecords,
    SetBreakpoint,
    SetPauseOnError,
    StateGiven,
    StateWanted,
    StopEnded,
    Traced,
    TraceProgress,
    TraceRecord,
)
from loom_runtime.compiler.document_parts import PlanDocument
from loom_runtime.ledger import LedgerReport
from loom_runtime.recovery.identity import StoreIdentity

PROTOCOL_VERSION: Final = 1

LOAD_TIME_LIMIT_MS: Final = 20_000
"""Longest time that importing and compiling may take: far more than heavy libraries need."""

Plain = str | int | float | bool | None
"""What an event's details may hold."""


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """The first frame of either side.

    Attributes:
        version: Protocol version of the sender.
        pid: Process id of the sender.
    """

    version: int
    pid: int


# From the bench to a host


class Load(msgspec.Struct, frozen=True, kw_only=True, tag="load"):
    """Import a module and compile a flow of it; answered by Loaded or LoadFailed.

    Attributes:
        target: Path of the module, with ``:ATTRIBUTE`` when it has several flows.
        config_path: Configuration file; ``None`` looks for one beside the module.
        bootstrap: Addresses that override those of the configuration; ``None`` for none.
        plaintext: Whether the broker there knows no TLS and no login, whatever is configured.
        to_run: Whether Start will follow.
        replay: Whether nothing that is run counts, as in a replay or a trace: the user's code sees
            ``LOOM_REPLAY=1``.
        time_limit_ms: When it takes longer, the host dumps its stacks: the bench ends it then.
    """

    target: str
    config_path: str | None = None
    bootstrap: str | None = None
    plaintext: bool = False
    to_run: bool = False
    replay: bool = False
    time_limit_ms: int = LOAD_TIME_LIMIT_MS


class Check(msgspec.Struct, frozen=True, kw_only=True, tag="check"):
    """Import a module and compile every flow of it; answered by Checked.

    Attributes:
        target: Path of the module, with ``:ATTRIBUTE`` for one flow of it.
        config_path: Configuration file; ``None`` looks for one beside the module.
        time_limit_ms: As in Load.
    """

    target: str
    config_path: str | None = None
    time_limit_ms: int = LOAD_TIME_LIMIT_MS


class Start(msgspec.Struct, frozen=True, kw_only=True, tag="start"):
    """Run the loaded flow; answered by Started, and by Finished at the end.

    Attributes:
        until_idle_ms: Finish when nothing was there to read for so long; ``None`` for never.
        max_records: Finish when so many were read; ``None`` for no limit.
        bootstrap: Addresses that override those that the flow was loaded with; ``None`` for none.
        plaintext: Whether the broker there knows no TLS and no login, whatever is configured.
        store: Folder of a recovery store that takes the place of the configured one; ``None``
            leaves the configuration as it is.
        paused: Whether to begin paused.
        live: Whether revisions will follow: the flow runs in this process alone, and in short
            epochs unless their length is configured.
        replay: What makes the run a replay of the fork in *store*; ``None`` for no replay.
    """

    until_idle_ms: int | None = None
    max_records: int | None = None
    bootstrap: str | None = None
    plaintext: bool = False
    store: str | None = None
    paused: bool = False
    live: bool = False
    replay: ReplayOrder | None = None


class FinishWhenIdle(msgspec.Struct, frozen=True, tag="finish_when_idle"):
    """Finish when nothing was there to read for so long, counted from now.

    Attributes:
        until_idle_ms: How long.
    """

    until_idle_ms: int


class Drain(msgspec.Struct, frozen=True, tag="drain"):
    """Stop reading, close the epoch, commit, end; what is held stays held."""


class Finish(msgspec.Struct, frozen=True, tag="finish"):
    """As Drain, but hand on open batches and windows first."""


class Pause(msgspec.Struct, frozen=True, tag="pause"):
    """Stop reading for now."""


class Resume(msgspec.Struct, frozen=True, tag="resume"):
    """Go on reading."""


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """End a feed, or a host that runs nothing."""


BenchFrame = (
    Load
    | Check
    | Start
    | Feed
    | SetRate
    | FinishWhenIdle
    | Drain
    | Finish
    | Pause
    | Resume
    | Stop
    | WarmUp
    | StepBatch
    | WatchNode
    | WriteRecord
    | TraceRecord
    | StateGiven
    | ProveRecords
    | SetPauseOnError
    | SetBreakpoint
    | ClearBreakpoint
    | AnswerStop
    | SteerReplay
    | DecodePickles
)
"""Whatever the bench sends after its Hello."""


# From a host to the bench


class Loaded(msgspec.Struct, frozen=True, kw_only=True, tag="loaded"):
    """A flow was compiled.

    Attributes:
        plan: The compiled plan as data.
        module: Name that the module was imported under.
        module_files: Local source files that were imported: the module and what it needs.
        config_sources: Configuration files that were read; empty when defaults were made.
        replaced_brokers: Addresses in them that Load's took the place of.
        has_feed: Whether the module defines ``bench_feed()``.
        feed_hash: Hash of that function's code and of the source's payload types.
        identity: What the plan demands of a recovery store.
        store: Folder of the recovery store that the configuration names; ``None`` for none.
        revision: Name of the code's version, as snapshots and envelopes carry it.
        security: How others log in where the flow does.
        source_brokers: Addresses of the brokers that it reads from.
    """

    plan: PlanDocument
    module: str
    module_files: tuple[str, ...]
    config_sources: tuple[str, ...]
    has_feed: bool
    replaced_brokers: tuple[str, ...] = ()
    feed_hash: str = ""
    identity: StoreIdentity | None = None
    store: str | None = None
    revision: str = ""
    security: ClientSecurity = NO_SECURITY
    source_brokers: str = ""


class LoadFailed(msgspec.Struct, frozen=True, tag="load_failed"):
    """A module could not be imported, or its flow not compiled.

    Attributes:
        diagnoses: Everything that is wrong with it, at least one.
        module_files: Local source files that were imported by then.
    """

    diagnoses: tuple[Diagnosis, ...]
    module_files: tuple[str, ...] = ()


class Checked(msgspec.Struct, frozen=True, kw_only=True, tag="checked"):
    """Every flow of a module was compiled.

    Attributes:
        flows: Names of the flows; none when the module could not be imported or has none.
        diagnoses: Everything that is wrong with them.
    """

    flows: tuple[str, ...]
    diagnoses: tuple[Diagnosis, ...]


class Started(msgspec.Struct, frozen=True, tag="started"):
    """The loaded flow runs."""


class SeenEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A lifecycle event of the flow.

    Attributes:
        scope: What it is about: ``flow``, ``node``, ``write`` and so on.
        name: Name of the node or operation.
        kind: ``start``, ``end`` or ``error``.
        at_ms: When, milliseconds since the Unix epoch.
        trace_id: Trace that it belongs to.
        duration_ms: How long it took.
        status: ``success`` or ``failure``.
        error: Text of the failure.
        meta: Further details.
    """

    scope: str
    name: str
    kind: str
    at_ms: int
    trace_id: str | None = None
    duration_ms: float | None = None
    status: str | None = None
    error: str | None = None
    meta: dict[str, Plain] = {}


class Events(msgspec.Struct, frozen=True, kw_only=True, tag="events"):
    """Lifecycle events, sampled under flood.

    Attributes:
        events: Those that were kept, oldest first.
        seen: How many there were since the run began.
        left_out: How many of them were not sent.
    """

    events: tuple[SeenEvent, ...]
    seen: int
    left_out: int


class ErrorGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Failures that look alike: same kind, node, exception type and user frames.

    Attributes:
        fingerprint: Identity of the group, hexadecimal.
        kind: Error kind.
        node: Node that failed.
        exception_type: ``module.qualname`` of the exception.
        reason: Text of one of them.
        count: How many there were since the run began.
        first_ms: When the first came, milliseconds since the Unix epoch.
        last_ms: When the newest came.
        topic: Source topic of the newest.
        partition: Source partition of the newest.
        offset: Offset of the newest.
        traceback: User frames of the first; ``None`` when there are none.
    """

    fingerprint: str
    kind: str
    node: str
    exception_type: str
    reason: str
    count: int
    first_ms: int
    last_ms: int
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    traceback: str | None = None


class Errors(msgspec.Struct, frozen=True, kw_only=True, tag="errors"):
    """Failures of records, grouped.

    Attributes:
        groups: Groups that changed since the last frame.
        seen: How many failures there were since the run began.
        ungrouped: How many of them came when there were too many groups for another.
    """

    groups: tuple[ErrorGroup, ...]
    seen: int
    ungrouped: int


class Ledger(msgspec.Struct, frozen=True, tag="ledger"):
    """The ledger at the end of an epoch."""

    report: LedgerReport


class Finished(msgspec.Struct, frozen=True, kw_only=True, tag="finished"):
    """The run ended.

    Attributes:
        outcome: ``finished`` when a limit was reached or a finish was asked for, ``drained`` when
            a drain was, ``failed`` otherwise.
        failure: Why it failed.
    """

    outcome: Literal["finished", "drained", "failed"]
    failure: Diagnosis | None = None


HostFrame = (
    Loaded
    | LoadFailed
    | Checked
    | Started
    | Events
    | Errors
    | Ledger
    | FeedProgress
    | FeedFinished
    | Finished
    | Nodes
    | Samples
    | Commits
    | Outputs
    | RecordWritten
    | TraceProgress
    | StateWanted
    | Traced
    | Proved
    | BreakpointSet
    | LiveStop
    | StopEnded
    | ReplayProgress
    | PicklesDecoded
)
"""Whatever a host sends after its Hello."""
