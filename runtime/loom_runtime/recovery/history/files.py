"""Opens the files of a store to look, without disturbing whoever writes them."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from loom_runtime.recovery.errors import StoreDamagedError, StoreUnreachableError
from loom_runtime.recovery.identity import IdentityFile, load_identity
from loom_runtime.recovery.part_access import Access
from loom_runtime.recovery.part_errors import RESTORE
from loom_runtime.recovery.parts import Part, PartFile, check_complete, part_files, resume_epoch

_LEASE_PATTERN = "loom-run-*.lock"
_LOCKS = Path("/proc/locks")


@dataclass(frozen=True)
class OpenStore:
    """A store whose files are open to look.

    Attributes:
        db_dir: Its folder.
        files: Its part files.
        identity: Whose it is; ``None`` without an identity file.
        resume_epoch: First epoch that the next run would write; everything below it is whole, and
            stays so.
        oldest_epoch: Oldest epoch that is whole: before it superseded rows were deleted.
        starts: First epoch and number of each execution, oldest first.
    """

    db_dir: Path
    files: tuple[PartFile, ...]
    identity: IdentityFile | None
    resume_epoch: int
    oldest_epoch: int
    starts: tuple[tuple[int, int], ...]

    def is_whole(self, epoch: int) -> bool:
        """Return whether the state at the end of *epoch* can be told in every partition."""
        return max(self.oldest_epoch, 1) <= epoch < self.resume_epoch


@contextmanager
def looking(db_dir: Path) -> Iterator[OpenStore]:
    """Open the store in *db_dir* until the context is left; in the thread that uses it.

    Frontiers are read before anything else, so what lies below them is whole even while a run
    goes on.

    Raises:
        StoreError: When it is none, incomplete or damaged, or the machine refuses.
    """
    paths = part_files(db_dir)
    _check_logs(db_dir, paths)
    with ExitStack() as stack:
        files = [stack.enter_context(PartFile(path, Access.LOOK)) for path in paths]
        yield _opened(db_dir, files)


def _opened(db_dir: Path, files: list[PartFile]) -> OpenStore:
    parts = [file.read() for file in files]
    identity = load_identity(db_dir)
    check_complete(db_dir, parts, None if identity is None else identity.partitions)
    return OpenStore(
        db_dir=db_dir,
        files=tuple(files),
        identity=identity,
        resume_epoch=resume_epoch(db_dir, parts),
        oldest_epoch=max((part.commit_epoch or 0 for part in parts), default=0),
        starts=_starts(parts),
    )


def store_bytes(db_dir: Path) -> int:
    """Return how much of the disk a store's folder uses, forks apart."""
    return sum(path.stat().st_size for path in db_dir.iterdir() if path.is_file())


def in_use(db_dir: Path) -> bool:
    """Return whether a run holds the store; nothing is locked to find out.

    Only a kernel that lists its locks can tell; elsewhere the answer is ``False``.
    """
    try:
        held = _LOCKS.read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    inodes = {str(path.stat().st_ino) for path in db_dir.glob(_LEASE_PATTERN) if path.is_file()}
    for line in held.splitlines():
        fields = line.split()
        if "FLOCK" in fields and any(
            ":" in each and each.split(":")[-1] in inodes for each in fields
        ):
            return True
    return False


def _starts(parts: list[Part]) -> tuple[tuple[int, int], ...]:
    executions = {number: epoch for part in parts for number, (_, epoch) in part.executions.items()}
    return tuple(sorted((epoch, number) for number, epoch in executions.items()))


def _check_logs(db_dir: Path, paths: list[Path]) -> None:
    """Refuse what is no store, and logs whose file is gone: they hold rows that nobody would see.

    Raises:
        StoreDamagedError: When there is nothing to read, or something is gone.
        StoreUnreachableError: When the folder cannot be read.
    """
    try:
        names = sorted(path.name for path in db_dir.iterdir())
    except OSError as error:
        raise StoreUnreachableError(
            f"the folder of the recovery store cannot be read: {error.strerror or error}",
            where=str(db_dir),
            what_next="check the path and the rights of this user",
        ) from error
    present = {path.name for path in paths}
    for name in names:
        if name.endswith(".sqlite3-wal") and name.removesuffix("-wal") not in present:
            raise StoreDamagedError(
                f"{name} is there without its main file {name.removesuffix('-wal')}: what it "
                "holds cannot be read alone",
                where=str(db_dir),
                what_next=RESTORE,
            )
    for path in paths:
        if not stat.S_ISREG(path.stat().st_mode):
            raise StoreDamagedError(
                "the part is no regular file", where=str(path), what_next=RESTORE
            )
    if not paths:
        raise StoreDamagedError(
            "the folder holds no recovery store",
            where=str(db_dir),
            what_next="name the folder that the flow's streaming.runtime.recovery.db_dir names",
        )
