"""Bounded memories of what came last; what fell out is counted."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Generic, TypeVar

from loom_bench.session.value import LogLine

MAX_LINE_CHARACTERS = 4_000
"""Longest line that is kept, so that a ring of lines stays below 20 MB."""

T = TypeVar("T")


class Ring(Generic[T]):
    """The newest things of a kind. Used by one thread.

    Args:
        size: How many are kept.
    """

    def __init__(self, size: int) -> None:
        self._kept: deque[T] = deque(maxlen=size)
        self._shown: tuple[T, ...] | None = ()

    def extend(self, items: Iterable[T]) -> None:
        """Add *items*, the newest last."""
        self._kept.extend(items)
        self._shown = None

    def shown(self) -> tuple[T, ...]:
        """Return what is kept, the newest last."""
        if self._shown is None:
            self._shown = tuple(self._kept)
        return self._shown


class LogRing:
    """The newest lines that flows printed. Filled from the threads that read them.

    Args:
        size: How many are kept.
    """

    def __init__(self, size: int) -> None:
        self._kept: deque[LogLine] = deque(maxlen=size)
        self._seen = 0
        self._lock = threading.Lock()
        self._shown: tuple[LogLine, ...] = ()
        self._shown_seen = 0

    @property
    def seen(self) -> int:
        """Lines since the session began."""
        return self._seen

    def add(self, revision: int, stream: str, text: str) -> None:
        """Add a line; may be called from any thread."""
        if len(text) > MAX_LINE_CHARACTERS:
            text = text[:MAX_LINE_CHARACTERS] + "…"
        line = LogLine(
            at_ms=time.time_ns() // 1_000_000, revision=revision, stream=stream, text=text
        )
        with self._lock:
            self._seen += 1
            self._kept.append(line)

    def shown(self) -> tuple[tuple[LogLine, ...], int]:
        """Return what is kept, the newest last, and how many lines there were."""
        if self._shown_seen != self._seen:
            with self._lock:
                self._shown, self._shown_seen = tuple(self._kept), self._seen
        return self._shown, self._shown_seen
