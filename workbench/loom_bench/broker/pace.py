"""Says when the next record is due, from a start and a rate."""

from __future__ import annotations

import time

_BURST_S = 0.005
"""Records due within this time are written at once, rather than waking up for each."""


class Pace:
    """Says how long to wait before the next record.

    Counts from the start, so that late wake-ups do not slow the writer down; after a stall it
    catches up on at most a second's worth.

    Attributes:
        rate_per_s: Records per second; ``None`` for as fast as it goes.
        count: Records that were written.
    """

    def __init__(self, rate_per_s: float | None) -> None:
        self.rate_per_s = rate_per_s
        self.count = 0
        self._start_s = time.monotonic()

    def wait_s(self) -> float:
        """Return the seconds until the next record is due; 0 when it is."""
        if self.rate_per_s is None:
            return 0.0
        now_s = time.monotonic()
        due_s = self._start_s + self.count / self.rate_per_s
        if now_s - due_s > 1.0:
            self._start_s += now_s - due_s - 1.0
        ahead_s = due_s - now_s
        return ahead_s if ahead_s > _BURST_S else 0.0
