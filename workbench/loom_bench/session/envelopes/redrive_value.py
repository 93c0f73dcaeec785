"""What a redrive would do, and how far one is, as screens show it."""

from __future__ import annotations

import msgspec

from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.session.envelopes.terms import RedriveTarget, Selection


class RedriveTopic(msgspec.Struct, frozen=True, kw_only=True):
    """How many records a redrive writes into one topic.

    Attributes:
        topic: The topic.
        records: How many.
        partitions: How many of its partitions they go to.
    """

    topic: str
    records: int
    partitions: int = 0


class RedrivePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a redrive would do: the dry run.

    Attributes:
        selection: What was selected.
        target: Where it would go.
        counting: Whether the topics are still being looked through; the counts grow.
        envelopes: Envelopes that are selected.
        records: Records that would be written; two envelopes of one record are one.
        topics: Where they would be written; none for the goal ``flow``: that shows when it runs.
        parked: Envelopes left out, because a redrive of them failed in the same way and no proof
            says that they pass.
        decided: Envelopes left out, because they are redriven, ignored or discarded: open and
            fixed ones are redriven.
        without_source: Envelopes left out, because their record is known no more.
        repeating: Envelopes of records that had become several before they failed, by a Broadcast
            or an expander: what came of their other parts comes out twice.
        overtaken: Records whose key has later records in the source topic that the flow has read;
            redriven, they come after those.
        overtaken_keys: Some of their keys, shown form.
        unchecked: Source partitions that have too many records to look for such; 0 for none.
        address: Address of the broker.
        typed: Whether the command must carry that address, typed by the user: the broker is not
            the bench's own.
        problem: Why it cannot be done.
    """

    selection: Selection
    target: RedriveTarget
    counting: bool = False
    envelopes: int = 0
    records: int = 0
    topics: tuple[RedriveTopic, ...] = ()
    parked: int = 0
    decided: int = 0
    without_source: int = 0
    repeating: int = 0
    overtaken: int = 0
    overtaken_keys: tuple[str, ...] = ()
    unchecked: int = 0
    address: str = ""
    typed: bool = False
    problem: Diagnosis | None = None


class RedriveProgress(msgspec.Struct, frozen=True, kw_only=True):
    """A redrive under way, or the last one.

    Attributes:
        plan: What it does.
        state: ``running``, ``done``, ``cancelled`` or ``failed``.
        written: Records that were redriven, every one of them acknowledged.
        failed: Records that were not: refused, gone, or failed in the flow again.
        rate_per_s: The rate that was asked for; ``None`` for as fast as it goes.
        elapsed_s: Seconds since it began, until it ended.
        problem: Why it failed.
    """

    plan: RedrivePlan
    state: str = "running"
    written: int = 0
    failed: int = 0
    rate_per_s: float | None = None
    elapsed_s: float = 0.0
    problem: Diagnosis | None = None
