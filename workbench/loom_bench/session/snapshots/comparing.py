"""Runs two revisions from one epoch to the same end and says in what they differ."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any, Final

import msgspec

from loom_bench.protocol.replaying import ReplayProgress
from loom_bench.session.live.sources import module_path
from loom_bench.session.snapshots.comparison_value import (
    CompareRequest,
    Comparison,
    ComparisonPhase,
    OutputDifference,
    SideSummary,
    StateDifference,
)
from loom_bench.session.snapshots.differing import (
    AGAIN,
    LEFT,
    RIGHT,
    CapturedPair,
    Ignored,
    count_keys,
    state_differences,
)
from loom_bench.session.snapshots.ground import CancelledError, Ground
from loom_bench.session.snapshots.replay_run import ReplayFailedError, ReplayRunner
from loom_runtime.recovery.history.cutting import fork_store
from loom_runtime.recovery.history.forks import known_fork, remove_fork
from loom_runtime.recovery.remapping import Remapping, remap_store

SHOWN: Final = 500
"""Differences that a comparison shows; its report has them all."""

_numbers = count(1)

_PHASES: Final = {
    LEFT: ComparisonPhase.RUNNING_LEFT,
    AGAIN: ComparisonPhase.RUNNING_LEFT_AGAIN,
    RIGHT: ComparisonPhase.RUNNING_RIGHT,
}


class Comparer:
    """One comparison, on the thread that calls :meth:`run`.

    Args:
        ground: Where replays run.
        request: What is asked for.
        on_change: Called with the comparison whenever it has changed.
        cancelled: Calls it off when set.
        report: File that the whole report is written to; ``None`` for none.
    """

    def __init__(
        self,
        ground: Ground,
        request: CompareRequest,
        on_change: Callable[[Comparison], None] = lambda _: None,
        *,
        cancelled: threading.Event | None = None,
        report: Path | None = None,
    ) -> None:
        self._ground = ground
        self._request = request
        self._on_change = on_change
        self._cancelled = cancelled or threading.Event()
        self._report = report
        self._value = Comparison(request=request)
        self._ends: dict[str, int] = {}

    def run(self) -> Comparison:
        """Compare; forks that were made for it are gone when this returns.

        Raises:
            ReplayFailedError: When a replay failed.
            StoreError: When a store cannot be read or forked.
            CancelledError: When it was called off.
            OSError: When the machine refuses.
        """
        request = self._request
        self._ends = self._ground.ends(request.stop, parent=request.fork)
        with ExitStack() as stack:
            folders = {side: self._fork(stack, side) for side in (LEFT, AGAIN, RIGHT)}
            if request.mapping or request.empty:
                identity = self._ground.load(request.revision).identity
                if identity is not None:
                    remapping = Remapping(renamed=request.mapping, emptied=request.empty)
                    remap_store(folders[RIGHT], identity, remapping)
            pair = stack.enter_context(
                CapturedPair(folders[LEFT] / "loom-compared.sqlite", Ignored(request.ignore))
            )
            for side, revision in (
                (LEFT, request.against),
                (AGAIN, request.against),
                (RIGHT, request.revision),
            ):
                self._replay(side, folders[side], revision, pair)
            self._change(phase=ComparisonPhase.COMPARING, progress=1.0)
            pair.pair()
            return self._compared(pair, folders)

    def _fork(self, stack: ExitStack, side: int) -> Path:
        request, store = self._request, self._ground.store
        name = f"compared-{os.getpid()}-{next(_numbers)}"
        note = f"made for a comparison ({('left', 'left again', 'right')[side]})"
        fork_store(store, request.epoch, parent=request.fork, name=name, note=note)
        stack.callback(remove_fork, store, name)
        return known_fork(store, name)

    def _replay(self, side: int, folder: Path, revision: str, pair: CapturedPair) -> None:
        stop = self._request.stop
        self._change(phase=_PHASES[side], progress=0.0)
        plan = self._ground.plan(folder, revision, ends=self._ends, max_records=stop.records)
        runner = ReplayRunner(plan, lambda news: self._progress(runner, news))
        began_s = time.monotonic()
        try:
            ended = runner.run()
        except ReplayFailedError as error:
            raise self._told(error) from error
        if self._cancelled.is_set():
            raise CancelledError
        pair.take(side, plan.capture)
        plan.capture.unlink()
        summary = SideSummary(
            revision=runner.loaded.revision if runner.loaded is not None else revision,
            records=ended.records,
            outputs=ended.outputs,
            errors=ended.failures,
            keys=count_keys(folder),
            elapsed_s=round(time.monotonic() - began_s, 3),
        )
        if side == LEFT:
            self._change(left=summary)
        elif side == RIGHT:
            self._change(right=summary)

    def _progress(self, runner: ReplayRunner, news: ReplayProgress) -> None:
        if self._cancelled.is_set():
            runner.stop()
        whole = sum(max(0, end - news.began.get(key, end)) for key, end in self._ends.items())
        self._change(progress=min(1.0, news.records / whole) if whole else 0.0)

    def _compared(self, pair: CapturedPair, folders: dict[int, Path]) -> Comparison:
        ignored = Ignored(self._request.ignore)
        noisy_outputs = _noise(pair.outputs(LEFT, AGAIN), _output_place)
        noisy_state = _noise(
            state_differences(folders[LEFT], folders[AGAIN], ignored), _state_place
        )
        flaky = {
            (each.partition, each.offset)
            for each in pair.errors(LEFT, AGAIN)
            if each.kind != "same"
        }
        outputs = list(_judged(pair.outputs(LEFT, RIGHT), noisy_outputs, _output_place))
        state = list(
            _judged(
                state_differences(folders[LEFT], folders[RIGHT], ignored, self._modules()),
                noisy_state,
                _state_place,
            )
        )
        errors = [
            each
            for each in pair.errors(LEFT, RIGHT)
            if each.kind == "same" or (each.partition, each.offset) not in flaky
        ]
        kinds = [each.kind for each in errors]
        stable_outputs = sum(not each.unstable for each in outputs)
        stable_state = sum(not each.unstable for each in state)
        changed_errors = len(kinds) - kinds.count("same")
        self._change(
            phase=ComparisonPhase.ENDED,
            equal=not (stable_outputs or stable_state or changed_errors),
            outputs=tuple(outputs[:SHOWN]),
            outputs_differing=stable_outputs,
            outputs_unstable=len(outputs) - stable_outputs,
            errors=tuple(errors[:SHOWN]),
            errors_fixed=kinds.count("fixed"),
            errors_new=kinds.count("new"),
            errors_same=kinds.count("same"),
            state=tuple(state[:SHOWN]),
            state_differing=stable_state,
            state_unstable=len(state) - stable_state,
            report="" if self._report is None else str(self._report),
        )
        if self._report is not None:
            whole = msgspec.structs.replace(
                self._value, outputs=tuple(outputs), errors=tuple(errors), state=tuple(state)
            )
            self._report.write_bytes(msgspec.json.format(msgspec.json.encode(whole)))
        return self._value

    def _told(self, error: ReplayFailedError) -> ReplayFailedError:
        """Say why a module is missed that only the other side has."""
        left, right = self._modules()
        first, *others = error.diagnoses
        missed = [each for each in (left, right) if f"No module named '{each}'" in first.message]
        if left == right or not missed:
            return error
        hint = (
            f"State that nodes hold names its types by their module, {missed[0]}: give the other "
            f"revision the file name {missed[0]}.py, in a folder of its own."
        )
        return ReplayFailedError(msgspec.structs.replace(first, hint=hint), *others)

    def _modules(self) -> tuple[str, str]:
        request = self._request
        left, right = (
            module_path(self._ground.files(each).target).stem
            for each in (request.against, request.revision)
        )
        return left, right

    def _change(self, **changes: Any) -> None:
        self._value = msgspec.structs.replace(self._value, **changes)
        self._on_change(self._value)


Place = tuple[object, ...]


def _output_place(each: OutputDifference) -> Place:
    return each.sink, each.partition, each.offset, each.key


def _state_place(each: StateDifference) -> Place:
    return each.step_id, each.key


def _noise(found: Iterable[Any], place: Callable[[Any], Place]) -> dict[Place, set[str]]:
    """Return the fields that differ between two runs of one revision, by place."""
    noisy: dict[Place, set[str]] = {}
    for each in found:
        noisy.setdefault(place(each), set()).update(field.path for field in each.fields or _WHOLE)
    return noisy


def _judged(
    found: Iterable[Any], noisy: dict[Place, set[str]], place: Callable[[Any], Place]
) -> Iterator[Any]:
    """Yield differences, marked where they also come up between two runs of one revision; of others
    without the fields that do."""
    for each in found:
        known = noisy.get(place(each), set())
        stable = [field for field in each.fields or _WHOLE if field.path not in known]
        if known and ("" in known or not stable):
            yield msgspec.structs.replace(each, unstable=True)
        else:
            yield msgspec.structs.replace(each, fields=tuple(stable) if each.fields else ())


class _Whole(msgspec.Struct, frozen=True):
    path: str = ""


_WHOLE: Final = (_Whole(),)
