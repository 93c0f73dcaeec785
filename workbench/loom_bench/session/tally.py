"""Adds up what the hosts tell of a run."""

from __future__ import annotations

import time
from typing import Literal

from loom_bench.protocol.frames import ErrorGroup, Errors, Events
from loom_bench.session.happenings import ErrorSummary, FinalLedger, Progress
from loom_runtime.ledger import COUNTERS, LedgerReport


class Tally:
    """The newest counters of one run.

    Attributes:
        flow: Name of the flow; empty until it is loaded.
        fed: Records that the feed has delivered; ``None`` without a feed.
    """

    def __init__(self) -> None:
        self.flow = ""
        self.fed: int | None = None
        self._report: LedgerReport | None = None
        self._groups: dict[str, ErrorGroup] = {}
        self._errors_seen = self._errors_ungrouped = 0
        self._events_seen = self._events_left_out = 0
        self._started_s: float | None = None
        self._last_progress: tuple[float, int] | None = None
        self._last_told: tuple[object, ...] = ()

    def started(self) -> None:
        """Take in that the flow runs now."""
        self._started_s = time.monotonic()

    def ledger(self, report: LedgerReport) -> None:
        """Take in the newest ledger."""
        self._report = report

    def events(self, frame: Events) -> None:
        """Take in how many lifecycle events there were."""
        self._events_seen, self._events_left_out = frame.seen, frame.left_out

    def errors(self, frame: Errors) -> list[ErrorGroup]:
        """Take in groups of failures; return those that are new."""
        new = [group for group in frame.groups if group.fingerprint not in self._groups]
        self._groups.update((group.fingerprint, group) for group in frame.groups)
        self._errors_seen, self._errors_ungrouped = frame.seen, frame.ungrouped
        return new

    @property
    def balanced(self) -> bool:
        """Whether the newest ledger balances."""
        return self._report is None or self._report.balanced

    def progress(self) -> Progress | None:
        """Return how far the run is, or ``None`` when nothing has changed since the last call."""
        if self._report is None or self._started_s is None:
            return None
        now_s, totals = time.monotonic(), self._totals()
        told = (*totals.values(), self.fed)
        if told == self._last_told:
            return None
        before_s, before = self._last_progress or (self._started_s, 0)
        consumed = totals["consumed"]
        self._last_told, self._last_progress = told, (now_s, consumed)
        return Progress(
            elapsed_s=round(now_s - self._started_s, 3),
            **{name: totals[name] for name in _PROGRESS_COUNTERS},
            rate_per_s=round((consumed - before) / max(now_s - before_s, 0.001), 1),
            lag=self._lag(),
            fed=self.fed,
            events_seen=self._events_seen,
            events_left_out=self._events_left_out,
        )

    def error_summary(self) -> ErrorSummary | None:
        """Return every way in which records failed; ``None`` when none did."""
        if not self._errors_seen:
            return None
        return ErrorSummary(
            groups=tuple(sorted(self._groups.values(), key=lambda group: -group.count)),
            seen=self._errors_seen,
            ungrouped=self._errors_ungrouped,
        )

    def final(self, outcome: Literal["finished", "drained", "failed", "killed"]) -> FinalLedger:
        """Return the ledger as it is told last."""
        elapsed_s = 0.0 if self._started_s is None else time.monotonic() - self._started_s
        return FinalLedger(
            flow=self.flow,
            outcome=outcome,
            balanced=self.balanced,
            **self._totals(),
            fed=self.fed,
            elapsed_s=round(elapsed_s, 3),
            partitions=() if self._report is None else self._report.partitions,
        )

    def _totals(self) -> dict[str, int]:
        return dict.fromkeys(COUNTERS, 0) if self._report is None else self._report.totals()

    def _lag(self) -> int | None:
        lag = 0
        for row in () if self._report is None else self._report.partitions:
            if row.end_offset is None or row.position is None:
                return None
            lag += max(0, row.end_offset - row.position)
        return lag


_PROGRESS_COUNTERS = (
    "consumed",
    "written",
    "errored",
    "filtered",
    "dead_lettered",
    "held",
    "records_written",
)
