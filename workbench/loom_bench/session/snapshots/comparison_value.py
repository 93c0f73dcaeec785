"""What is asked of a comparison, how far it is, and what it found."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.session.snapshots.replay_value import CURRENT, StopWhen


class CompareRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A comparison that is asked for.

    Attributes:
        epoch: Epoch that both runs begin at.
        fork: Fork that it is an epoch of; empty for the store itself.
        revision: Name of a kept revision, ``current``, or the path of a module.
        against: The other one.
        ignore: Fields to leave out, as ``sink:path``, ``state:step:path`` or ``path``; ``*`` stands
            for any part.
        stop: When both end.
        mapping: New step id by old step id, for the state of *revision*.
        empty: Step ids whose state *revision* drops.
    """

    epoch: int
    fork: str = ""
    revision: str = CURRENT
    against: str
    ignore: tuple[str, ...] = ()
    stop: StopWhen = StopWhen()
    mapping: dict[str, str] = {}
    empty: tuple[str, ...] = ()


class DifferenceKind(StrEnum):
    """How two runs differ in one thing."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


class ValueDifference(msgspec.Struct, frozen=True, kw_only=True):
    """A field in which something differs.

    Attributes:
        path: Where; empty for the whole.
        left: JSON text on the left; ``None`` when it is not there.
        right: JSON text on the right; ``None`` when it is not there.
    """

    path: str
    left: str | None
    right: str | None


class OutputDifference(msgspec.Struct, frozen=True, kw_only=True):
    """An output in which two runs differ.

    Attributes:
        kind: How.
        sink: Topic.
        partition: Source partition of the record that it came of.
        offset: Its offset.
        key: Key of the output.
        left: Its value on the left; ``None`` when it is not there.
        right: Its value on the right; ``None`` when it is not there.
        fields: What differs.
        unstable: Whether it also differs between two runs of one revision.
    """

    kind: DifferenceKind
    sink: str
    partition: str = ""
    offset: int = -1
    key: str = ""
    left: str | None = None
    right: str | None = None
    fields: tuple[ValueDifference, ...] = ()
    unstable: bool = False


class ErrorDifference(msgspec.Struct, frozen=True, kw_only=True):
    """A record that fails in one of the runs, or in both.

    Attributes:
        kind: ``fixed``, ``new`` or ``same``.
        partition: Source partition.
        offset: Offset of the record.
        left: Why on the left; empty when it does not.
        right: Why on the right; empty when it does not.
    """

    kind: Literal["fixed", "new", "same"]
    partition: str
    offset: int
    left: str = ""
    right: str = ""


class StateDifference(msgspec.Struct, frozen=True, kw_only=True):
    """A key whose final value differs.

    Attributes:
        kind: How.
        step_id: The step.
        key: The key.
        fields: What differs.
        unstable: Whether it also differs between two runs of one revision.
    """

    kind: DifferenceKind
    step_id: str
    key: str
    fields: tuple[ValueDifference, ...] = ()
    unstable: bool = False


class SideSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a comparison.

    Attributes:
        revision: Which code.
        records: Records read.
        outputs: Outputs captured.
        errors: Records that failed.
        keys: Keys in the final state.
        elapsed_s: Seconds that it took.
    """

    revision: str
    records: int = 0
    outputs: int = 0
    errors: int = 0
    keys: int = 0
    elapsed_s: float = 0.0


class ComparisonPhase(StrEnum):
    """What a comparison is doing."""

    FORKING = "forking"
    RUNNING_LEFT = "running_left"
    RUNNING_LEFT_AGAIN = "running_left_again"
    RUNNING_RIGHT = "running_right"
    COMPARING = "comparing"
    ENDED = "ended"
    FAILED = "failed"


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Two revisions run from one epoch to the same end offsets.

    Left is the revision that the comparison is *against*, right the one that is judged.

    Attributes:
        request: What was asked for.
        phase: What it is doing.
        progress: Share of the run under way that is done, 0 to 1.
        equal: Whether nothing stable differs; ``None`` before the end.
        left: The run on the left.
        right: The run on the right.
        outputs: Outputs that differ, the first of them.
        outputs_differing: How many differ, unstable ones left out.
        outputs_unstable: How many differ between two runs of one revision.
        errors: Records that fail on a side, the first of them.
        errors_fixed: How many fail on the left only.
        errors_new: How many fail on the right only.
        errors_same: How many fail on both sides.
        state: Keys whose final value differs, the first of them.
        state_differing: How many differ, unstable ones left out.
        state_unstable: How many differ between two runs of one revision.
        report: Path of the whole report as JSON; empty when none was written.
        problem: Why it failed.
    """

    request: CompareRequest
    phase: ComparisonPhase = ComparisonPhase.FORKING
    progress: float = 0.0
    equal: bool | None = None
    left: SideSummary | None = None
    right: SideSummary | None = None
    outputs: tuple[OutputDifference, ...] = ()
    outputs_differing: int = 0
    outputs_unstable: int = 0
    errors: tuple[ErrorDifference, ...] = ()
    errors_fixed: int = 0
    errors_new: int = 0
    errors_same: int = 0
    state: tuple[StateDifference, ...] = ()
    state_differing: int = 0
    state_unstable: int = 0
    report: str = ""
    problem: Diagnosis | None = None
