"""What a desk does that takes a while: forks, checks, replays, comparisons, searches."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, TypeVar

import msgspec

from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.protocol.replaying import ReplayProgress
from loom_bench.session.snapshots.bisecting import Bisecter
from loom_bench.session.snapshots.bisection_value import Bisection, BisectPhase, BisectRequest
from loom_bench.session.snapshots.comparing import Comparer
from loom_bench.session.snapshots.comparison_value import (
    CompareRequest,
    Comparison,
    ComparisonPhase,
)
from loom_bench.session.snapshots.compatibility import check_fit
from loom_bench.session.snapshots.explaining import Explainer
from loom_bench.session.snapshots.failing import explained
from loom_bench.session.snapshots.ground import Ground, last_epoch
from loom_bench.session.snapshots.replay_run import ReplayFailedError, ReplayRunner
from loom_bench.session.snapshots.replay_value import (
    CapturedOutput,
    Replay,
    ReplayPartition,
    ReplayPhase,
    ReplayRequest,
    StepUnit,
)
from loom_bench.session.snapshots.replaying import replay_of
from loom_bench.session.snapshots.value import Why
from loom_runtime.recovery.history.cutting import fork_store
from loom_runtime.recovery.history.epochs import read_epochs
from loom_runtime.recovery.history.files import looking
from loom_runtime.recovery.history.forks import known_fork, load_fork, remove_fork
from loom_runtime.recovery.history.segments import Counts
from loom_runtime.recovery.remapping import Remapping, remap_store

FoundT = TypeVar("FoundT", bound=msgspec.Struct)

_RATE_WINDOW_S: Final = 0.05


class Changer(Protocol):
    """Changes what is shown."""

    def __call__(self, **changes: object) -> None:
        """Change fields of the value."""


@dataclass(frozen=True)
class Whereabouts:
    """Where a session's flow is.

    Attributes:
        target: Path of its module; empty for none.
        config_path: Its configuration file.
        store: Folder of the store that it runs on; ``None`` for none.
        thinned: Whether the bench keeps that store, and thins its history.
        bootstrap: Addresses of its broker; ``None`` for none.
        plaintext: Whether that broker is the bench's own.
    """

    target: str = ""
    config_path: str | None = None
    store: Path | None = None
    thinned: bool = False
    bootstrap: str | None = None
    plaintext: bool = False

    def ground(self, store: Path | None) -> Ground | None:
        """Return where replays of *store* run; of the flow's own when it is ``None``."""
        folder = store or self.store
        if folder is None:
            return None
        return Ground(
            store=folder,
            target=self.target,
            config_path=self.config_path,
            bootstrap=self.bootstrap,
            plaintext=self.plaintext,
        )


