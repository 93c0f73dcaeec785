"""Makes the folder and files of a new recovery store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from stat import S_IMODE
from typing import Final

from loom_runtime.recovery.errors import StoreDamagedError, StoreUnreachableError
from loom_runtime.recovery.identity import (
    IDENTITY_FILE,
    IdentityFile,
    StoreIdentity,
    StoreStage,
    save_identity,
    sync_folder,
)
from loom_runtime.recovery.parts import part_files

_OURS: Final = "loom-"
_WRITABLE_BY_OTHERS: Final = 0o022


def check_folder(db_dir: Path) -> None:
    """Make the folder when it is absent; refuse one that is used for something else.

    Raises:
        StoreDamagedError: When it holds other files and no store.
        OSError: When it cannot be made or read.
    """
    db_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (db_dir / IDENTITY_FILE).exists() or part_files(db_dir):
        return
    others = [
        path.name
        for path in sorted(db_dir.iterdir())
        if not path.name.startswith((_OURS, ".")) and path.name != "lost+found"
    ]
    if others:
        raise StoreDamagedError(
            "the folder holds no recovery store, but other files: " + ", ".join(others[:3]),
            where=str(db_dir),
            what_next="give the store a folder of its own; if there was a store here, restore it "
            "from a backup",
        )


def create_store(
    db_dir: Path,
    identity: StoreIdentity,
    partitions: int,
    initialise: Callable[[Path, int], None],
) -> None:
    """Make the part files of a store that was never run.

    The identity file says ``creating`` until they are all there, so that a crash in between is
    known for what it is at the next start.

    Raises:
        StoreUnreachableError: When *initialise* fails.
        OSError: When the file system refuses.
    """
    db_dir.chmod(0o700)
    begun = IdentityFile(stage=StoreStage.CREATING, partitions=partitions, identity=identity)
    save_identity(db_dir, begun)
    for remnant in db_dir.glob("part-*.sqlite3*"):
        remnant.unlink()
    try:
        initialise(db_dir, partitions)
    except (KeyboardInterrupt, SystemExit, GeneratorExit, OSError):
        raise
    except BaseException as error:  # Bytewax's panics are no Exception
        raise StoreUnreachableError(
            f"the files of the recovery store could not be made: {error}",
            where=str(db_dir),
            what_next="check the space on the disk and the rights of the run's user, then start "
            "again",
        ) from error
    for path in part_files(db_dir):
        path.chmod(0o600)
    sync_folder(db_dir)
    save_identity(
        db_dir,
        IdentityFile(stage=StoreStage.READY, partitions=partitions, identity=identity),
    )


def keep_private(db_dir: Path) -> list[str]:
    """Take the right to write from others: Bytewax unpickles what the files hold.

    Returns:
        A note when others could write.
    """
    mode = S_IMODE(db_dir.stat().st_mode)
    if not mode & _WRITABLE_BY_OTHERS:
        return []
    try:
        db_dir.chmod(mode & ~_WRITABLE_BY_OTHERS)
    except PermissionError:
        return ["other users may write to the store's folder, and what they write is unpickled"]
    return ["other users could write to the store's folder; they no longer can"]
