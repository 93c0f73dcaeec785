"""Thins out the history of a store, beside a run or between runs: the older, the coarser."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NamedTuple

from loom_runtime.recovery.history.epochs import Epoch, Happening, read_epochs
from loom_runtime.recovery.history.files import looking
from loom_runtime.recovery.history.segments import Counts, count_rows
from loom_runtime.recovery.history.thinned import note_thinning
from loom_runtime.recovery.part_access import Access
from loom_runtime.recovery.parts import PartFile

_RUN_BOUNDS: Final = frozenset(
    {Happening.START, Happening.RELOAD, Happening.DRAIN, Happening.CRASH}
)


class Grain(NamedTuple):
    """How coarse history is.

    Attributes:
        younger_than_ms: For epochs younger than this.
        every_ms: One epoch is kept in so many milliseconds; 0 keeps all.
    """

    younger_than_ms: float
    every_ms: int


GRAINS: Final = (
    Grain(60_000, 0),
    Grain(600_000, 1_000),
    Grain(86_400_000, 10_000),
    Grain(float("inf"), 300_000),
)
"""All of the last minute, then one epoch a second for ten minutes, one every ten seconds for a
day, then one every five minutes."""


def kept_epochs(epochs: Sequence[Epoch], now_ms: int, grains: Sequence[Grain] = GRAINS) -> set[int]:
    """Return the numbers of the epochs that are kept: of each interval the last one, the ends of
    runs, and whatever is not whole.

    Args:
        epochs: Epochs, oldest first.
        now_ms: The time, milliseconds since 1970.
        grains: How coarse history is, finest first.
    """
    kept: set[int] = set()
    slots: dict[tuple[int, int], int] = {}
    for epoch in epochs:
        bound = any(mark.kind in _RUN_BOUNDS for mark in epoch.marks)
        if epoch.at_ms is None or not epoch.whole or bound:
            kept.add(epoch.number)
            continue
        age_ms = now_ms - epoch.at_ms
        every_ms = next((each.every_ms for each in grains if age_ms < each.younger_than_ms), 0)
        if every_ms == 0:
            kept.add(epoch.number)
        else:
            slots[every_ms, epoch.at_ms // every_ms] = epoch.number
    newest = {epochs[-1].number} if epochs else set()
    return kept | set(slots.values()) | newest


def thin(db_dir: Path, now_ms: int, grains: Sequence[Grain] = GRAINS) -> int:
    """Delete what lies between the epochs that are kept; return how many rows that were.

    A run may use the store: each file is locked for one short statement at a time.

    Raises:
        StoreError: When the store cannot be read or written.
        OSError: When the file system refuses.
    """
    counts = Counts()
    with looking(db_dir) as store:
        epochs = [each for each in read_epochs(store, counts) if each.number < store.resume_epoch]
        kept = kept_epochs(epochs, now_ms, grains)
        groups = list(_groups([each.number for each in epochs], kept))
        if not groups:
            return 0
        count_rows(store, counts)
        paths = [file.path for file in store.files]
    with ExitStack() as stack:
        files = [stack.enter_context(PartFile(path, Access.WRITE)) for path in paths]
        removed = sum(_thin_group(files, counts, *group) for group in groups)
    if removed:
        note_thinning(db_dir)
    return removed


def _groups(numbers: Sequence[int], kept: set[int]) -> Iterable[tuple[int, int, int]]:
    """Yield first and last of epochs that go, and the kept one that follows them."""
    first = last = None
    for number in numbers:
        if number not in kept:
            first, last = number if first is None else first, number
        elif first is not None and last is not None:
            yield first, last, number
            first = last = None


def _thin_group(files: Iterable[PartFile], counts: Counts, first: int, last: int, kept: int) -> int:
    removed = 0
    for file in files:
        counted = counts.files.get(file.path.name)
        places = [] if counted is None else counted.stretches
        rows = [(each.first, each.last) for each in places if first <= each.epoch <= last]
        if rows:
            low, high = min(row[0] for row in rows), max(row[1] for row in rows)
            removed += file.remove_superseded(low, high, first, last, kept)
    return removed
