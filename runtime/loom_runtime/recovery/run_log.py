"""When runs of a store began and how they ended, a line each, in a file beside it.

A run whose end is missing was killed, or its machine was.
"""

from __future__ import annotations

import os
from pathlib import Path
from time import time
from typing import Final, Literal

import msgspec

RUN_LOG_FILE: Final = "loom-runs.jsonl"

_MAX_BYTES: Final = 1_000_000
_KEPT_LINES: Final = 1_000


class RunLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line.

    Attributes:
        what: ``began``, ``ended`` or ``failed``.
        at_ms: When, milliseconds since 1970.
        epoch: First epoch of the run, for ``began``.
        process_id: Index of the process in its cluster.
    """

    what: Literal["began", "ended", "failed"]
    at_ms: int
    epoch: int = 0
    process_id: int = 0


class RunEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How the run that began with an epoch ended.

    Attributes:
        epoch: Its first epoch.
        how: ``ended``, ``failed``, or ``killed`` when nothing says how.
    """

    epoch: int
    how: Literal["ended", "failed", "killed"]


def note_run(db_dir: Path, line: RunLine) -> None:
    """Append a line; what the file system refuses is left out: a log must not stop a run."""
    path = db_dir / RUN_LOG_FILE
    try:
        _shorten(path)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, msgspec.json.encode(line) + b"\n")
        finally:
            os.close(descriptor)
    except OSError:
        return


def now_ms() -> int:
    """Return the wall clock, milliseconds since 1970."""
    return int(time() * 1000)


def read_runs(db_dir: Path) -> list[RunEnd]:
    """Return how runs ended, oldest first; the newest may still go on. Lines that make no sense
    are left out."""
    try:
        text = (db_dir / RUN_LOG_FILE).read_bytes()
    except OSError:
        return []
    runs: list[RunEnd] = []
    for raw in text.splitlines():
        try:
            line = msgspec.json.decode(raw, type=RunLine)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
        if line.what == "began":
            runs.append(RunEnd(epoch=line.epoch, how="killed"))
        elif runs:
            runs[-1] = RunEnd(epoch=runs[-1].epoch, how=line.what)
    return runs


def _shorten(path: Path) -> None:
    if path.exists() and path.stat().st_size > _MAX_BYTES:
        kept = path.read_bytes().splitlines(keepends=True)[-_KEPT_LINES:]
        path.write_bytes(b"".join(kept))
