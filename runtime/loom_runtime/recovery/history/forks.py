"""The forks of a store: folders beside it, each a store of its own that tells its origin."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from loom_runtime.recovery.errors import StoreBusyError, StoreMismatchError
from loom_runtime.recovery.history.files import in_use

FORKS_FOLDER: Final = "forks"
FORK_FILE: Final = "loom-fork.json"

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class ForkRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Where a fork comes from.

    Attributes:
        name: Its name.
        parent: Name of the fork that it was cut from; empty for the store itself.
        epoch: Epoch that it was cut at.
        revision: Revision that wrote that epoch.
        epoch_at_ms: When that epoch was closed, milliseconds since 1970.
        made_at_ms: When the fork was made.
        note: What it was made for.
    """

    name: str
    parent: str = ""
    epoch: int
    revision: str | None = None
    epoch_at_ms: int | None = None
    made_at_ms: int = 0
    note: str = ""


def fork_folder(db_dir: Path, name: str) -> Path:
    """Return the folder of a fork, or of the store itself when *name* is empty.

    Args:
        db_dir: Folder of the store.
        name: The fork.

    Raises:
        StoreMismatchError: When *name* is no name of a fork.
    """
    if not name:
        return db_dir
    if not _NAME.fullmatch(name):
        raise StoreMismatchError(
            f"{name!r} is no name for a fork",
            where=str(db_dir),
            what_next="use letters, digits, dots, dashes and underscores, at most 64",
        )
    return db_dir / FORKS_FOLDER / name


def known_fork(db_dir: Path, name: str) -> Path:
    """Return the folder of a fork that is there; raises as :func:`fork_folder`, or when it is
    not."""
    folder = fork_folder(db_dir, name)
    if name and load_fork(folder) is None:
        names = ", ".join(each.name for each in list_forks(db_dir)) or "none"
        raise StoreMismatchError(
            f"the store has no fork {name!r}",
            where=str(db_dir / FORKS_FOLDER),
            what_next=f"its forks: {names}",
        )
    return folder


def unused_name(db_dir: Path, epoch: int) -> str:
    """Return a name for a new fork at *epoch*."""
    name, number = f"epoch-{epoch}", 1
    while (db_dir / FORKS_FOLDER / name).exists():
        number += 1
        name = f"epoch-{epoch}-{number}"
    return name


def list_forks(db_dir: Path) -> list[ForkRecord]:
    """Return the forks of a store, each after its parent, siblings by age."""
    folder = db_dir / FORKS_FOLDER
    if not folder.is_dir():
        return []
    found = [load_fork(path) for path in sorted(folder.iterdir()) if path.is_dir()]
    forks = sorted((each for each in found if each), key=lambda fork: (fork.made_at_ms, fork.name))
    names = {fork.name for fork in forks}

    def below(parent: str) -> Iterator[ForkRecord]:
        for fork in forks:
            if fork.parent == parent or (not parent and fork.parent not in names | {""}):
                yield fork
                yield from below(fork.name)

    return list(below(""))


def load_fork(folder: Path) -> ForkRecord | None:
    """Return what a folder says of itself as a fork; ``None`` when it is none."""
    try:
        record = msgspec.json.decode((folder / FORK_FILE).read_bytes(), type=ForkRecord)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return record if record.name == folder.name and record.parent != record.name else None


def save_fork(folder: Path, record: ForkRecord) -> None:
    """Write where a fork comes from.

    Raises:
        OSError: When the file system refuses.
    """
    descriptor = os.open(folder / FORK_FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(record), indent=2))


def remove_fork(db_dir: Path, name: str) -> None:
    """Delete a fork; forks of it stay.

    Raises:
        StoreMismatchError: When there is none.
        StoreBusyError: When a run uses it.
        OSError: When the file system refuses.
    """
    folder = known_fork(db_dir, name)
    if not name:
        raise StoreMismatchError(
            "the store itself is no fork", where=str(db_dir), what_next="name the fork to delete"
        )
    if in_use(folder):
        raise StoreBusyError(
            f"a run uses the fork {name!r}", where=str(folder), what_next="end the replay first"
        )
    shutil.rmtree(folder)
