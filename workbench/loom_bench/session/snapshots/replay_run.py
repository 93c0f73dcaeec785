"""One replay of a fork in a host of its own: started, steered, and its end told."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

import msgspec

from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.protocol.frames import (
    LOAD_TIME_LIMIT_MS,
    BenchFrame,
    Drain,
    Errors,
    Finished,
    Load,
    Loaded,
    LoadFailed,
    Pause,
    Resume,
    Start,
    Started,
)
from loom_bench.protocol.replaying import ReplayOrder, ReplayProgress, SteerReplay
from loom_bench.protocol.tracing import LiveStop, SetBreakpoint
from loom_bench.session.endings import ended
from loom_bench.session.host_process import HostEnded, HostNews, HostProcess, OutputLine
from loom_bench.session.load_deadline import LOOK_INTERVAL_S, LoadDeadline
from loom_bench.session.snapshots.in_memory import lent_memory
from loom_bench.session.snapshots.replay_value import BreakpointStop, StepUnit
from loom_runtime.places import place_text

CAPTURE_FILE: Final = "loom-captured.bin"

_STOP_LIMIT_S = 10.0
_LAST_LINES = 20
_STALE_S = 0.5


@dataclass(frozen=True)
class ReplayPlan:
    """What is replayed and how.

    Attributes:
        folder: Folder of the fork, which the replay changes.
        target: Path of the module, with ``:ATTRIBUTE`` when it has several flows.
        config_path: Configuration file; ``None`` looks for one beside the module.
        bootstrap: Addresses of the broker that has the records; ``None`` for the configured ones.
        plaintext: Whether that broker knows no TLS and no login, whatever is configured.
        ends: Offset at which each source partition ends.
        max_records: End after so many; ``None`` for no limit.
        first_error: End at the first record that fails.
        breakpoint: End before a node takes a record; ``None`` for no such end.
        pace: ``0`` for full speed, ``1`` as recorded.
        record_by_record: One record an epoch.
        in_turns: Whether the partitions take turns, in the same order in each replay.
        in_memory: Whether the fork may lie in memory meanwhile: nobody looks at it until the end,
            and it stays as it was when the replay fails.
        paused: Whether to begin paused.
        real_topics: Whether outputs are written to their topics.
        load_time_limit_ms: Longest time that importing and compiling may take.
        limit_s: Longest time without any news; a host that hangs is killed then.
    """

    folder: Path
    target: str
    config_path: str | None = None
    bootstrap: str | None = None
    plaintext: bool = False
    ends: dict[str, int] = field(default_factory=dict)
    max_records: int | None = None
    first_error: bool = False
    breakpoint: BreakpointStop | None = None
    pace: float = 0.0
    record_by_record: bool = False
    in_turns: bool = False
    in_memory: bool = False
    paused: bool = False
    real_topics: bool = False
    load_time_limit_ms: int = LOAD_TIME_LIMIT_MS
    limit_s: float = 60.0

    @property
    def capture(self) -> Path:
        """The file that outputs and failures are taken down in."""
        return self.folder / CAPTURE_FILE


class ReplayFailedError(Exception):
    """A replay did not end as it should.

    Attributes:
        diagnoses: Why.
    """

    def __init__(self, *diagnoses: Diagnosis) -> None:
        super().__init__(diagnoses[0].message if diagnoses else "the replay failed")
        self.diagnoses = diagnoses


class ReplayRunner:
    """Runs one replay, on the thread that calls :meth:`run`; steered from any thread.

    Args:
        plan: What is replayed and how.
        on_progress: Called with how far it is.
    """

    def __init__(
        self, plan: ReplayPlan, on_progress: Callable[[ReplayProgress], None] = lambda _: None
    ) -> None:
        self._plan = plan
        self._on_progress = on_progress
        self._news: SimpleQueue[HostNews | BenchFrame] = SimpleQueue()
        self._last_lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._host: HostProcess | None = None
        self._stop_s: float | None = None
        self._paused = plan.paused
        self.loaded: Loaded | None = None
        self.errors_seen = 0
        self.stopped_at: LiveStop | None = None
        self.progress: ReplayProgress | None = None

    def pause(self) -> None:
        """Stop reading."""
        self._paused = True
        self._news.put(Pause())

    def resume(self) -> None:
        """Go on reading."""
        self._paused = False
        self._news.put(Resume())

    def step(self, unit: StepUnit) -> None:
        """While paused, go on by a record, a batch or an epoch."""
        self._news.put(SteerReplay(step=unit))

    def set_pace(self, pace: float) -> None:
        """Change the pace."""
        self._news.put(SteerReplay(pace=pace))

    def stop(self) -> None:
        """End at the next epoch barrier."""
        self._news.put(Drain())

    def run(self) -> ReplayProgress:
        """Run until the end; the host has ended when this returns.

        Raises:
            ReplayFailedError: When it did not end in order.
            OSError: When no process can be started.
        """
        folder = self._plan.folder
        with lent_memory(folder) if self._plan.in_memory else nullcontext(folder) as place:
            self._host = host = HostProcess(self._news.put)
            try:
                self._load(host)
                self._start(host, place)
                return self._watch(host)
            finally:
                host.close()

    def _load(self, host: HostProcess) -> None:
        plan = self._plan
        host.send(
            Load(
                target=plan.target,
                config_path=plan.config_path,
                bootstrap=plan.bootstrap,
                plaintext=plan.plaintext,
                to_run=True,
                replay=True,
                time_limit_ms=plan.load_time_limit_ms,
            )
        )
        deadline = LoadDeadline(plan.target, plan.load_time_limit_ms, host.stack_dump)
        while True:
            try:
                news = self._news.get(timeout=LOOK_INTERVAL_S)
            except Empty:
                problem = deadline.passed()
                if problem is not None:
                    host.kill()
                    raise ReplayFailedError(problem) from None
                continue
            if isinstance(news, Loaded):
                self.loaded = news
                return
            if isinstance(news, LoadFailed):
                raise ReplayFailedError(*news.diagnoses)
            if isinstance(news, Drain):
                self._stop_s = time.monotonic()
            self._take_always(host, news)

    def _start(self, host: HostProcess, place: Path) -> None:
        plan = self._plan
        host.send(
            Start(
                store=str(place),
                paused=plan.paused,
                live=True,
                replay=ReplayOrder(
                    capture=str(place / CAPTURE_FILE),
                    ends=plan.ends,
                    max_records=plan.max_records,
                    first_error=plan.first_error,
                    breakpoint=_breakpoint(plan.breakpoint),
                    pace=plan.pace,
                    record_by_record=plan.record_by_record,
                    in_turns=plan.in_turns,
                    real_topics=plan.real_topics,
                ),
            )
        )
        if self._stop_s is not None:
            host.send(Drain())

    def _watch(self, host: HostProcess) -> ReplayProgress:
        heard_s = time.monotonic()
        while True:
            try:
                news = self._news.get(timeout=_STALE_S)
            except Empty:
                self._check_limits(host, heard_s)
                continue
            if isinstance(news, Drain | Pause | Resume | SteerReplay):
                if isinstance(news, Drain):
                    self._stop_s = self._stop_s or time.monotonic()
                host.send(news)
                continue
            heard_s = time.monotonic()
            if isinstance(news, ReplayProgress):
                self.progress = news
                self._on_progress(news)
            elif isinstance(news, Errors):
                self.errors_seen = news.seen
            elif isinstance(news, LiveStop):
                self.stopped_at = self.stopped_at or news
                self.stop()
            elif isinstance(news, Finished):
                return self._finished(news)
            elif isinstance(news, Started):
                continue
            else:
                self._take_always(host, news)

    def _check_limits(self, host: HostProcess, heard_s: float) -> None:
        now_s = time.monotonic()
        stopping = self._stop_s is not None and now_s - self._stop_s > _STOP_LIMIT_S
        silent = now_s - heard_s > self._plan.limit_s
        if stopping or silent:
            host.kill()

    def _finished(self, news: Finished) -> ReplayProgress:
        if news.failure is not None:
            raise ReplayFailedError(news.failure)
        if self.progress is None:
            self.progress = ReplayProgress(
                records=0, outputs=0, failures=0, barriers=0, paused=False, began={}, positions={}
            )
        stop = self.stopped_at
        if stop is not None:
            where = place_text(stop.topic, stop.partition, stop.offset)
            self.progress = msgspec.structs.replace(
                self.progress, stopped_by=f"the breakpoint before {stop.node}, at {where}"
            )
        return self.progress

    def _take_always(self, host: HostProcess, news: HostNews | BenchFrame) -> None:
        if isinstance(news, OutputLine) and news.stream == "stderr":
            self._last_lines.append(news.text)
        elif isinstance(news, HostEnded):
            raise ReplayFailedError(
                ended(self._plan.target, news, host.stack_dump(), list(self._last_lines))
            )


def _breakpoint(stop: BreakpointStop | None) -> SetBreakpoint | None:
    if stop is None:
        return None
    return SetBreakpoint(id=1, node=stop.node, condition=stop.condition or None)
