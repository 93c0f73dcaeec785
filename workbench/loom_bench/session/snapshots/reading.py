"""A store as a screen shows it: the runtime's history in the session's words."""

from __future__ import annotations

from pathlib import Path
from time import monotonic

from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.session.snapshots.value import (
    EpochView,
    FieldChange,
    ForkView,
    KeyHistory,
    Mark,
    MarkKind,
    StatePage,
    StateQuery,
    StateRow,
    StepView,
    Timeline,
)
from loom_runtime.failures import RunError
from loom_runtime.recovery.history.epochs import Epoch, flow_id, read_epochs
from loom_runtime.recovery.history.files import OpenStore, in_use, looking, store_bytes
from loom_runtime.recovery.history.forks import list_forks, load_fork
from loom_runtime.recovery.history.segments import Counts, count_rows
from loom_runtime.recovery.history.state import (
    Page,
    StoredRow,
    read_changes,
    read_key,
    read_page,
    stateful_steps,
)
from loom_runtime.recovery.history.values import show_value
from loom_runtime.recovery.identity import SINK_STEP, SOURCE_STEP

KEPT = (
    "the last minute whole, then one epoch a second for ten minutes, one every ten seconds for a "
    "day, one every five minutes before; and the first and last epoch of every run"
)
KEPT_BY_CONFIGURATION = "what streaming.runtime.recovery.backup_interval_ms keeps"


class StoreReader:
    """Reads one store; each call opens it anew, so that nothing is held while a run goes on.

    Args:
        db_dir: Its folder.
        kept: What history is kept in it, in words.
    """

    def __init__(self, db_dir: Path, kept: str = "") -> None:
        self.db_dir = db_dir
        self._kept = kept
        self._counts = Counts()

    def timeline(self) -> Timeline:
        """Return the history; counts may lack, see :meth:`count`.

        Raises:
            StoreError: When the store cannot be read.
        """
        with looking(self.db_dir) as store:
            flow = flow_id(store)
            identity = None if store.identity is None else store.identity.identity
            epochs = read_epochs(store, self._counts)
            return Timeline(
                store=str(self.db_dir),
                root=str(root_of(self.db_dir)),
                flow=identity.flow if identity is not None else flow or "",
                ours=identity is not None or any(each.positions for each in epochs),
                partitions=len(store.files),
                size_bytes=store_bytes(self.db_dir),
                in_use=in_use(self.db_dir),
                steps=tuple(_steps(store, flow)),
                epochs=tuple(_view(each) for each in epochs),
                resume_epoch=store.resume_epoch,
                counted=self._counts.share,
                kept=self._kept,
            )

    def count(self, limit_s: float | None = None) -> bool:
        """Count what epochs wrote, for about *limit_s* seconds; return whether all is counted.

        Raises:
            StoreError: When the store cannot be read.
        """
        deadline_s = None if limit_s is None else monotonic() + limit_s
        with looking(self.db_dir) as store:
            while not count_rows(store, self._counts, chunks=None if limit_s is None else 1):
                if deadline_s is not None and monotonic() > deadline_s:
                    return False
        return True

    def page(self, query: StateQuery) -> StatePage:
        """Return a page of the state at an epoch.

        Raises:
            StoreError: When the store cannot be read.
        """
        if query.changed_only:
            self.count()
        with looking(self.db_dir) as store:
            flow = flow_id(store)
            step = query.step_id or next((each.step_id for each in _steps(store, flow)), None)
            if step is None:
                return StatePage(query=query)
            full_id = f"{flow}.{step}" if flow is not None else step
            arguments = {"after": query.after, "search": query.search, "limit": query.limit}
            if query.changed_only:
                found = read_changes(store, self._counts, full_id, query.epoch, **arguments)  # type: ignore[arg-type]
            else:
                found = read_page(store, full_id, query.epoch, **arguments)  # type: ignore[arg-type]
        return _page(query, step, found)

    def key(self, step_id: str, key: str) -> KeyHistory:
        """Return a key's whole history.

        Raises:
            StoreError: When the store cannot be read.
        """
        with looking(self.db_dir) as store:
            flow = flow_id(store)
            rows = read_key(store, f"{flow}.{step_id}" if flow is not None else step_id, key)
        return KeyHistory(
            step_id=step_id,
            key=key,
            rows=tuple(_row(step_id, each, changed=True) for each in rows),
        )

    def foreign_pickles(self, step_id: str, key: str) -> dict[int, bytes]:
        """Return what a key holds that cannot be shown without running code, by epoch.

        Raises:
            StoreError: When the store cannot be read.
        """
        with looking(self.db_dir) as store:
            flow = flow_id(store)
            rows = [
                row
                for file in store.files
                for row in file.query(
                    "SELECT snap_epoch, ser_change FROM snaps WHERE step_id = ? AND state_key = ?",
                    (f"{flow}.{step_id}" if flow is not None else step_id, key),
                )
            ]
        return {
            epoch: blob
            for epoch, blob in sorted(rows)
            if blob is not None and not show_value(blob).readable
        }

    def forks(self) -> tuple[ForkView, ...]:
        """Return the store's forks, each after its parent."""
        return tuple(
            ForkView(
                name=fork.name,
                folder=str(folder := self.db_dir / "forks" / fork.name),
                parent=fork.parent,
                epoch=fork.epoch,
                revision=fork.revision,
                epoch_at_ms=fork.epoch_at_ms,
                made_at_ms=fork.made_at_ms,
                size_bytes=store_bytes(folder),
                replayed_to=_replayed_to(folder, fork.epoch),
                note=fork.note,
            )
            for fork in list_forks(self.db_dir)
        )


