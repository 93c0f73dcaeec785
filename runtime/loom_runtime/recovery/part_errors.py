"""What SQLite's refusals mean for whoever runs a flow."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from loom_runtime.recovery.errors import (
    StoreBusyError,
    StoreDamagedError,
    StoreError,
    StoreUnreachableError,
)

RESTORE: Final = (
    "restore the whole folder from one backup; or delete the folder, and the flow starts without "
    "state at the committed offsets"
)


def explained_error(path: Path, error: sqlite3.Error) -> StoreError:
    """Return *error*, raised over the file *path*, as one that says what to do."""
    code = getattr(error, "sqlite_errorcode", None)
    primary = None if code is None else code & 0xFF
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreBusyError(
            "another program uses the file",
            where=str(path),
            what_next="end the other run, shell or backup tool (fuser shows whose it is)",
        )
    if primary in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM):
        return StoreUnreachableError(
            f"the disk refused: {error}",
            where=str(path),
            what_next="make room on the disk or repair it, then start again: what was asked for "
            "is done whole or not at all",
        )
    if primary in (
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_AUTH,
    ):
        return StoreUnreachableError(
            f"the file cannot be opened for writing: {error}",
            where=str(path),
            what_next="give the run's user the right to read and write the file and its folder",
        )
    return StoreDamagedError(
        f"the file is damaged, or no SQLite file: {error}", where=str(path), what_next=RESTORE
    )
