"""Makes a recovery store ready for a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

from loom_runtime.config.runtime import BytewaxRecoverySettings
from loom_runtime.model import LoomFrozenStruct
from loom_runtime.recovery.identity import StoreIdentity

_FOR_EVER: Final = timedelta(days=36_500)


class StoreReport(LoomFrozenStruct, frozen=True, kw_only=True):
    """What was found and done.

    Attributes:
        created: Whether the store is new.
        removed_rows: Rows of the future that were removed.
        resume_epoch: Epoch that the run resumes from; ``None`` when another process of the cluster
            prepared the store.
        notes: Things worth telling, one line each.
    """

    created: bool
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
) -> Iterator[StoreReport]:
    """Make the store in *db_dir* ready and keep it for this run until the context is left."""
    created = not any(db_dir.glob("*.sqlite3"))
    if created:
        db_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        initialise(db_dir, partitions)
    yield StoreReport(created=created)


def backup_interval(settings: BytewaxRecoverySettings) -> timedelta:
    """Return how long Bytewax is to keep superseded snapshots."""
    if settings.backup_interval_ms is None:
        return _FOR_EVER
    return timedelta(milliseconds=settings.backup_interval_ms)
