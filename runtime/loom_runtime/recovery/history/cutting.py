"""Forks a store at an epoch: copied, cut, checked; the original is only read.

Whoever writes the files is followed with SQLite's backup; files at rest are copied as files.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from loom_runtime.recovery.errors import (
    NotPlainError,
    StoreDamagedError,
    StoreMismatchError,
    StoreUnreachableError,
)
from loom_runtime.recovery.history.epochs import flow_id
from loom_runtime.recovery.history.files import OpenStore, in_use, looking, store_bytes
from loom_runtime.recovery.history.forks import (
    ForkRecord,
    fork_folder,
    known_fork,
    save_fork,
    unused_name,
)
from loom_runtime.recovery.identity import (
    SOURCE_STEP,
    IdentityFile,
    save_identity,
    store_step_id,
)
from loom_runtime.recovery.part_access import Access
from loom_runtime.recovery.part_errors import RESTORE, explained_error
from loom_runtime.recovery.parts import PartFile
from loom_runtime.recovery.pickled import read_pickled
from loom_runtime.recovery.positions import SourcePosition, decode_position
from loom_runtime.recovery.run_log import now_ms

_COPIES_AT_ONCE: Final = 4


def fork_store(
    db_dir: Path, epoch: int, *, parent: str = "", name: str = "", note: str = ""
) -> ForkRecord:
    """Fork a store at the end of *epoch*; the next run of the fork goes on with the one after it.

    Args:
        db_dir: Folder of the store; a run may use it.
        epoch: The epoch.
        parent: Fork to cut from instead of the store itself.
        name: Name of the fork; one is made when empty.
        note: What it is made for.

    Raises:
        StoreMismatchError: When the epoch is not whole, or the name is taken.
        StoreDamagedError: When files are missing, damaged or not Bytewax's.
        StoreUnreachableError: When the machine refuses.
    """
    name = name or unused_name(db_dir, epoch)
    target = fork_folder(db_dir, name)
    origin = known_fork(db_dir, parent)
    if target.exists():
        raise StoreMismatchError(
            f"there is a fork {name!r} already",
            where=str(target),
            what_next="choose another name, or remove that one",
        )
    try:
        target.parent.mkdir(mode=0o700, exist_ok=True)
        _check_space(origin, target.parent)
        work = Path(tempfile.mkdtemp(prefix=".cutting-", dir=target.parent))
        try:
            record = _cut(origin, work, epoch, name=name, parent=parent, note=note)
            work.rename(target)
        except BaseException:
            shutil.rmtree(work, ignore_errors=True)
            raise
    except OSError as error:
        raise StoreUnreachableError(
            f"the fork cannot be made: {error.strerror or error}",
            where=str(error.filename or target),
            what_next="check the rights of this user and the space on the disk",
        ) from error
    return record


def source_positions(store: OpenStore, epoch: int) -> dict[str, SourcePosition]:
    """Return where each source partition stood at the end of *epoch*.

    Raises:
        StoreError: When a file cannot be read.
    """
    flow = flow_id(store)
    found: dict[str, tuple[int, SourcePosition]] = {}
    for file in store.files:
        for key, written_at, blob in file.latest(f"{flow}.{SOURCE_STEP}", epoch + 1):
            try:
                value = None if blob is None else read_pickled(blob)
                position = None if value is None else decode_position(value)
            except NotPlainError:
                continue
            if position is not None and (key not in found or found[key][0] < written_at):
                found[key] = written_at, position
    return {key: position for key, (_, position) in sorted(found.items())}


def _cut(origin: Path, work: Path, epoch: int, *, name: str, parent: str, note: str) -> ForkRecord:
    with looking(origin) as store:
        if not store.is_whole(epoch):
            raise StoreMismatchError(
                f"epoch {epoch} cannot be forked: the store has whole epochs from "
                f"{max(store.oldest_epoch, 1)} to {store.resume_epoch - 1}",
                where=str(origin),
                what_next="choose one of these",
            )
        positions = source_positions(store, epoch)
        _copy([file.path for file in store.files], work, epoch)
        if store.identity is not None:
            save_identity(work, _identity_at(store.identity, store, epoch))
    at_ms = max((each.at_ms for each in positions.values()), default=None)
    record = ForkRecord(
        name=name,
        parent=parent,
        epoch=epoch,
        revision=next((each.revision for each in positions.values() if each.revision), None),
        epoch_at_ms=at_ms,
        made_at_ms=now_ms(),
        note=note,
    )
    _check(work, epoch, set(positions))
    save_fork(work, record)
    return record


def _copy(paths: Sequence[Path], work: Path, epoch: int) -> None:
    """Copy the files and have the copy go on behind *epoch*.

    An execution that begins there is all that this takes: rows behind it are rows of the future,
    which no reader looks at and which are removed before the first run. Deleting them here would
    take ten times as long as the copy.
    """
    with ThreadPoolExecutor(min(_COPIES_AT_ONCE, len(paths))) as pool:
        newest = list(pool.map(partial(_copy_part, work=work), paths))
    _begin_execution(work / paths[0].name, max(newest) + 1, epoch + 1)


def _copy_part(path: Path, *, work: Path) -> int:
    """Copy one file; return its newest execution's number."""
    target = work / path.name
    if not _copied_at_rest(path, target):
        target.unlink(missing_ok=True)
        with PartFile(path, Access.LOOK) as source:
            source.back_up(target)
    target.chmod(0o600)
    with PartFile(target, Access.LOOK) as copy:
        [(newest,)] = copy.query("SELECT max(ex_num) FROM exs")
    return -1 if newest is None else int(newest)


