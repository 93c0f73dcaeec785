"""A latency histogram cheap enough to be written once a batch by every node."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate

from loom_runtime.model import LoomFrozenStruct

BOUNDS_SECONDS: tuple[float, ...] = (
    *(round(step * 10.0**decade, 7) for decade in range(-6, 1) for step in (1.0, 2.5, 5.0)),
    10.0,
)
"""Upper bounds of the buckets: 1 µs to 10 s, three to a decade."""


class LatencySnapshot(LoomFrozenStruct, frozen=True, kw_only=True):
    """A histogram at one moment.

    Attributes:
        counts: Observations by bucket, each bucket apart; the last holds what is longer than
            every bound of :data:`BOUNDS_SECONDS`.
        sum_seconds: Sum of all observations, seconds.
        max_seconds: Longest observation, seconds.
    """

    counts: tuple[int, ...] = (0,) * (len(BOUNDS_SECONDS) + 1)
    sum_seconds: float = 0.0
    max_seconds: float = 0.0

    @property
    def count(self) -> int:
        """Number of observations."""
        return sum(self.counts)

    def cumulative(self) -> tuple[int, ...]:
        """Return how many observations are at most as long as each bound; the last is all."""
        return tuple(accumulate(self.counts))

    def quantile(self, q: float) -> float:
        """Return an estimate of the *q* quantile, seconds; 0 when nothing was observed.

        The estimate lies in the bucket that holds the quantile, on a straight line between its
        bounds, and never above the longest observation.

        Raises:
            ValueError: When *q* is not between 0 and 1.
        """
        if not 0.0 <= q <= 1.0:
            raise ValueError(f"the quantile {q} is not between 0 and 1")
        rank = q * self.count
        below = 0
        for index, count in enumerate(self.counts):
            if count and below + count >= rank:
                lower = BOUNDS_SECONDS[index - 1] if index else 0.0
                upper = self.max_seconds
                if index < len(BOUNDS_SECONDS):
                    upper = min(upper, BOUNDS_SECONDS[index])
                estimate = lower + (upper - lower) * (rank - below) / count
                return min(estimate, upper)
            below += count
        return 0.0


class LatencyHistogram:
    """Counts observations by length. One writer; a reader on another thread sees whole buckets."""

    __slots__ = ("_counts", "_max_seconds", "_sum_seconds")

    def __init__(self) -> None:
        """Start empty."""
        self._counts = [0] * (len(BOUNDS_SECONDS) + 1)
        self._sum_seconds = 0.0
        self._max_seconds = 0.0

    def observe(self, seconds: float, count: int = 1) -> None:
        """Count *count* observations of *seconds* each.

        Raises:
            ValueError: When either is negative, or *seconds* is no number.
        """
        if not seconds >= 0.0 or count < 0:
            raise ValueError(f"cannot observe {seconds} s {count} times")
        if count:
            self._counts[bisect_left(BOUNDS_SECONDS, seconds)] += count
            self._sum_seconds += seconds * count
            self._max_seconds = max(self._max_seconds, seconds)

    def add(self, other: LatencyHistogram) -> None:
        """Count everything that *other* has counted."""
        self._counts = [ours + more for ours, more in zip(self._counts, other._counts, strict=True)]
        self._sum_seconds += other._sum_seconds
        self._max_seconds = max(self._max_seconds, other._max_seconds)

    @property
    def count(self) -> int:
        """Number of observations."""
        return sum(self._counts)

    @property
    def sum_seconds(self) -> float:
        """Sum of all observations, seconds."""
        return self._sum_seconds

    def quantile(self, q: float) -> float:
        """Return an estimate of the *q* quantile; see :meth:`LatencySnapshot.quantile`."""
        return self.snapshot().quantile(q)

    def snapshot(self) -> LatencySnapshot:
        """Return what was counted so far."""
        return LatencySnapshot(
            counts=tuple(self._counts),
            sum_seconds=self._sum_seconds,
            max_seconds=self._max_seconds,
        )
