"""Epochs in a row in which nothing changed are one row of the timeline, until it is unfolded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from msgspec.structs import asdict

from loom_bench.session.snapshots.value import EpochView
from loom_bench.tui.timeline.epochs import index_of
from loom_bench.tui.timeline.quiet_run import QuietRun, is_quiet

FEWEST: Final = 3
"""Epochs that are folded; one or two are told as they are."""


def folded(epochs: Sequence[EpochView], unfolded: Sequence[int] = ()) -> Iterator[EpochView]:
    """Yield *epochs*, runs of quiet ones as one.

    Args:
        epochs: Epochs, oldest first.
        unfolded: Numbers of epochs whose runs are told epoch by epoch.
    """
    for quiet, group in groupby(epochs, key=is_quiet):
        run = list(group)
        first, last = run[0], run[-1]
        if (
            not quiet
            or len(run) < FEWEST
            or any(first.number <= each <= last.number for each in unfolded)
        ):
            yield from run
        else:
            yield QuietRun(**asdict(last), first=first.number, began_ms=first.at_ms, count=len(run))


def row_of(rows: Sequence[EpochView], number: int) -> int:
    """Return where the epoch *number* stands, or the last one before it."""
    at = index_of(rows, number)
    if at + 1 < len(rows) and isinstance(after := rows[at + 1], QuietRun) and after.first <= number:
        return at + 1
    return at


class Folds:
    """Which runs are unfolded, and the rows that are shown therefore."""

    def __init__(self) -> None:
        self._unfolded: tuple[int, ...] = ()
        self._drawn_from: tuple[Sequence[EpochView], Sequence[int]] = ((), ())
        self._rows: Sequence[EpochView] = ()

    def rows(self, epochs: Sequence[EpochView]) -> Sequence[EpochView]:
        """Return the rows of *epochs*; the same ones as long as nothing is other."""
        before, unfolded = self._drawn_from
        if epochs is not before or unfolded is not self._unfolded:
            self._drawn_from = epochs, self._unfolded
            self._rows = tuple(folded(epochs, self._unfolded))
        return self._rows

    def unfold(self, number: int) -> None:
        """Tell the run that has the epoch *number* epoch by epoch."""
        self._unfolded = (*self._unfolded, number)

    def turn(self, epochs: Sequence[EpochView], row: EpochView) -> bool:
        """Unfold the run that is *row*, or fold the one that *row* is of; tell whether it is any.

        Args:
            epochs: Every epoch.
            row: The chosen row.
        """
        if isinstance(row, QuietRun):
            self.unfold(row.number)
            return True
        first = last = index_of(epochs, row.number)
        while first > 0 and is_quiet(epochs[first - 1]):
            first -= 1
        while last + 1 < len(epochs) and is_quiet(epochs[last + 1]):
            last += 1
        if not is_quiet(row) or last - first + 1 < FEWEST:
            return False
        inside = range(epochs[first].number, epochs[last].number + 1)
        self._unfolded = tuple(each for each in self._unfolded if each not in inside)
        return True