def _copied_at_rest(path: Path, target: Path) -> bool:
    """Copy a file that nobody writes as the system copies files; return whether nobody did."""
    log = path.with_name(f"{path.name}-wal")
    before = path.stat()
    if (log.exists() and log.stat().st_size) or in_use(path.parent):
        return False
    shutil.copyfile(path, target)
    after = path.stat()
    unchanged = (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size)
    return unchanged and not (log.exists() and log.stat().st_size)


def _begin_execution(path: Path, number: int, resume_epoch: int) -> None:
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as copy:
            copy.execute(
                "INSERT INTO exs (ex_num, worker_count, resume_epoch) VALUES (?, 1, ?)",
                (number, resume_epoch),
            )
    except sqlite3.Error as error:
        raise explained_error(path, error) from error


def _identity_at(identity: IdentityFile, store: OpenStore, epoch: int) -> IdentityFile:
    """Return whose the copy is: steps that had no state by then are none of its own."""
    known = identity.identity
    steps = {
        step_id: step
        for step_id, step in known.steps.items()
        if any(
            file.query(
                "SELECT 1 FROM snaps WHERE step_id = ? AND snap_epoch <= ? LIMIT 1",
                (store_step_id(known.flow, step_id), epoch),
            )
            for file in store.files
        )
    }
    return msgspec.structs.replace(identity, identity=msgspec.structs.replace(known, steps=steps))


def _check(work: Path, epoch: int, partitions: set[str]) -> None:
    """Check that the copies make up one store that goes on behind *epoch*."""
    with looking(work) as fork:
        found = set(source_positions(fork, epoch))
        if fork.resume_epoch != epoch + 1 or found != partitions or fork.oldest_epoch > epoch:
            raise StoreDamagedError(
                f"the copy would go on with epoch {fork.resume_epoch}, not {epoch + 1}, or lacks "
                f"the positions of {sorted(partitions - found)}",
                where=str(work),
                what_next=f"fork again: the store was changed meanwhile; or {RESTORE}",
            )


def _check_space(origin: Path, target: Path) -> None:
    needed, free = store_bytes(origin), shutil.disk_usage(target).free
    if needed > free:
        raise StoreUnreachableError(
            f"the fork needs up to {needed:,} bytes and the disk has {free:,} left",
            where=str(target),
            what_next="remove forks that are no longer needed",
        )
