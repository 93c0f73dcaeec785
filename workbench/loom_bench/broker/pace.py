"""Says when the next record is due, from a start and a rate."""

from __future__ import annotations

import time

_BURST_S = 0.005
"""Records due within this time are written at once, rather than waking up for each."""


def feed_burst_s(rate_per_s: float | None) -> float:
    """Return the time whose records a feed writes at once.

    What each fetch of records costs Tansu grows with the batches that the partition holds, by
    about 2 ms a thousand. A thousand records a second, sent every 20 ms, took 64 % of a processor
    after a minute and all of it after two, and then the broker takes nothing for ten seconds; a
    hundred records at once take 10 % after a minute. Eyes follow a quarter of a second.
    """
    if rate_per_s is None:
        return _BURST_S
    return min(max(100 / rate_per_s, 0.1), 0.25)


class Pace:
    """Says how long to wait before the next record.

    Counts from the start, so that late wake-ups do not slow the writer down; after a stall it
    catches up on at most a second's worth.

    Attributes:
        rate_per_s: Records per second; ``None`` for as fast as it goes.
        count: Records that were written.

    Args:
        rate_per_s: Records per second; ``None`` for as fast as it goes.
        burst_s: Records due within this time are written at once.
    """

    def __init__(self, rate_per_s: float | None, burst_s: float = _BURST_S) -> None:
        self.rate_per_s = rate_per_s
        self._burst_s = burst_s
        self.count = 0
        self._resting = False
        self._start_s = time.monotonic()

    def wait_s(self) -> float:
        """Return the seconds until the next record is due; 0 when it is."""
        if self.rate_per_s is None:
            return 0.0
        now_s = time.monotonic()
        due_s = self._start_s + self.count / self.rate_per_s
        if now_s - due_s > 1.0:
            self._start_s += now_s - due_s - 1.0
        if due_s - now_s > self._burst_s:
            self._resting = True
        elif due_s <= now_s:
            self._resting = False
        return due_s - now_s if self._resting else 0.0
