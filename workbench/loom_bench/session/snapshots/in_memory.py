"""Lends a fork a place in memory while a replay writes an epoch for each record.

SQLite waits for the disk at the end of every transaction, and Bytewax makes three or four an epoch
and lets nobody turn that off: on a disk such a replay does nothing but wait. A fork that can be
made again needs no disk while it is written.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from loom_runtime.recovery.history.files import store_bytes

MEMORY: Final = Path("/dev/shm")  # noqa: S108 - what is made in it is private to the user
"""A file system in memory, on Linux."""

_PREFIX: Final = "loom-replay-"
_SHARE: Final = 4
"""The fork and what is written to it may take one part in so many of what is free there."""


@contextmanager
def lent_memory(folder: Path, memory: Path = MEMORY) -> Iterator[Path]:
    """Yield where the fork in *folder* is to be replayed: a copy in memory where there is room.

    When the block ends without an exception the fork is what the copy has become.

    Args:
        folder: Folder of a fork that nobody else uses.
        memory: Folder of a file system in memory.

    Raises:
        OSError: When the fork cannot be copied.
    """
    _sweep(memory)
    if not _has_room(memory, store_bytes(folder)):
        yield folder
        return
    place = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=memory))
    try:
        lent = place / folder.name  # a fork is known by the name of its folder
        _copy(folder, lent)
        yield lent
        for old in folder.iterdir():
            if old.is_file():
                old.unlink()
        _copy(lent, folder)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _has_room(memory: Path, needed: int) -> bool:
    try:
        return os.access(memory, os.W_OK) and needed * _SHARE < shutil.disk_usage(memory).free
    except OSError:
        return False


def _copy(folder: Path, target: Path) -> None:
    target.mkdir(mode=0o700, exist_ok=True)
    for path in folder.iterdir():
        if path.is_file():
            shutil.copy2(path, target / path.name)


def _sweep(memory: Path) -> None:
    """Remove what benches that were killed have left."""
    for left in memory.glob(f"{_PREFIX}*"):
        pid = left.name.removeprefix(_PREFIX).partition("-")[0]
        with contextlib.suppress(OSError):
            if pid.isdigit() and left.stat().st_uid == os.getuid() and not _runs(int(pid)):
                shutil.rmtree(left, ignore_errors=True)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
