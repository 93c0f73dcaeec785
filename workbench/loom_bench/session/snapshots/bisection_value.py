"""What is asked of a bisection, how far it is, and what it found."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.session.snapshots.replay_value import CURRENT


class BisectRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A bisection that is asked for. Exactly one of *expression* and *pytest* is given.

    Attributes:
        expression: Holds while all is well: an expression over ``state`` (step → key → value),
            ``outputs`` (of the newest stretch) and ``records``.
        pytest: A pytest file or node id that passes while all is well.
        good_epoch: An epoch at which it holds; ``None`` for the oldest.
        bad_epoch: An epoch at which it fails; ``None`` for the newest.
        revision: Revision that is replayed; ``current`` for the code on disk.
    """

    expression: str = ""
    pytest: str = ""
    good_epoch: int | None = None
    bad_epoch: int | None = None
    revision: str = CURRENT


class BisectPhase(StrEnum):
    """What a bisection is doing."""

    EPOCHS = "epochs"
    RECORDS = "records"
    ENDED = "ended"
    FAILED = "failed"


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """One look of a bisection.

    Attributes:
        epoch: The epoch that was looked at, or that was replayed from.
        records: Records replayed from there; 0 for a look at a snapshot.
        holds: Whether the predicate held.
        replayed: Whether it took a replay.
    """

    epoch: int
    records: int = 0
    holds: bool
    replayed: bool = False


class FirstBad(msgspec.Struct, frozen=True, kw_only=True):
    """What a bisection found.

    Attributes:
        epoch: First epoch at whose end the predicate fails.
        partition: Source partition of the first bad record; empty when only the epoch is known.
        offset: Its offset.
        record: Its value as text.
    """

    epoch: int
    partition: str = ""
    offset: int = -1
    record: str = ""


class Bisection(msgspec.Struct, frozen=True, kw_only=True):
    """A search for the first epoch and record at which a predicate fails.

    Attributes:
        request: What was asked for.
        phase: What it is doing.
        good: Newest epoch that is known to be good.
        bad: Oldest epoch that is known to be bad.
        records_left: Records among which the first bad one is.
        probes: Looks taken, oldest first.
        runs: How many of them took a replay.
        found: What it found.
        problem: Why it failed.
    """

    request: BisectRequest
    phase: BisectPhase = BisectPhase.EPOCHS
    good: int | None = None
    bad: int | None = None
    records_left: int | None = None
    probes: tuple[Probe, ...] = ()
    runs: int = 0
    found: FirstBad | None = None
    problem: Diagnosis | None = None
