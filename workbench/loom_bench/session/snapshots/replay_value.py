"""What is asked of a replay, and how far it is."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal

import msgspec

from loom_bench.protocol.diagnosis import Diagnosis

CURRENT = "current"
"""Stands for the code as it is on disk, where a revision is asked for."""

WARNING: Final = (
    "Outputs to topics are captured. What a step does to the outside world by itself (calls, "
    "files, mails) is not isolated and happens again; LOOM_REPLAY=1 is set for it."
)
"""What is not isolated in a replay that captures."""

WARNING_REAL: Final = (
    "Outputs are written to their real topics. What a step does to the outside world by itself "
    "happens again too; LOOM_REPLAY=1 is set for it."
)
"""What is not isolated in one that writes to real topics."""


class BreakpointStop(msgspec.Struct, frozen=True, kw_only=True):
    """A record before which a replay ends.

    Attributes:
        node: Name of the node that would take it.
        condition: Expression over ``payload`` and ``msg`` that it fits, in the words of routes, as
            ``payload.amount > 100``; empty for any record.
    """

    node: str
    condition: str = ""


class StopWhen(msgspec.Struct, frozen=True, kw_only=True):
    """When a replay ends by itself: at whichever comes first.

    Attributes:
        at_original_end: Where the original run stood when it was last seen.
        records: After so many records; ``None`` for no limit.
        epoch: When it has repeated this epoch of the original: at that epoch's positions.
        offsets: At these offsets, by source partition (``topic:0``).
        first_error: At the end of the epoch in which the first record failed.
        breakpoint: Before a node takes a record that fits. The fork then stands at the end of the
            epoch before, so record by record just before the record; ``None`` for none.
    """

    at_original_end: bool = True
    records: int | None = None
    epoch: int | None = None
    offsets: dict[str, int] = {}
    first_error: bool = False
    breakpoint: BreakpointStop | None = None


class ReplayRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A replay that is asked for.

    Attributes:
        fork: Name of the fork that it runs on, which it changes.
        revision: Name of a kept revision, ``current``, or the path of a module.
        stop: When it ends.
        pace: ``0`` for full speed, ``1`` as recorded, ``10`` ten times as fast.
        record_by_record: One record an epoch: one snapshot a record, about three times slower.
        paused: Whether it begins paused.
        real_topics: Whether outputs are written to their topics; *confirmation* must be given.
        confirmation: What the user typed: the name of the fork.
    """

    fork: str
    revision: str = CURRENT
    stop: StopWhen = StopWhen()
    pace: float = 0.0
    record_by_record: bool = False
    paused: bool = False
    real_topics: bool = False
    confirmation: str = ""


class ReplayPhase(StrEnum):
    """What a replay is doing."""

    PREPARING = "preparing"
    RUNNING = "running"
    PAUSED = "paused"
    ENDED = "ended"
    FAILED = "failed"


StepUnit = Literal["record", "batch", "epoch"]
"""How far a step goes."""


class ReplayPartition(msgspec.Struct, frozen=True, kw_only=True):
    """A source partition of a replay.

    Attributes:
        partition: ``topic:0``.
        began: Offset at which the fork went on.
        position: Next offset to read.
        end: Offset at which it stops; ``None`` for none.
    """

    partition: str
    began: int
    position: int
    end: int | None = None


class CapturedOutput(msgspec.Struct, frozen=True, kw_only=True):
    """A record that a replay would have written.

    Attributes:
        number: Its number in the replay, from 1.
        sink: Topic, or kind of error without one.
        kind: ``record`` or ``envelope``.
        key: Record key, shown form.
        text: Its value, decoded where that was possible.
        partition: Source partition that it came of.
        offset: Source offset that it came of.
    """

    number: int
    sink: str
    kind: str = "record"
    key: str = ""
    text: str = ""
    partition: str = ""
    offset: int = -1


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """A replay.

    Attributes:
        request: What was asked for.
        phase: What it is doing.
        epoch: Epoch of the fork that was closed last.
        partitions: How far it is.
        records: Records read.
        outputs: Outputs captured or written.
        errors: Records that failed.
        rate_per_s: Records per second over the last seconds.
        newest: The newest outputs, newest last.
        can_step_back: Whether the fork has an earlier epoch to go back to.
        stopped_by: What ended it, in words.
        elapsed_s: Seconds since it began.
        warning: What is not isolated, in words.
        problem: Why it failed.
    """

    request: ReplayRequest
    phase: ReplayPhase = ReplayPhase.PREPARING
    epoch: int | None = None
    partitions: tuple[ReplayPartition, ...] = ()
    records: int = 0
    outputs: int = 0
    errors: int = 0
    rate_per_s: float = 0.0
    newest: tuple[CapturedOutput, ...] = ()
    can_step_back: bool = False
    stopped_by: str = ""
    elapsed_s: float = 0.0
    warning: str = ""
    problem: Diagnosis | None = None
