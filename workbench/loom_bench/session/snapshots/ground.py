"""Where a store's forks are replayed: the flow, its kept revisions, the broker with its records."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.protocol.frames import LOAD_TIME_LIMIT_MS, Load, Loaded
from loom_bench.session.asking import load_plan
from loom_bench.session.snapshots.replay_run import ReplayFailedError, ReplayPlan
from loom_bench.session.snapshots.replay_value import CURRENT, StopWhen
from loom_bench.session.snapshots.revisions import RevisionFiles, Revisions
from loom_runtime.recovery.history.epochs import read_epochs
from loom_runtime.recovery.history.files import looking
from loom_runtime.recovery.history.forks import known_fork
from loom_runtime.recovery.history.segments import Counts


class CancelledError(Exception):
    """What was under way was called off."""


@dataclass(frozen=True)
class Ground:
    """Where replays run.

    Attributes:
        store: Folder of the store.
        target: Path of the flow's module, with ``:ATTRIBUTE`` when it has several flows.
        config_path: Configuration file; ``None`` looks for one beside the module.
        bootstrap: Addresses of the broker that has the records; ``None`` for the configured ones.
        plaintext: Whether that broker knows no TLS and no login, whatever is configured.
        load_time_limit_ms: Longest time that importing and compiling may take.
    """

    store: Path
    target: str
    config_path: str | None = None
    bootstrap: str | None = None
    plaintext: bool = False
    load_time_limit_ms: int = LOAD_TIME_LIMIT_MS

    @property
    def revisions(self) -> Revisions:
        """The revisions of the flow that are kept."""
        return Revisions(self.target)

    def files(self, revision: str) -> RevisionFiles:
        """Return where the code of a revision lies: ``current``, a kept one, or a path.

        Raises:
            ReplayFailedError: When there is none.
        """
        if revision in ("", CURRENT):
            return RevisionFiles(self.target, self.config_path)
        kept = self.revisions.find(revision)
        if kept is not None:
            return kept
        path = Path(revision if Path(revision).exists() else revision.rpartition(":")[0])
        if path.is_file():
            return RevisionFiles(revision, None)
        names = ", ".join(each.name for each in self.revisions.listed()) or "none"
        raise ReplayFailedError(
            Diagnosis(
                code="no_revision",
                message=f"there is no revision and no file {revision!r}",
                hint=f"Kept revisions of this flow: {names}.",
            )
        )

    def load(self, revision: str) -> Loaded:
        """Compile a revision in a host of its own.

        Raises:
            ReplayFailedError: When it does not load.
            OSError: When no process can be started.
        """
        files = self.files(revision)
        answer = load_plan(
            Load(
                target=files.target,
                config_path=files.config_path,
                bootstrap=self.bootstrap,
                plaintext=self.plaintext,
                to_run=True,
                replay=True,
                time_limit_ms=self.load_time_limit_ms,
            )
        )
        if isinstance(answer, Loaded):
            return answer
        raise ReplayFailedError(*answer)

    def plan(
        self,
        folder: Path,
        revision: str,
        *,
        ends: dict[str, int],
        max_records: int | None = None,
        record_by_record: bool = False,
    ) -> ReplayPlan:
        """Return a replay of the fork in *folder*, which nobody looks at meanwhile, at full speed
        and in an order that is the same in each replay.

        Raises:
            ReplayFailedError: When there is no such revision.
        """
        files = self.files(revision)
        return ReplayPlan(
            folder=folder,
            target=files.target,
            config_path=files.config_path,
            bootstrap=self.bootstrap,
            plaintext=self.plaintext,
            ends=ends,
            max_records=max_records,
            record_by_record=record_by_record,
            in_turns=True,
            in_memory=record_by_record,
            load_time_limit_ms=self.load_time_limit_ms,
        )

    def ends(self, stop: StopWhen, *, parent: str = "") -> dict[str, int]:
        """Return the offsets at which a replay stops.

        Args:
            stop: What was asked for.
            parent: Fork that is the original; the store itself when empty.

        Raises:
            StoreError: When the store cannot be read.
        """
        ends: dict[str, int] = {}
        with looking(known_fork(self.store, parent)) as store:
            whole = [each for each in read_epochs(store, Counts()) if each.whole]
        if stop.at_original_end and whole:
            ends = dict(whole[-1].positions)
        if stop.epoch is not None:
            at = next((each.positions for each in whole if each.number == stop.epoch), {})
            ends = _earlier(ends, at)
        return _earlier(ends, stop.offsets)


def last_epoch(folder: Path) -> int:
    """Return the last whole epoch of a store.

    Raises:
        StoreError: When it cannot be read.
    """
    with looking(folder) as store:
        return store.resume_epoch - 1


def check_cancelled(cancelled: threading.Event) -> None:
    """Raise when what is under way was called off.

    Raises:
        CancelledError: When it was.
    """
    if cancelled.is_set():
        raise CancelledError


def _earlier(ends: dict[str, int], others: dict[str, int]) -> dict[str, int]:
    return {
        key: min(each[key] for each in (ends, others) if key in each) for key in {**ends, **others}
    }
