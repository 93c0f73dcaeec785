"""The two lists about one key: the values that it had, and the records that made them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from loom_bench.session.snapshots.value import EpochView, KeyHistory, StateRow, Touch
from loom_bench.tui.figures import bytes_text, moment_text
from loom_bench.tui.ink import Ink, Run
from loom_bench.tui.timeline.epochs import index_of
from loom_bench.tui.timeline.state_table import changes_text, told_value
from loom_bench.tui.widgets.line_table import Column, TableForm
from loom_runtime.places import place_text_of

_MAX_TOLD: Final = 2_000


class Moment(Struct, frozen=True):
    """A value of a key, and when it was written.

    Attributes:
        row: The value.
        at_ms: When its epoch was closed; ``None`` when that is not known.
        before: Epoch of the value before it; ``None`` for the first one.
    """

    row: StateRow
    at_ms: int | None
    before: int | None


def moments_of(history: KeyHistory, epochs: Sequence[EpochView]) -> Sequence[Moment]:
    """Return the values of a key, oldest first."""
    moments: list[Moment] = []
    before: int | None = None
    for row in history.rows:
        number = row.written_at_epoch
        at = epochs[index_of(epochs, number)] if epochs else None
        known = at is not None and at.number == number
        moments.append(Moment(row, at.at_ms if at is not None and known else None, before))
        before = number
    return tuple(moments)


_MOMENT_COLUMNS: Final = (
    Column("epoch", 8, right=True),
    Column("closed", 16),
    Column("size", 8, right=True, from_cells=96),
    Column("what differed", 0),
)


def _moment_cells(moment: Moment, now_ms: int) -> Sequence[Run]:
    return (
        (str(moment.row.written_at_epoch), Ink.STRONG),
        ("-" if moment.at_ms is None else moment_text(moment.at_ms, now_ms), Ink.PLAIN),
        (bytes_text(moment.row.size_bytes), Ink.DIM),
        told_value(moment.row),
    )


MOMENTS: Final = TableForm(
    _MOMENT_COLUMNS, _moment_cells, lambda moment: moment.row.written_at_epoch, follows=True
)

_TOUCH_COLUMNS: Final = (
    Column("record", 22),
    Column("written", 16, from_cells=84),
    Column("what it changed", 0, most=48),
    Column("its value", 40, from_cells=110),
)


def _touch_cells(touch: Touch, now_ms: int) -> Sequence[Run]:
    return (
        (place_text_of(touch.partition, touch.offset), Ink.ACCENT),
        ("-" if touch.at_ms is None else moment_text(touch.at_ms, now_ms), Ink.DIM),
        (changes_text(touch.changes) or "made it", Ink.PLAIN),
        (touch.record[:_MAX_TOLD], Ink.DIM),
    )


TOUCHES: Final = TableForm(
    _TOUCH_COLUMNS, _touch_cells, lambda touch: (touch.partition, touch.offset)
)