class DeskWork:
    """One thing at a time, on the desk's thread; paused, steered and called off from any.

    Args:
        change: Changes what is shown.
        look_again: Has the open store looked at again.
    """

    def __init__(self, change: Changer, look_again: Callable[[], None]) -> None:
        self._change = change
        self._look_again = look_again
        self._cancelled = threading.Event()
        self._runner: ReplayRunner | None = None
        self._replay: Replay | None = None
        self._began_s = 0.0
        self._last: tuple[float, int] = 0.0, 0

    def fork(self, ground: Ground, epoch: int, parent: str, name: str, note: str) -> None:
        """Fork the store or a fork."""
        fork_store(ground.store, epoch, parent=parent, name=name, note=note)

    def remove(self, ground: Ground, name: str) -> None:
        """Delete a fork."""
        remove_fork(ground.store, name)

    def check(self, ground: Ground, fork: str, revision: str) -> None:
        """Check whether a fork can be replayed with a revision."""
        folder, loaded = known_fork(ground.store, fork), ground.load(revision)
        fit = check_fit(folder, loaded, fork=fork, revision=revision)
        self._change(compatibility=fit)

    def remap(
        self,
        ground: Ground,
        fork: str,
        mapping: dict[str, str],
        empty: tuple[str, ...],
        revision: str,
    ) -> None:
        """Give the state of a fork's steps to steps of a revision, and check again."""
        if not fork:
            raise ReplayFailedError(_NEVER)
        identity = ground.load(revision).identity
        if identity is not None:
            remapping = Remapping(renamed=dict(mapping), emptied=tuple(empty))
            remap_store(known_fork(ground.store, fork), identity, remapping)
        self.check(ground, fork, revision)

    def replay(self, ground: Ground, request: ReplayRequest) -> None:
        """Replay a fork."""
        self._began_s = time.monotonic()
        self._last = self._began_s, 0
        self._show(Replay(request=request))
        problem = explained(lambda: self._replayed(ground, request))
        shown = self._replay
        if problem is not None and shown is not None:
            self._show(msgspec.structs.replace(shown, phase=ReplayPhase.FAILED, problem=problem))

    def step_back(self, ground: Ground) -> None:
        """Fork the replayed fork one epoch earlier and begin there, paused."""
        shown = self._replay
        if shown is None:
            return
        fork = shown.request.fork
        folder = known_fork(ground.store, fork)
        with looking(folder) as store:
            whole = [each for each in read_epochs(store, Counts()) if each.whole]
        now = whole[-1].positions if whole else {}
        before = [each for each in whole if each.positions != now]
        if not before:
            raise ReplayFailedError(
                Diagnosis(
                    code="no_epoch_before",
                    message=f"the fork {fork} has no epoch before this one",
                    hint="Fork the store at an earlier epoch.",
                )
            )
        made = fork_store(
            ground.store, before[-1].number, parent=fork, note=f"a step back from {fork}"
        )
        self._look_again()
        request = msgspec.structs.replace(shown.request, fork=made.name, paused=True)
        if request.real_topics:
            request = msgspec.structs.replace(request, real_topics=False, confirmation="")
        self.replay(ground, request)

    def pause(self) -> None:
        """Pause the replay."""
        if self._runner is not None:
            self._runner.pause()

    def resume(self) -> None:
        """Have the replay go on."""
        if self._runner is not None:
            self._runner.resume()

    def set_pace(self, pace: float) -> None:
        """Change the replay's pace."""
        if self._runner is not None:
            self._runner.set_pace(pace)

    def step(self, unit: StepUnit) -> None:
        """Have the replay go on a little."""
        if self._runner is not None:
            self._runner.step(unit)

    def stop(self) -> None:
        """End the replay."""
        if self._runner is not None:
            self._runner.stop()

    def cancel(self) -> None:
        """Call off what compares or searches."""
        self._cancelled.set()

    def compare(self, ground: Ground, request: CompareRequest) -> None:
        """Compare two revisions."""
        self._search(
            "comparison",
            Comparison(request=request),
            lambda show: Comparer(ground, request, show, cancelled=self._cancelled).run(),
            phase=ComparisonPhase.FAILED,
        )

    def bisect(self, ground: Ground, request: BisectRequest) -> None:
        """Find the first bad record."""
        self._search(
            "bisection",
            Bisection(request=request),
            lambda show: Bisecter(ground, request, show, cancelled=self._cancelled).run(),
            phase=BisectPhase.FAILED,
        )

    def explain(
        self, ground: Ground, step_id: str, key: str, from_epoch: int, to_epoch: int
    ) -> None:
        """Find the records that touched a key."""
        why = Why(step_id=step_id, key=key, from_epoch=from_epoch, to_epoch=to_epoch, running=True)
        self._search(
            "why",
            why,
            lambda show: Explainer(ground, why, show, cancelled=self._cancelled).run(),
            running=False,
        )

    def _search(
        self,
        field: str,
        shown: FoundT,
        run: Callable[[Callable[[FoundT], None]], object],
        **failed: object,
    ) -> None:
        """Show under *field* how a search goes; with *failed* and why when it fails."""
        self._cancelled.clear()

        def show(value: FoundT) -> None:
            nonlocal shown
            shown = value
            self._change(**{field: value})

        def search() -> None:
            run(show)

        show(shown)
        problem = explained(search)
        if problem is not None or self._cancelled.is_set():
            show(msgspec.structs.replace(shown, problem=problem or _CANCELLED, **failed))

    def _replayed(self, ground: Ground, request: ReplayRequest) -> None:
        plan, warning = replay_of(ground, request)
        cut_at = load_fork(plan.folder)
        runner = self._runner = ReplayRunner(plan, lambda news: self._progressed(news, plan.ends))
        shown = self._replay
        if shown is not None:
            self._show(msgspec.structs.replace(shown, warning=warning))
        try:
            ended = runner.run()
        finally:
            self._runner = None
        self._progressed(ended, plan.ends)
        shown = self._replay
        if shown is not None:
            reached = last_epoch(plan.folder)
            self._show(
                msgspec.structs.replace(
                    shown,
                    phase=ReplayPhase.ENDED,
                    epoch=reached,
                    can_step_back=cut_at is not None and reached > 1,
                    stopped_by=ended.stopped_by,
                )
            )

    def _progressed(self, news: ReplayProgress, ends: dict[str, int]) -> None:
        shown = self._replay
        if shown is None:
            return
        now_s = time.monotonic()
        passed_s = now_s - self._last[0]
        rate = shown.rate_per_s
        if passed_s > _RATE_WINDOW_S:
            rate = (news.records - self._last[1]) / passed_s
            self._last = now_s, news.records
        self._show(
            msgspec.structs.replace(
                shown,
                phase=ReplayPhase.PAUSED if news.paused else ReplayPhase.RUNNING,
                partitions=tuple(
                    ReplayPartition(
                        partition=key,
                        began=began,
                        position=news.positions.get(key, began),
                        end=ends.get(key),
                    )
                    for key, began in sorted(news.began.items())
                ),
                records=news.records,
                outputs=news.outputs,
                errors=news.failures,
                rate_per_s=round(rate, 1),
                newest=tuple(
                    CapturedOutput(
                        number=each.number,
                        sink=each.sink,
                        kind=each.kind,
                        key=each.key,
                        text=each.text,
                        partition=each.partition,
                        offset=each.offset,
                    )
                    for each in news.newest
                ),
                can_step_back=news.barriers > 0,
                elapsed_s=round(now_s - self._began_s, 3),
            )
        )

    def _show(self, replay: Replay) -> None:
        self._replay = replay
        self._change(replay=replay)


_CANCELLED: Final = Diagnosis(code="cancelled", message="it was called off")
_NEVER: Final = Diagnosis(
    code="store_kept", message="the store itself is never changed", hint="Fork it first."
)
