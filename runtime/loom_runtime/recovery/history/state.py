"""The state at an epoch, page by page, and a key's whole history."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Final

import msgspec

from loom_runtime.recovery.history.files import OpenStore
from loom_runtime.recovery.history.segments import Counts
from loom_runtime.recovery.history.values import (
    Difference,
    ShownValue,
    show_value,
    value_changes,
)
from loom_runtime.recovery.parts import PartFile

SEARCH_LIMIT_S: Final = 0.15
"""How long one search looks: a screen waits for it."""

_LOOK_AT_CLOCK_EVERY: Final = 256


class StoredRow(msgspec.Struct, frozen=True, kw_only=True):
    """A key's value.

    Attributes:
        key: The key.
        epoch: Epoch that wrote it.
        value: What it is.
        size_bytes: Size of the stored value.
        changes: What differs from the value before, when that was asked for.
    """

    key: str
    epoch: int
    value: ShownValue
    size_bytes: int = 0
    changes: tuple[Difference, ...] = ()


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Some keys of a step.

    Attributes:
        rows: In the order of their keys.
        more: Whether more follow.
        looked_up_to: Key at which a search ran out of time.
    """

    rows: tuple[StoredRow, ...]
    more: bool = False
    looked_up_to: str | None = None


def read_page(
    store: OpenStore,
    step_id: str,
    epoch: int,
    *,
    after: str | None = None,
    search: str = "",
    limit: int = 100,
    limit_s: float = SEARCH_LIMIT_S,
) -> Page:
    """Return the keys of a step that have a value at the end of *epoch*.

    Args:
        store: The store.
        step_id: The step, with its flow's id.
        epoch: The epoch.
        after: Key after which the page begins.
        search: Part of the key; with ``*`` at its end, its beginning.
        limit: Most keys.
        limit_s: How long to look, seconds.

    Raises:
        StoreError: When a file cannot be read.
    """
    wanted, beginning = search, ""
    if search.endswith("*"):
        wanted, beginning = "", search[:-1]
    deadline_s = monotonic() + limit_s
    rows: list[StoredRow] = []
    looked = 0
    with _merged(store, step_id, epoch, after, beginning) as keys:
        for key, written_at, file in keys:
            looked += 1
            if beginning and not key.startswith(beginning):
                break
            late = looked % _LOOK_AT_CLOCK_EVERY == 0 and monotonic() > deadline_s
            if wanted in key:
                row = _row(file, step_id, key, written_at)
                if row is not None:
                    if len(rows) == limit:
                        return Page(rows=tuple(rows), more=True)
                    rows.append(row)
            if late:
                return Page(rows=tuple(rows), more=True, looked_up_to=key)
    return Page(rows=tuple(rows))


def read_changes(
    store: OpenStore,
    counts: Counts,
    step_id: str,
    epoch: int,
    *,
    after: str | None = None,
    search: str = "",
    limit: int = 100,
) -> Page:
    """Return the keys that *epoch* wrote or discarded, each with what differs; arguments as for
    :func:`read_page`.

    Raises:
        StoreError: When a file cannot be read.
    """
    wanted, beginning = search, ""
    if search.endswith("*"):
        wanted, beginning = "", search[:-1]
    files = {file.path.name: file for file in store.files}
    found: list[tuple[str, PartFile]] = []
    for name, stretch in counts.of_epoch(epoch):
        if stretch.step_id != step_id or name not in files:
            continue
        keys = files[name].scan(
            "SELECT state_key FROM snaps WHERE rowid BETWEEN ? AND ? AND snap_epoch = ? AND "
            "step_id = ? AND state_key > ? AND instr(state_key, ?) ORDER BY state_key LIMIT ?",
            (
                stretch.first,
                stretch.last,
                epoch,
                step_id,
                after or "",
                wanted or beginning,
                limit + 1,
            ),
        )
        found += [(key, files[name]) for (key,) in keys if key.startswith(beginning)]
    found.sort(key=lambda each: each[0])
    rows = []
    for key, file in found[:limit]:
        history = _newest_two(file, step_id, key, epoch)
        rows.append(
            msgspec.structs.replace(
                history[0], changes=value_changes(history[1].value, history[0].value)
            )
        )
    return Page(rows=tuple(rows), more=len(found) > limit)


