"""Makes a recovery store ready for a run: created, or checked and rid of rows of the future."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal

from loom_runtime.config.runtime import BytewaxRecoverySettings
from loom_runtime.lazy_log import LazyLog
from loom_runtime.model import LoomFrozenStruct
from loom_runtime.recovery.adoption import identity_differences
from loom_runtime.recovery.creation import check_folder, create_store, keep_private
from loom_runtime.recovery.difference import difference, refuse
from loom_runtime.recovery.errors import StoreMismatchError, StoreUnreachableError
from loom_runtime.recovery.identity import (
    IDENTITY_FILE,
    IdentityFile,
    StoreIdentity,
    StoreStage,
    load_identity,
    save_identity,
)
from loom_runtime.recovery.lease import Claim, cluster_name, leased
from loom_runtime.recovery.part_access import Access
from loom_runtime.recovery.parts import PartFile, check_complete, part_files, resume_epoch
from loom_runtime.recovery.remapping import finish_remapping
from loom_runtime.recovery.run_log import RunLine, note_run, now_ms

WAIT_S: Final = 30.0
"""How long a process waits for others that prepare the store or are about to end, seconds."""

_KEEP_ALL: Final = timedelta(days=36_500)

_log = LazyLog(__name__)


class StoreReport(LoomFrozenStruct, frozen=True, kw_only=True):
    """What was found and done.

    Attributes:
        created: Whether the store is new.
        prepared: Whether this process prepared it; another of its cluster did otherwise.
        removed_rows: Rows of the future that were removed.
        resume_epoch: Epoch that Bytewax will resume from; ``None`` when not *prepared*.
        notes: Things worth telling, one line each.
    """

    created: bool
    prepared: bool = True
    removed_rows: int = 0
    resume_epoch: int | None = None
    notes: tuple[str, ...] = ()


@contextmanager
def prepare_store(
    db_dir: Path,
    identity: StoreIdentity,
    *,
    partitions: int,
    initialise: Callable[[Path, int], None],
    addresses: Sequence[str] | None = None,
    process_id: int | None = None,
    wait_s: float = WAIT_S,
) -> Iterator[StoreReport]:
    """Make the store in *db_dir* ready and keep it for this run until the context is left.

    Bytewax writes snapshots and progress in separate transactions: a crash between the two leaves
    snapshots of epochs that will be run again, and keys that are not touched again would keep
    them. They are removed here, before Bytewax opens the files.

    The processes of a cluster share one folder. The first to come prepares the store, the others
    wait for it and check that they run the same flow.

    Args:
        db_dir: Folder of the store; made when absent.
        identity: What the plan demands.
        partitions: Part files of a new store.
        initialise: Makes that many empty part files in an empty folder.
        addresses: Addresses of the cluster's processes; ``None`` outside a cluster.
        process_id: Index of this process in *addresses*.
        wait_s: How long to wait for other processes, seconds.

    Yields:
        What was found and done.

    Raises:
        StoreMismatchError: When the store's state is another flow's, or cannot be read by this
            revision.
        StoreDamagedError: When files are missing, damaged or not Bytewax's.
        StoreBusyError: When another run uses the store.
        StoreUnreachableError: When the machine refuses.
    """
    claim = Claim(
        db_dir=db_dir,
        cluster=cluster_name(addresses),
        process_id=process_id or 0,
        processes=len(addresses or ("",)),
        timeout_s=wait_s,
    )
    with ExitStack() as stack:
        with _explained(db_dir):
            check_folder(db_dir)
            lease = stack.enter_context(leased(claim))
            if lease.first:
                report = _prepare(db_dir, identity, partitions, initialise)
            else:
                _verify(db_dir, identity)
                report = StoreReport(created=False, prepared=False)
            lease.open_gate()
        _tell(db_dir, report)
        with _noted(db_dir, report):
            yield report


@contextmanager
def _noted(db_dir: Path, report: StoreReport) -> Iterator[None]:
    """Note when the run begins and how it ends."""
    if not report.prepared:
        yield
        return
    note_run(db_dir, RunLine(what="began", at_ms=now_ms(), epoch=report.resume_epoch or 1))
    how: Literal["ended", "failed"] = "failed"
    try:
        yield
        how = "ended"
    finally:
        note_run(db_dir, RunLine(what=how, at_ms=now_ms()))


def backup_interval(settings: BytewaxRecoverySettings) -> timedelta:
    """Return how long Bytewax is to keep superseded snapshots.

    Bytewax counts it in epochs, rounded up, and deletes nothing before so many have passed; a
    hundred years stand for ever.
    """
    if settings.backup_interval_ms is None:
        return _KEEP_ALL
    return timedelta(milliseconds=settings.backup_interval_ms)


def _prepare(
    db_dir: Path,
    identity: StoreIdentity,
    partitions: int,
    initialise: Callable[[Path, int], None],
) -> StoreReport:
    finish_remapping(db_dir)
    stored = load_identity(db_dir)
    paths = part_files(db_dir)
    if (stored is None and not paths) or (stored is not None and stored.stage is not _READY):
        create_store(db_dir, identity, partitions, initialise)
        return StoreReport(created=True, resume_epoch=1)
    notes = keep_private(db_dir)
    known = []
    if stored is not None:
        known = difference(stored.identity, identity)
        refuse(str(db_dir), known)
    with ExitStack() as stack:
        # Only a store that was never ours may be in use by a program that takes no lease.
        access = Access.ALONE if stored is None else Access.WRITE
        files = [stack.enter_context(PartFile(path, access)) for path in paths]
        parts = [file.read() for file in files]
        check_complete(db_dir, parts, None if stored is None else stored.partitions)
        for file in files:
            file.check_intact()
        epoch = resume_epoch(db_dir, parts)
        if stored is None:
            known = identity_differences(files, identity)
            refuse(str(db_dir), known)
            notes.append("the store had no identity file; its steps and topics fit the flow")
        removed = sum(file.remove_from(epoch) for file in files)
    current = IdentityFile(stage=_READY, partitions=len(parts), identity=identity)
    if current != stored:
        save_identity(db_dir, current)
    if len(parts) != partitions:
        notes.append(f"the store keeps its {len(parts)} part files; {partitions} are for a new one")
    notes += [each.what for each in known]
    return StoreReport(created=False, removed_rows=removed, resume_epoch=epoch, notes=tuple(notes))


def _verify(db_dir: Path, identity: StoreIdentity) -> None:
    """Check that this process runs what the process that prepared the store runs."""
    stored = load_identity(db_dir)
    if stored is None or stored.identity != identity:
        found = [] if stored is None else difference(stored.identity, identity)
        raise StoreMismatchError(
            "another process of this cluster prepared the store for another revision of the flow: "
            + ("; ".join(each.what for each in found) or "its declaration differs"),
            where=str(db_dir / IDENTITY_FILE),
            what_next="start every process of the cluster with the same code and configuration",
        )


_READY: Final = StoreStage.READY


@contextmanager
def _explained(db_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnreachableError(
            f"the recovery store cannot be used: {error.strerror or error}",
            where=str(error.filename or db_dir),
            what_next="check the path of db_dir, the rights of the run's user and the space on "
            "the disk",
        ) from error


def _tell(db_dir: Path, report: StoreReport) -> None:
    place = str(db_dir)
    if report.created:
        _log.info("a recovery store was created", db_dir=place)
    for note in report.notes:
        _log.info("recovery store", db_dir=place, note=note)
    if report.removed_rows:
        _log.warning(
            "the last run ended between two writes; its unfinished snapshots were removed",
            db_dir=place,
            rows=report.removed_rows,
            resume_epoch=report.resume_epoch,
        )
