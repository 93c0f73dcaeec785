"""The source partitions of the run under way: ledger, lag and commits."""

from __future__ import annotations

import time
from collections import deque

from loom_bench.protocol.measurements import CommitCount, Commits
from loom_bench.session.live.rates import Rate
from loom_bench.session.live.rings import Ring
from loom_bench.session.value import CommitSeen, OffsetView
from loom_runtime.ledger import LedgerReport, LedgerRow

KEPT_COMMITS = 200
LAG_HISTORY = 60
"""Lags that are kept, one a second."""

Place = tuple[str, int]


class PartitionGauges:
    """Everything about source partitions."""

    def __init__(self) -> None:
        self._rows: dict[Place, LedgerRow] = {}
        self._rates: dict[Place, Rate] = {}
        self._lags: dict[Place, deque[int]] = {}
        self._counts: dict[Place, CommitCount] = {}
        self._committed_at_ms: dict[Place, int] = {}
        self._commits: Ring[CommitSeen] = Ring(KEPT_COMMITS)

    def begin(self) -> None:
        """Forget what is about one run: another begins."""
        self._rows, self._rates, self._counts = {}, {}, {}

    def stand_still(self) -> None:
        """Take in that nothing runs any more."""
        self._rates = {}

    def take_ledger(self, report: LedgerReport) -> None:
        """Take in the newest ledger."""
        now_s = time.monotonic()
        for row in report.partitions:
            place = row.topic, row.partition
            self._rows[place] = row
            self._rates.setdefault(place, Rate()).note(now_s, row.consumed)

    def take_commits(self, frame: Commits) -> None:
        """Take in commits."""
        self._commits.extend(
            CommitSeen(
                at_ms=each.at_ms,
                topic=each.topic,
                partition=each.partition,
                offset=each.offset,
                problem=each.problem,
            )
            for each in frame.newest
        )
        self._counts.update({(each.topic, each.partition): each for each in frame.counts})
        for each in frame.newest:
            if each.problem is None:
                self._committed_at_ms[each.topic, each.partition] = each.at_ms

    def tick(self) -> None:
        """Remember every lag; once a second."""
        for place, view in zip(self._rows, self.views(), strict=True):
            if view.lag is not None:
                self._lags.setdefault(place, deque(maxlen=LAG_HISTORY)).append(view.lag)

    def views(self) -> tuple[OffsetView, ...]:
        """Return one entry a partition."""
        return tuple(self._view(place, row) for place, row in self._rows.items())

    def commits(self) -> tuple[CommitSeen, ...]:
        """Return the newest commits, newest last."""
        return self._commits.shown()

    def _view(self, place: Place, row: LedgerRow) -> OffsetView:
        count, rate = self._counts.get(place), self._rates.get(place)
        return OffsetView(
            row=row,
            rate_per_s=0.0 if rate is None else rate.per_s(),
            lag_history=tuple(self._lags.get(place, ())),
            committed_at_ms=self._committed_at_ms.get(place),
            commits=0 if count is None else count.done,
            commit_failures=0 if count is None else count.failed,
        )
