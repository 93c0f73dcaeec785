"""Counts what each epoch wrote, and remembers where its rows lie, without an index in the store.

Bytewax appends rows epoch by epoch, so the rows of an epoch are a stretch of ``rowid`` in each
file; where a crash has mixed them there are several stretches. What was counted is kept in memory,
or in a file of our own, and only new rows are looked at again.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from loom_runtime.recovery.history.files import OpenStore
from loom_runtime.recovery.history.thinned import times_thinned
from loom_runtime.recovery.parts import PartFile

_CHUNK_ROWS: Final = 100_000
"""Rows that are counted by one query: a tenth of a second."""


class Stretch(msgspec.Struct):
    """Rows of one step and epoch that lie together.

    Attributes:
        step_id: The step, with its flow's id.
        epoch: The epoch.
        first: First ``rowid``.
        last: Last ``rowid``.
        rows: How many there were when they were counted.
        size_bytes: Size of their values.
        discarded: How many of them discard a key.
        at: When the last was written, as SQLite says, UTC.
    """

    step_id: str
    epoch: int
    first: int
    last: int
    rows: int
    size_bytes: int
    discarded: int
    at: str


class Counted(msgspec.Struct):
    """What was counted of one file.

    Attributes:
        upto: Last ``rowid`` that was looked at.
        left: Rows behind it, as far as known.
        stretches: In the order of their rows.
    """

    upto: int = 0
    left: int = 0
    stretches: list[Stretch] = []


class Counts(msgspec.Struct):
    """What was counted of a store.

    Attributes:
        oldest_epoch: Oldest whole epoch of the store when it was counted.
        thinned: How often its history had been thinned by then.
        files: By name of the part.
    """

    oldest_epoch: int = 0
    thinned: int = 0
    files: dict[str, Counted] = {}

    @property
    def share(self) -> float:
        """Share of the rows that was looked at, 0 to 1."""
        seen = sum(file.upto for file in self.files.values())
        left = sum(file.left for file in self.files.values())
        return seen / (seen + left) if seen + left else 1.0

    def of_epoch(self, epoch: int) -> Iterator[tuple[str, Stretch]]:
        """Yield the name of the file and the place of an epoch's rows."""
        for name, file in self.files.items():
            for stretch in file.stretches:
                if stretch.epoch == epoch:
                    yield name, stretch

    def stretches(self) -> Iterator[Stretch]:
        """Yield every stretch."""
        for file in self.files.values():
            yield from file.stretches


def count_rows(store: OpenStore, counts: Counts, *, chunks: int | None = None) -> bool:
    """Look at rows that were not looked at yet; return whether all have been.

    Args:
        store: The store.
        counts: What is known; changed in place.
        chunks: Most queries; ``None`` for as many as it takes.

    Raises:
        StoreError: When a file cannot be read.
    """
    thinned = times_thinned(store.db_dir)
    if (counts.oldest_epoch, counts.thinned) != (store.oldest_epoch, thinned):
        counts.files.clear()
        counts.oldest_epoch, counts.thinned = store.oldest_epoch, thinned
    taken = 0
    for file in store.files:
        end = file.query("SELECT max(rowid) FROM snaps")[0][0] or 0
        known = counts.files.setdefault(file.path.name, Counted())
        if known.upto > end:  # another file under the same name
            known = counts.files[file.path.name] = Counted()
        known.left = end - known.upto
        while known.left and (chunks is None or taken < chunks):
            taken += 1
            upto = min(end, known.upto + _CHUNK_ROWS)
            looked_upto = _count_chunk(file, known, upto, store.resume_epoch)
            known.upto, known.left = looked_upto, end - looked_upto
            if looked_upto < upto:  # the rest is not over yet
                known.left = 0
    return not any(file.left for file in counts.files.values())


def _count_chunk(file: PartFile, known: Counted, upto: int, resume_epoch: int) -> int:
    """Count the rows behind those that are known; stop before rows of epochs that may change."""
    rows = file.query(_COUNT, (known.upto, upto))
    open_from = [first for _, epoch, first, *_ in rows if epoch >= resume_epoch]
    if open_from:
        upto = min(open_from) - 1
        rows = file.query(_COUNT, (known.upto, upto))
    for row in rows:
        _add(known.stretches, Stretch(*row))
    return upto


_COUNT: Final = (
    "SELECT step_id, snap_epoch, min(rowid), max(rowid), count(*), "
    "coalesce(sum(length(ser_change)), 0), sum(ser_change IS NULL), max(created_at) "
    "FROM snaps WHERE rowid > ? AND rowid <= ? GROUP BY snap_epoch, step_id"
)


def load_counts(path: Path) -> Counts:
    """Return the counts that were kept in *path*; none when there are none of use."""
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=Counts)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return Counts()


def save_counts(path: Path, counts: Counts) -> None:
    """Keep *counts* in *path*.

    Raises:
        OSError: When the file system refuses.
    """
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(msgspec.msgpack.encode(counts))
    temporary.replace(path)


def _add(stretches: list[Stretch], new: Stretch) -> None:
    """Add a stretch, joined with the last of its step and epoch when nothing lies between."""
    for known in reversed(stretches[-8:]):
        if known.step_id == new.step_id and known.epoch == new.epoch:
            known.last = max(known.last, new.last)
            known.rows += new.rows
            known.size_bytes += new.size_bytes
            known.discarded += new.discarded
            known.at = max(known.at, new.at)
            return
    stretches.append(new)
