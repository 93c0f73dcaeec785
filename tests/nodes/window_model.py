"""Windows in a few lines of plain Python: what CollectBatch is compared with.

The model takes records one by one and never looks at batches, so it also says that how records
were batched on their way changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Window:
    """One open window."""

    start_ms: int
    end_ms: int
    records: list[int] = field(default_factory=list)
    closed: bool = False


@dataclass
class WindowModel:
    """What one partition's windows hold and give.

    Attributes:
        length_ms: Length of a tumbling window, or gap of a session.
        session: Whether it is sessions.
        lateness_ms: Allowed lateness.
        most: Records after which a window is handed on in part.
        given: What was handed on: the numbers of the records of each batch.
        late: Numbers of records that came too late.
    """

    length_ms: int
    session: bool
    lateness_ms: int
    most: int
    given: list[list[int]] = field(default_factory=list)
    late: list[int] = field(default_factory=list)
    _open: list[Window] = field(default_factory=list)
    _watermark_ms: int | None = None

    def take(self, number: int, at_ms: int) -> None:
        """Take one record in."""
        if self.session:
            joined = [w for w in self._open if w.start_ms - self.length_ms < at_ms < w.end_ms]
            start_ms, end_ms = at_ms, at_ms + self.length_ms
        else:
            start_ms = at_ms // self.length_ms * self.length_ms
            end_ms = start_ms + self.length_ms
            joined = [w for w in self._open if w.start_ms == start_ms]
        if not joined and self._is_over(end_ms):
            self.late.append(number)
            return
        window = Window(
            min([start_ms, *(w.start_ms for w in joined)]),
            max([end_ms, *(w.end_ms for w in joined)]),
            sorted(n for w in joined for n in w.records),
        )
        window.records.append(number)
        while len(window.records) >= self.most:
            self.given.append(window.records[: self.most])
            window.records = window.records[self.most :]
        self._open = [w for w in self._open if w not in joined]
        self._open.append(window)
        if self._watermark_ms is None or at_ms > self._watermark_ms:
            self._watermark_ms = at_ms
        self._close([w for w in self._open if self._is_over(w.end_ms)])

    def finish(self) -> None:
        """Hand on everything."""
        self._close(list(self._open))

    def _is_over(self, end_ms: int) -> bool:
        return self._watermark_ms is not None and end_ms + self.lateness_ms <= self._watermark_ms

    def _close(self, windows: list[Window]) -> None:
        for window in sorted(windows, key=lambda each: each.start_ms):
            self._open.remove(window)
            if window.records:
                self.given.append(window.records)
