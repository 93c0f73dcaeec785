"""What code prints while it is traced: the first lines and the last, and how many there were."""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

from loom_bench.protocol.tracing import printed_end

KEPT_LINES: Final = 100
"""Lines kept from the beginning, and as many from the end."""

MAX_LINE_CHARS: Final = 1_000

_KEPT_ERRORS: Final = 20
_STREAMS: Final = 2


class Printed:
    """Takes lines from the threads that read them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.begin()

    def begin(self, trace: int | None = None) -> None:
        """Forget what was printed so far.

        Args:
            trace: Number of the trace whose lines come; ``None`` while code is loaded.
        """
        with self._lock:
            self._end = b"" if trace is None else printed_end(trace)[:-1]
            self._ended: set[str] = set()
            self._first: list[str] = []
            self._last: deque[str] = deque(maxlen=KEPT_LINES)
            self._errors: deque[str] = deque(maxlen=_KEPT_ERRORS)
            self._seen = 0

    @property
    def ended(self) -> bool:
        """Whether everything has come that the trace's code printed."""
        return len(self._ended) == _STREAMS

    def add(self, revision: int, stream: str, block: bytes) -> None:  # noqa: ARG002
        """Take lines in; from any thread."""
        with self._lock:
            for line in block.removesuffix(b"\n").split(b"\n"):
                ends = bool(self._end) and line.endswith(self._end)
                if ends:
                    self._ended.add(stream)
                said = line.removesuffix(self._end)
                if said or not ends:
                    self._take(stream, said.decode("utf-8", "backslashreplace"))

    def _take(self, stream: str, text: str) -> None:
        line = text if len(text) <= MAX_LINE_CHARS else text[:MAX_LINE_CHARS] + "…"
        self._seen += 1
        (self._first if len(self._first) < KEPT_LINES else self._last).append(line)
        if stream == "stderr":
            self._errors.append(line)

    def shown(self) -> tuple[tuple[str, ...], int]:
        """Return what is kept, oldest first, and how many lines are left out of its middle."""
        with self._lock:
            kept = (*self._first, *self._last)
            return kept, self._seen - len(kept)

    def last_errors(self) -> list[str]:
        """Return the last lines that were printed to standard error."""
        with self._lock:
            return list(self._errors)
