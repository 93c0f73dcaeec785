"""What the bench tells a host that replays a fork, and what the host tells of it."""

from __future__ import annotations

from typing import Literal

import msgspec

from loom_bench.protocol.tracing import SetBreakpoint


class ReplayOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What makes a run a replay.

    Attributes:
        capture: File that outputs and failures are taken down in.
        ends: Offset at which a source partition ends, by its key; one that is absent ends where
            its log does.
        max_records: End when so many were read; ``None`` for no limit.
        first_error: Whether to end at the end of the epoch in which a record failed.
        breakpoint: End before a node takes a record that fits, the epoch of the record undone.
        pace: ``0`` for full speed, ``1`` as recorded.
        record_by_record: Whether an epoch takes one record.
        in_turns: Whether the partitions take turns, in the same order in each replay.
        real_topics: Whether outputs are written to their topics too.
    """

    capture: str
    ends: dict[str, int] = {}
    max_records: int | None = None
    first_error: bool = False
    breakpoint: SetBreakpoint | None = None
    pace: float = 0.0
    record_by_record: bool = False
    in_turns: bool = False
    real_topics: bool = False


class SteerReplay(msgspec.Struct, frozen=True, kw_only=True, tag="steer_replay"):
    """Steer a replay.

    Attributes:
        step: While paused, go on by so much; ``None`` for no step.
        pace: Change the pace; ``None`` leaves it.
    """

    step: Literal["record", "batch", "epoch"] | None = None
    pace: float | None = None


class ReplayedOutput(msgspec.Struct, frozen=True, kw_only=True):
    """An output that was captured.

    Attributes:
        number: Its number in the replay, from 1.
        sink: Topic, or kind of error without one.
        kind: ``record`` or ``envelope``.
        key: Record key as text.
        text: Its value as text.
        partition: Key of the source partition that it came of.
        offset: Source offset that it came of.
    """

    number: int
    sink: str
    kind: str
    key: str
    text: str
    partition: str
    offset: int


class ReplayProgress(msgspec.Struct, frozen=True, kw_only=True, tag="replay_progress"):
    """How far a replay is.

    Attributes:
        records: Records read.
        outputs: Outputs captured.
        failures: Records that failed.
        barriers: Epochs closed, counted once for each partition.
        paused: Whether nothing is read until the bench says so.
        began: Offset at which each source partition began.
        positions: Next offset of each.
        newest: The newest outputs, newest last.
        stopped_by: What ended it; empty while it goes on.
    """

    records: int
    outputs: int
    failures: int
    barriers: int
    paused: bool
    began: dict[str, int]
    positions: dict[str, int]
    newest: tuple[ReplayedOutput, ...] = ()
    stopped_by: str = ""
