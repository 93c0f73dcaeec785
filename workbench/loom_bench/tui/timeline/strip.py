"""A store's history on one line: a bar for each stretch of epochs, and what happened in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Final

from textual import events
from textual.message import Message
from textual.widget import Widget

from loom_bench.session.snapshots.value import EpochView
from loom_bench.tui.figures import history_text, moment_text, of_many
from loom_bench.tui.ink import Ink, Line, Run, fitted
from loom_bench.tui.timeline.epochs import GRAVITY, MARK_INKS, MARK_LETTERS
from loom_bench.tui.timeline.quiet_run import QuietRun
from loom_bench.tui.widgets.painter import EMPTY_ROW, Painter, Row

_EDGE: Final[Run] = (" ", Ink.PLAIN)

_SCALE: Final = 100
"""Bars grow with the square root of what they stand for, to a tenth of a record: one long epoch,
as after a pause, would leave all others flat."""


@dataclass(frozen=True)
class StripPicture:
    """What is drawn, but for the cursor.

    Attributes:
        epochs: How many rows of the timeline it stands for.
        whole: How many epochs they are.
        bars: A bar for each cell.
        marks: The gravest mark of each cell, or a blank; epochs that are not whole are dashes.
    """

    epochs: int
    whole: int
    bars: str
    marks: Sequence[Run]

    def cell_of(self, index: int) -> int:
        """Return the cell of the epoch at *index*."""
        return index * len(self.bars) // self.epochs if self.epochs else 0

    def index_at(self, cell: int) -> int:
        """Return the first epoch of a cell."""
        inside = min(max(0, cell), max(0, len(self.bars) - 1))
        return -(-inside * self.epochs // len(self.bars)) if self.bars else 0


def strip_picture(epochs: Sequence[EpochView], cells: int) -> StripPicture:
    """Return the picture of *epochs*, at most *cells* wide: each cell stands for as many epochs."""
    count = len(epochs)
    whole = sum(each.count if isinstance(each, QuietRun) else 1 for each in epochs)
    width = min(max(0, cells), count)
    if not width:
        return StripPicture(count, whole, "", ())
    sums = [0] * width
    gravest = [-2] * width
    for index, epoch in enumerate(epochs):
        cell = index * width // count
        sums[cell] += (epoch.keys_changed if epoch.records is None else epoch.records) or 0
        if not epoch.complete:
            gravest[cell] = max(gravest[cell], -1)
        elif epoch.marks:
            grave = max(GRAVITY.index(mark.kind) for mark in epoch.marks)
            gravest[cell] = max(gravest[cell], grave)
    bars = history_text([isqrt(each * _SCALE) for each in sums], width)
    return StripPicture(count, whole, bars, tuple(_mark(each) for each in gravest))


def _mark(gravity: int) -> Run:
    if gravity == -2:
        return (" ", Ink.DIM)
    if gravity == -1:
        return ("-", Ink.WARN)
    kind = GRAVITY[gravity]
    return MARK_LETTERS[kind], MARK_INKS[kind]


def strip_lines(
    picture: StripPicture, epochs: Sequence[EpochView], chosen: int, width: int, now_ms: int
) -> Sequence[Line]:
    """Return bars, marks, and the times of the first, the chosen and the last epoch."""
    if not epochs:
        return ()
    at = picture.cell_of(chosen)
    bars: Line = (
        _EDGE,
        (picture.bars[:at], Ink.ACCENT),
        (picture.bars[at : at + 1], Ink.CURSOR),
        (picture.bars[at + 1 :], Ink.ACCENT),
    )
    return bars, (_EDGE, *picture.marks), _times(picture, epochs, chosen, width, now_ms)


def _times(
    picture: StripPicture, epochs: Sequence[EpochView], chosen: int, width: int, now_ms: int
) -> Line:
    first, at, last = (_time(epochs[index], now_ms) for index in (0, chosen, -1))
    row = epochs[chosen]
    told = f"epochs {row.first} to" if isinstance(row, QuietRun) else "epoch"
    middle = f"{told} {row.number} among {of_many(picture.whole, 'epoch')}  {at}"
    room = max(0, width - len(first) - len(last) - 2)
    left = max(0, (room - len(middle)) // 2)
    return (
        (f" {first}", Ink.DIM),
        (fitted(" " * left + middle, room), Ink.STRONG),
        (last, Ink.DIM),
    )


def _time(epoch: EpochView, now_ms: int) -> str:
    return "-" if epoch.at_ms is None else moment_text(epoch.at_ms, now_ms)


class EpochStrip(Painter, Widget):
    """Draws the history that it is given; a click chooses an epoch."""

    ALLOW_SELECT = False

    class Pressed(Message):
        """An epoch was clicked.

        Attributes:
            index: Its place in the history.
        """

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._epochs: Sequence[EpochView] = ()
        self._picture = StripPicture(0, 0, "", ())
        self._lines: Sequence[Line] = ()

    def show(self, epochs: Sequence[EpochView], chosen: int, now_ms: int) -> None:
        """Show *epochs*, the one at *chosen* marked."""
        width = self.content_size.width
        wanted = min(max(0, width - 2), len(epochs))
        if epochs is not self._epochs or len(self._picture.bars) != wanted:
            self._epochs = epochs
            self._picture = strip_picture(epochs, width - 2)
        lines = strip_lines(self._picture, epochs, chosen, width, now_ms)
        if lines != self._lines:
            self._lines = lines
            self.show_changes()

    def row(self, y: int, width: int) -> Row:  # noqa: ARG002 - lines are cut by the painter
        """Return what stands in row *y*."""
        return Row(self._lines[y]) if y < len(self._lines) else EMPTY_ROW

    def on_click(self, event: events.Click) -> None:
        """Tell which epoch was clicked."""
        offset = event.get_content_offset(self)
        if offset is not None and self._epochs:
            self.post_message(self.Pressed(self._picture.index_at(offset.x - 1)))