def read_key(store: OpenStore, step_id: str, key: str) -> list[StoredRow]:
    """Return every value of a key that is kept in whole epochs, oldest first, each with what
    differs from the one before.

    Raises:
        StoreError: When a file cannot be read.
    """
    raw = sorted(
        (epoch, blob)
        for file in store.files
        for epoch, blob in file.query(
            "SELECT snap_epoch, ser_change FROM snaps WHERE step_id = ? AND state_key = ? AND "
            "snap_epoch < ?",
            (step_id, key, store.resume_epoch),
        )
    )
    rows: list[StoredRow] = []
    before = show_value(None)
    for epoch, blob in raw:
        value = show_value(blob)
        rows.append(
            StoredRow(
                key=key,
                epoch=epoch,
                value=value,
                size_bytes=len(blob or b""),
                changes=value_changes(before, value),
            )
        )
        before = value
    return rows


def read_all(store: OpenStore, step_id: str, epoch: int) -> Iterator[tuple[str, bytes]]:
    """Yield key and pickled value of every key of a step that has one at the end of *epoch*."""
    newest: dict[str, tuple[int, bytes | None]] = {}
    for file in store.files:
        for key, written_at, blob in file.scan(_LATEST, (step_id, epoch)):
            if key not in newest or newest[key][0] < written_at:
                newest[key] = written_at, blob
    for key, (_, blob) in newest.items():
        if blob is not None:
            yield key, blob


_LATEST: Final = (
    "SELECT state_key, max(snap_epoch), ser_change FROM snaps "
    "WHERE step_id = ? AND snap_epoch <= ? GROUP BY state_key"
)


def stateful_steps(store: OpenStore) -> list[str]:
    """Return the ids, with the flow's, of steps that have rows, in order."""
    return sorted({step for file in store.files for step in file.steps()})


@contextmanager
def _merged(
    store: OpenStore, step_id: str, epoch: int, after: str | None, beginning: str
) -> Iterator[Iterator[tuple[str, int, PartFile]]]:
    """Give the keys of every file in order, each once, from the index alone."""
    start = max(after or "", beginning)
    comparison = ">=" if start == beginning and start != (after or None) else ">"

    def of_file(file: PartFile) -> Iterator[tuple[str, int, int, PartFile]]:
        query = (
            "SELECT state_key, max(snap_epoch) FROM snaps WHERE step_id = ? AND "  # noqa: S608
            f"state_key {comparison} ? AND snap_epoch <= ? GROUP BY state_key"
        )
        for key, written_at in file.scan(query, (step_id, start, epoch)):
            yield key, -written_at, id(file), file

    def once() -> Iterator[tuple[str, int, PartFile]]:
        last = None
        for key, written_at, _, file in heapq.merge(*scans):
            if key != last:
                yield key, -written_at, file
            last = key

    scans = [of_file(file) for file in store.files]
    try:
        yield once()
    finally:
        for scan in scans:
            scan.close()  # type: ignore[attr-defined]


def _row(file: PartFile, step_id: str, key: str, epoch: int) -> StoredRow | None:
    """Return the value that *epoch* wrote; ``None`` when it discarded the key."""
    blob = file.query(
        "SELECT ser_change FROM snaps WHERE step_id = ? AND state_key = ? AND snap_epoch = ?",
        (step_id, key, epoch),
    )[0][0]
    value = show_value(blob)
    if value.text is None:
        return None
    return StoredRow(key=key, epoch=epoch, value=value, size_bytes=len(blob))


def _newest_two(file: PartFile, step_id: str, key: str, epoch: int) -> list[StoredRow]:
    found = file.query(
        "SELECT snap_epoch, ser_change FROM snaps WHERE step_id = ? AND state_key = ? AND "
        "snap_epoch <= ? ORDER BY snap_epoch DESC LIMIT 2",
        (step_id, key, epoch),
    )
    rows = [
        StoredRow(key=key, epoch=at, value=show_value(blob), size_bytes=len(blob or b""))
        for at, blob in found
    ]
    return [*rows, StoredRow(key=key, epoch=0, value=show_value(None))]
