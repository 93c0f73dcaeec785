"""What a part of a store is opened for, and how SQLite is told."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from pathlib import Path
from typing import Final


class Access(Enum):
    """What a file is opened for.

    ``LOOK``: to look and leave every byte of the store as it is. ``READ``: to look, with the right
    to clean up what a crash has left. ``WRITE``: to change it, beside programs that read it, such
    as a backup that follows along. ``ALONE``: to change it when no other program has it open.
    """

    LOOK = auto()
    READ = auto()
    WRITE = auto()
    ALONE = auto()


PRAGMAS: Final[Mapping[Access, tuple[str, ...]]] = {
    Access.LOOK: ("PRAGMA query_only = ON",),
    Access.READ: ("PRAGMA query_only = ON",),
    Access.WRITE: (),
    # A connection to a WAL file holds a lock as long as it is open, so an exclusive one is had only
    # when there is no other.
    Access.ALONE: ("PRAGMA locking_mode = EXCLUSIVE",),
}


def opening_mode(path: Path, access: Access) -> str:
    """Return how SQLite is to open a file.

    Whoever opens a file that nobody uses makes a log and a lock file beside it, unless it is told
    that nothing changes. A log that is there has to be read.
    """
    if access is not Access.LOOK:
        return "mode=rw"
    log = path.with_name(f"{path.name}-wal")
    return "mode=ro" if log.exists() and log.stat().st_size else "mode=ro&immutable=1"