def root_of(db_dir: Path) -> Path:
    """Return the store that *db_dir* is a fork of; itself when it is none."""
    return db_dir.parent.parent if load_fork(db_dir) is not None else db_dir


def store_diagnosis(error: RunError | OSError) -> Diagnosis:
    """Return what an error over a store means."""
    if isinstance(error, RunError):
        return Diagnosis(
            code="store", message=error.what, component=error.where, hint=error.what_next
        )
    return Diagnosis(
        code="store",
        message=f"the file system refuses: {error}",
        hint="Check the rights of this user and the space on the disk.",
    )


def _replayed_to(folder: Path, epoch: int) -> int | None:
    try:
        with looking(folder) as store:
            reached = store.resume_epoch - 1
    except RunError:
        return None
    return reached if reached > epoch else None


def _steps(store: OpenStore, flow: str | None) -> list[StepView]:
    known = {} if store.identity is None else store.identity.identity.steps
    found = []
    for full_id in stateful_steps(store):
        step_id = full_id if flow is None else full_id.removeprefix(f"{flow}.")
        if step_id in (SOURCE_STEP, SINK_STEP) and (known or store.identity is not None):
            continue
        step = known.get(step_id)
        found.append(
            StepView(
                step_id=step_id,
                node="" if step is None else step.node,
                kind="" if step is None else step.kind.value,
                state_type="" if step is None else step.state_type,
            )
        )
    return found


def _view(epoch: Epoch) -> EpochView:
    return EpochView(
        number=epoch.number,
        at_ms=epoch.at_ms,
        positions=epoch.positions,
        records=epoch.records,
        keys_changed=epoch.keys_changed,
        state_bytes=epoch.state_bytes,
        revision=epoch.revision,
        marks=tuple(
            Mark(kind=MarkKind(mark.kind.value), text=mark.text, count=mark.count)
            for mark in epoch.marks
        ),
        complete=epoch.whole,
        why_not=epoch.why_not,
    )


def _page(query: StateQuery, step: str, found: Page) -> StatePage:
    return StatePage(
        query=StateQuery(
            epoch=query.epoch,
            step_id=step,
            search=query.search,
            changed_only=query.changed_only,
            after=query.after,
            limit=query.limit,
        ),
        rows=tuple(_row(step, row, changed=row.epoch == query.epoch) for row in found.rows),
        more=found.more,
        looked_up_to=found.looked_up_to,
    )


def _row(step_id: str, row: StoredRow, *, changed: bool) -> StateRow:
    return StateRow(
        step_id=step_id,
        key=row.key,
        text=row.value.text,
        written_at_epoch=row.epoch,
        size_bytes=row.size_bytes,
        readable=row.value.readable,
        changed=changed,
        changes=tuple(
            FieldChange(path=each.path, before=each.before, after=each.after)
            for each in row.changes
        ),
    )
