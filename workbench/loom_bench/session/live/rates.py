"""How fast a counter moves."""

from __future__ import annotations

from collections import deque

WINDOW_S = 3.0
"""How far back a rate looks: long enough to be steady, short enough to follow."""


class Rate:
    """The speed of one counter over the last seconds."""

    def __init__(self) -> None:
        self._noted: deque[tuple[float, float]] = deque()

    def note(self, now_s: float, count: float) -> None:
        """Take note of the counter's value at *now_s*, monotonic seconds."""
        noted = self._noted
        if noted and count < noted[-1][1]:  # another run has begun
            noted.clear()
        noted.append((now_s, count))
        while len(noted) > 2 and noted[1][0] <= now_s - WINDOW_S:
            noted.popleft()

    def per_s(self) -> float:
        """Return how much the counter moved a second."""
        if len(self._noted) < 2:
            return 0.0
        (first_s, first), (last_s, last) = self._noted[0], self._noted[-1]
        return (last - first) / (last_s - first_s) if last_s > first_s else 0.0
