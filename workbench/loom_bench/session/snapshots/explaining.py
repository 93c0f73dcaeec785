"""Why a key has its value: the source records that touched it, each with the value either side."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import ExitStack
from itertools import count, pairwise

import msgspec

from loom_bench.protocol.frames import Loaded
from loom_bench.session.snapshots.ground import Ground, check_cancelled
from loom_bench.session.snapshots.reading import StoreReader
from loom_bench.session.snapshots.replay_run import ReplayRunner
from loom_bench.session.snapshots.source_record import source_record
from loom_bench.session.snapshots.value import FieldChange, StateRow, Touch, Why
from loom_runtime.recovery.history.cutting import fork_store
from loom_runtime.recovery.history.epochs import Epoch, read_epochs
from loom_runtime.recovery.history.files import looking
from loom_runtime.recovery.history.forks import known_fork, remove_fork
from loom_runtime.recovery.history.segments import Counts

_numbers = count(1)


class Explainer:
    """One search, on the thread that calls :meth:`run`.

    Only epochs that wrote the key are replayed, record by record.

    Args:
        ground: Where replays run.
        why: What is asked for.
        on_change: Called with what is known whenever it has changed.
        cancelled: Calls it off when set.
    """

    def __init__(
        self,
        ground: Ground,
        why: Why,
        on_change: Callable[[Why], None] = lambda _: None,
        *,
        cancelled: threading.Event | None = None,
    ) -> None:
        self._ground = ground
        self._value = msgspec.structs.replace(why, running=True)
        self._on_change = on_change
        self._cancelled = cancelled or threading.Event()
        self._loaded: Loaded | None = None

    def run(self) -> Why:
        """Find the records; forks that were made for it are gone when this returns.

        Raises:
            ReplayFailedError: When a replay fails.
            StoreError: When a store cannot be read or forked.
            CancelledError: When it was called off.
            OSError: When the machine refuses.
        """
        why, store = self._value, self._ground.store
        with looking(store) as opened:
            whole = [each for each in read_epochs(opened, Counts()) if each.whole]
        history = StoreReader(store).key(why.step_id, why.key)
        wrote = {
            row.written_at_epoch
            for row in history.rows
            if why.from_epoch < row.written_at_epoch <= why.to_epoch
        }
        for before, epoch in pairwise(whole):
            if any(before.number < each <= epoch.number for each in wrote):
                check_cancelled(self._cancelled)
                self._replay(before, epoch)
        self._value = msgspec.structs.replace(self._value, running=False)
        self._on_change(self._value)
        return self._value

    def _replay(self, before: Epoch, epoch: Epoch) -> None:
        why, store = self._value, self._ground.store
        name = f"explained-{os.getpid()}-{next(_numbers)}"
        with ExitStack() as stack:
            fork_store(store, before.number, name=name, note=f"made to explain {why.key}")
            stack.callback(remove_fork, store, name)
            folder = known_fork(store, name)
            plan = self._ground.plan(folder, "current", ends=epoch.positions, record_by_record=True)
            runner = ReplayRunner(plan)
            ended = runner.run()
            self._loaded = runner.loaded
            with looking(folder) as fork:
                steps = read_epochs(fork, Counts())
            rows = StoreReader(folder).key(why.step_id, why.key).rows
        touches = list(self._touches(steps, rows, before.number))
        self._value = msgspec.structs.replace(
            self._value,
            touches=(*self._value.touches, *touches),
            looked_at=self._value.looked_at + ended.records,
        )
        self._on_change(self._value)

    def _touches(self, steps: list[Epoch], rows: tuple[StateRow, ...], after: int) -> list[Touch]:
        positions = {each.number: each.positions for each in steps}
        touches = []
        value: str | None = None
        for row in rows:
            earlier = [number for number in positions if number < row.written_at_epoch]
            if row.written_at_epoch > after and row.changes and earlier:
                was = positions[max(earlier)]
                read = positions.get(row.written_at_epoch, {})
                touches += [
                    self._touch(key, offset - 1, value, row)
                    for key, offset in read.items()
                    if offset > was.get(key, 0)
                ][:1]
            value = row.text
        return touches

    def _touch(self, key: str, offset: int, before: str | None, row: StateRow) -> Touch:
        found = source_record(self._loaded, key, offset)
        return Touch(
            partition=key,
            offset=offset,
            at_ms=None if found is None else found[1],
            record="" if found is None else found[0],
            before=before,
            after=row.text,
            changes=tuple(
                FieldChange(path=each.path, before=each.before, after=each.after)
                for each in row.changes
            ),
        )
