"""When the next frame of data is due: eight times a second, less often where frames take long."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

FRAMES_PER_S: Final = 8

_MOST_SHARE: Final = 0.08
"""Of one processor's time, for what nobody asked for; what a key asks for is painted at once."""

_LONGEST_S: Final = 0.5


class FramePace:
    """Keeps the pace.

    Args:
        draw: Draws a frame, on the thread that calls :meth:`look`.
    """

    def __init__(self, draw: Callable[[], None]) -> None:
        self._draw = draw
        self._last_s = self._busy_s = 0.0

    def look(self) -> None:
        """Draw if a frame is due: if all that this thread has done since the last one, answers to
        keys included, took a small share of that time."""
        now_s, busy_s = time.monotonic(), time.thread_time()
        passed_s = now_s - self._last_s
        if passed_s >= _LONGEST_S or busy_s - self._busy_s <= _MOST_SHARE * passed_s:
            self._last_s, self._busy_s = now_s, busy_s
            self._draw()
