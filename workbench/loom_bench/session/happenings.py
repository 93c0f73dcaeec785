"""What a headless session tells, one struct for each thing; as JSON lines they are its protocol.

Texts in them come from outside as they are: whoever shows them makes them safe.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.protocol.frames import ErrorGroup
from loom_runtime.ledger import LedgerRow


class BrokerReady(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="broker"):
    """A broker answers.

    Attributes:
        kind: Which one serves the session.
        bootstrap: Its address.
        owned: Whether the bench started it.
        reason: Why this one.
        limits: What it cannot do that a real cluster can.
    """

    kind: str
    bootstrap: str
    owned: bool
    reason: str
    limits: tuple[str, ...]


class BrokerOpening(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="broker_opening"
):
    """A broker is not there yet; told at most once a second.

    Attributes:
        kind: Which one is being opened.
        text: What is being done for it.
        share: How much of that is done, 0 to 1; ``None`` when it cannot be told.
    """

    kind: str
    text: str
    share: float | None = None


class FlowLoaded(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="loaded"):
    """The flow was compiled.

    Attributes:
        flow: Name of the flow.
        target: Path of its module.
        nodes: How many nodes it has.
        topics: Source topics.
        config_sources: Configuration files that were read; empty when defaults were made.
        replaced_brokers: Addresses in them that are not used: the chosen broker is.
    """

    flow: str
    target: str
    nodes: int
    topics: tuple[str, ...]
    config_sources: tuple[str, ...]
    replaced_brokers: tuple[str, ...]


class RunStarted(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="started"):
    """The flow runs.

    Attributes:
        flow: Name of the flow.
    """

    flow: str


class FeedStarted(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="feed_started"):
    """``bench_feed()`` is written into the source topic.

    Attributes:
        topic: That topic.
        rate_per_s: Records per second; ``None`` for as fast as the broker takes them.
    """

    topic: str
    rate_per_s: float | None


class FeedEnded(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="feed_ended"):
    """The feed ended.

    Attributes:
        delivered: Records that the broker acknowledged.
        failure: Why it ended early.
    """

    delivered: int
    failure: Diagnosis | None = None


class Progress(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="progress"):
    """How far the run is; totals over all partitions since the run began.

    Attributes:
        elapsed_s: Seconds since the flow started.
        consumed: Source records read.
        written: Those of which something was written and nothing failed.
        errored: Those of which something became an envelope.
        filtered: Those that ended without an output.
        dead_lettered: Those of which something was dead-lettered.
        held: Those that wait in a batch or a window.
        records_written: Output records.
        rate_per_s: Source records per second since the last one.
        lag: Records that are there to be read; ``None`` while an end offset is not known.
        fed: Records that the feed has delivered; ``None`` without a feed.
        events_seen: Lifecycle events since the run began.
        events_left_out: Those of them that were counted and not sent.
    """

    elapsed_s: float
    consumed: int
    written: int
    errored: int
    filtered: int
    dead_lettered: int
    held: int
    records_written: int
    rate_per_s: float
    lag: int | None
    fed: int | None
    events_seen: int
    events_left_out: int


class NewError(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="error"):
    """A record failed in a way that was not seen before in this run.

    Attributes:
        group: The failures that look like it.
    """

    group: ErrorGroup


class ErrorSummary(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="errors"):
    """Every way in which records failed.

    Attributes:
        groups: Most frequent first.
        seen: How many failures there were.
        ungrouped: How many of them came when there were too many groups for another.
    """

    groups: tuple[ErrorGroup, ...]
    seen: int
    ungrouped: int


class OutputShown(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="output"):
    """A line that the flow or its feed printed.

    Attributes:
        origin: Whose line.
        stream: Where it was printed.
        text: The line.
        left_out: Lines before it that came too fast to keep.
    """

    origin: Literal["flow", "feed"]
    stream: Literal["stdout", "stderr"]
    text: str
    left_out: int = 0


class Stopping(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="stopping"):
    """The user asked the run to end.

    Attributes:
        how: ``drain``: what was read is finished and committed. ``kill``: at once.
    """

    how: Literal["drain", "kill"]


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="failed"):
    """The run could not start or go on.

    Attributes:
        diagnoses: Why.
    """

    diagnoses: tuple[Diagnosis, ...]


class FinalLedger(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="ledger"):
    """The last thing that is told: what became of every record.

    Attributes:
        flow: Name of the flow; empty when it could not be loaded.
        outcome: ``finished`` by a limit, ``drained`` on request, ``failed``, or ``killed``.
        consumed: Source records read; the next five add up to it when ``balanced``.
        written: Those of which something was written and nothing failed.
        errored: Those of which something became an envelope.
        filtered: Those that ended without an output.
        dead_lettered: Those of which something was dead-lettered.
        held: Those that wait in a batch or a window.
        balanced: Whether the ledger balances in every partition.
        late: Records that came too late for their window.
        records_written: Output records.
        envelopes_written: Error envelopes.
        dead_letters_written: Dead letters.
        fed: Records that the feed delivered; ``None`` without a feed.
        elapsed_s: Seconds since the flow started.
        partitions: One row for each source partition.
    """

    flow: str
    outcome: Literal["finished", "drained", "failed", "killed"]
    consumed: int
    written: int
    errored: int
    filtered: int
    dead_lettered: int
    held: int
    balanced: bool
    late: int
    records_written: int
    envelopes_written: int
    dead_letters_written: int
    fed: int | None
    elapsed_s: float
    partitions: tuple[LedgerRow, ...]


Happening = (
    BrokerOpening
    | BrokerReady
    | FlowLoaded
    | RunStarted
    | FeedStarted
    | FeedEnded
    | Progress
    | NewError
    | ErrorSummary
    | OutputShown
    | Stopping
    | Failed
    | FinalLedger
)
"""Everything that a session tells."""
