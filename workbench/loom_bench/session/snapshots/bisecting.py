"""Finds the first epoch, and then the first record, at which a predicate fails."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.protocol.frames import Loaded
from loom_bench.session.snapshots.bisection_value import (
    Bisection,
    BisectPhase,
    BisectRequest,
    FirstBad,
    Probe,
)
from loom_bench.session.snapshots.ground import Ground, check_cancelled, last_epoch
from loom_bench.session.snapshots.judging import Predicate
from loom_bench.session.snapshots.replay_run import ReplayFailedError, ReplayPlan, ReplayRunner
from loom_bench.session.snapshots.source_record import source_record
from loom_runtime.recovery.history.cutting import fork_store
from loom_runtime.recovery.history.epochs import Epoch, read_epochs
from loom_runtime.recovery.history.files import looking
from loom_runtime.recovery.history.forks import known_fork, remove_fork
from loom_runtime.recovery.history.segments import Counts

RECORD_BY_RECORD: Final = 500
"""Records among which the first bad one is looked for record by record, in one run: each takes
about a fiftieth of a second."""

_numbers = count(1)


class _Stretch(NamedTuple):
    """Replayed records.

    Attributes:
        plan: How they were replayed.
        epoch: Last epoch of the fork.
        records: How many there were.
    """

    plan: ReplayPlan
    epoch: int
    records: int


class Bisecter:
    """One bisection, on the thread that calls :meth:`run`.

    Args:
        ground: Where replays run.
        request: What is asked for.
        on_change: Called with the bisection whenever it has changed.
        cancelled: Calls it off when set.
    """

    def __init__(
        self,
        ground: Ground,
        request: BisectRequest,
        on_change: Callable[[Bisection], None] = lambda _: None,
        *,
        cancelled: threading.Event | None = None,
    ) -> None:
        self._ground = ground
        self._request = request
        self._on_change = on_change
        self._cancelled = cancelled or threading.Event()
        self._predicate = Predicate(request.expression, request.pytest)
        self._value = Bisection(request=request)
        self._loaded: Loaded | None = None

    def run(self) -> Bisection:
        """Find it; forks that were made for it are gone when this returns.

        Raises:
            ReplayFailedError: When a replay fails, or the predicate cannot be told.
            StoreError: When a store cannot be read or forked.
            CancelledError: When it was called off.
            OSError: When the machine refuses.
        """
        epochs = self._epochs()
        good, bad = 0, len(epochs) - 1
        self._expect(epochs[good], epochs[0], holds=True)
        self._expect(epochs[bad], epochs[good], holds=False)
        self._narrow(epochs, good, bad)
        while bad - good > 1:
            middle = (good + bad) // 2
            if self._looks_good(epochs[middle], epochs[good]):
                good = middle
            else:
                bad = middle
            self._narrow(epochs, good, bad)
        self._change(phase=BisectPhase.RECORDS)
        found = self._first_record(epochs[good], epochs[bad])
        self._change(phase=BisectPhase.ENDED, found=found)
        return self._value

    def _epochs(self) -> list[Epoch]:
        request = self._request
        with looking(self._ground.store) as store:
            whole = [each for each in read_epochs(store, Counts()) if each.whole]
        first = -1 if request.good_epoch is None else request.good_epoch
        last = request.bad_epoch
        found = [
            each for each in whole if each.number >= first and (last is None or each.number <= last)
        ]
        if len(found) < 2:
            raise ReplayFailedError(
                Diagnosis(
                    code="no_epochs",
                    message="there are fewer than two whole epochs to look at",
                    hint="Choose an earlier good epoch or a later bad one.",
                )
            )
        return found

    def _expect(self, epoch: Epoch, good: Epoch, *, holds: bool) -> None:
        if self._looks_good(epoch, good) == holds:
            return
        what = "fails already at the good" if holds else "still holds at the bad"
        raise ReplayFailedError(
            Diagnosis(
                code="no_change",
                message=f"the predicate {what} epoch {epoch.number}",
                hint="Choose an earlier good epoch." if holds else "Choose a later bad epoch.",
            )
        )

    def _looks_good(self, epoch: Epoch, good: Epoch) -> bool:
        check_cancelled(self._cancelled)
        if self._predicate.wants_outputs and epoch.number > good.number:
            with ExitStack() as stack:
                stretch = self._replayed(stack, good.number, "", epoch.positions)
                holds = self._predicate.holds(
                    stretch.plan.folder,
                    stretch.epoch,
                    captured=stretch.plan.capture,
                    records=stretch.records,
                )
            self._probed(Probe(epoch=epoch.number, holds=holds, replayed=True))
            return holds
        holds = self._predicate.holds(self._ground.store, epoch.number)
        self._probed(Probe(epoch=epoch.number, holds=holds))
        return holds

    def _first_record(self, good: Epoch, bad: Epoch) -> FirstBad:
        """Halve the records between two epochs by replays, then look at every one of the rest."""
        begin, end = dict(good.positions), dict(bad.positions)
        parent, at = "", good.number
        with ExitStack() as stack:
            while _distance(begin, end) > RECORD_BY_RECORD:
                middle = {
                    key: begin.get(key, 0) + (end[key] - begin.get(key, 0)) // 2 for key in end
                }
                stretch = self._replayed(stack, at, parent, middle)
                if self._judge(stretch, good.number, {}):
                    begin, parent, at = middle, stretch.plan.folder.name, stretch.epoch
                else:
                    end = middle
                self._change(records_left=_distance(begin, end))
            stretch = self._replayed(stack, at, parent, end, record_by_record=True)
            return self._among(stretch, begin, bad)

    def _judge(self, stretch: _Stretch, epoch: int, upto: dict[str, int]) -> bool:
        holds = self._predicate.holds(
            stretch.plan.folder,
            stretch.epoch,
            captured=stretch.plan.capture,
            upto=upto,
            records=stretch.records,
        )
        self._probed(Probe(epoch=epoch, records=stretch.records, holds=holds, replayed=True))
        return holds

    def _among(self, stretch: _Stretch, begin: dict[str, int], bad: Epoch) -> FirstBad:
        """Halve over the snapshots of a record-by-record replay; no more runs are needed."""
        with looking(stretch.plan.folder) as store:
            steps = read_epochs(store, Counts())
        looks: list[tuple[int, dict[str, int]]] = []
        before = begin
        for each in steps:
            if _distance(before, each.positions) > 0:
                looks.append((each.number, each.positions))
                before = each.positions
            elif looks:
                looks[-1] = each.number, each.positions
        low, high = -1, len(looks) - 1
        if high < 0 or self._holds_at(stretch, looks[high]):
            return FirstBad(epoch=bad.number)  # another revision does not repeat it
        while high - low > 1:
            check_cancelled(self._cancelled)
            middle = (low + high) // 2
            if self._holds_at(stretch, looks[middle]):
                low = middle
            else:
                high = middle
        was = begin if high == 0 else looks[high - 1][1]
        return self._told(bad.number, was, looks[high][1])

    def _holds_at(self, stretch: _Stretch, look: tuple[int, dict[str, int]]) -> bool:
        epoch, positions = look
        holds = self._predicate.holds(
            stretch.plan.folder,
            epoch,
            captured=stretch.plan.capture,
            upto=positions,
            records=stretch.records,
        )
        self._probed(Probe(epoch=epoch, records=1, holds=holds))
        return holds

    def _told(self, epoch: int, before: dict[str, int], after: dict[str, int]) -> FirstBad:
        key = next(each for each in after if after[each] > before.get(each, 0))
        offset = after[key] - 1
        found = source_record(self._loaded, key, offset)
        text = "" if found is None else found[0]
        return FirstBad(epoch=epoch, partition=key, offset=offset, record=text)

    def _replayed(
        self,
        stack: ExitStack,
        epoch: int,
        parent: str,
        ends: dict[str, int],
        *,
        record_by_record: bool = False,
    ) -> _Stretch:
        """Replay from an epoch of the store, or of a fork, to *ends*, on a fork of its own."""
        check_cancelled(self._cancelled)
        store = self._ground.store
        name = f"bisected-{os.getpid()}-{next(_numbers)}"
        fork_store(store, epoch, parent=parent, name=name, note="made for a bisection")
        stack.callback(remove_fork, store, name)
        folder: Path = known_fork(store, name)
        plan = self._ground.plan(
            folder, self._request.revision, ends=ends, record_by_record=record_by_record
        )
        runner = ReplayRunner(plan)
        ended = runner.run()
        self._loaded = runner.loaded
        self._change(runs=self._value.runs + 1)
        return _Stretch(plan, last_epoch(folder), ended.records)

    def _narrow(self, epochs: list[Epoch], good: int, bad: int) -> None:
        left = _distance(epochs[good].positions, epochs[bad].positions)
        self._change(good=epochs[good].number, bad=epochs[bad].number, records_left=left)

    def _probed(self, probe: Probe) -> None:
        self._change(probes=(*self._value.probes, probe))

    def _change(self, **changes: Any) -> None:
        self._value = msgspec.structs.replace(self._value, **changes)
        self._on_change(self._value)


def _distance(begin: dict[str, int], end: dict[str, int]) -> int:
    return sum(max(0, offset - begin.get(key, 0)) for key, offset in end.items())
