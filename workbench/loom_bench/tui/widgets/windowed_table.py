"""A table over very many rows of which only a window is at hand; it tells which ones it needs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar, overload

from loom_bench.tui.ink import Line
from loom_bench.tui.widgets.line_table import LineTable

T = TypeVar("T")


class WindowedRows(Sequence[T | None]):
    """As many rows as there are; those outside the window are ``None``.

    Args:
        first: Number of the window's first row.
        rows: The rows of the window.
        total: How many rows there are.
    """

    def __init__(self, first: int, rows: Sequence[T], total: int) -> None:
        self.first = first
        self.rows = rows
        self._total = max(total, first + len(rows))

    def __len__(self) -> int:
        return self._total

    @overload
    def __getitem__(self, index: int) -> T | None: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[T | None]: ...

    def __getitem__(self, index: int | slice) -> T | Sequence[T | None] | None:
        if isinstance(index, slice):
            return tuple(self[each] for each in range(*index.indices(self._total)))
        if not -self._total <= index < self._total:
            raise IndexError(index)
        place = index % self._total - self.first
        return self.rows[place] if 0 <= place < len(self.rows) else None

    def at_hand(self) -> Iterable[tuple[int, T]]:
        """Return place and row of those in the window."""
        return enumerate(self.rows, start=self.first)

    def covers(self, first: int, count: int) -> bool:
        """Whether the window holds *count* rows from *first*, as far as there are that many."""
        last = min(first + count, self._total)
        return self.first <= first and last <= self.first + len(self.rows)


class WindowedTable(LineTable[T | None]):
    """The table. What is in sight and not at hand is drawn when its owner brings it."""

    def show_window(self, rows: WindowedRows[T], now_ms: int, empty: Sequence[Line] = ()) -> None:
        """Show *rows*, or *empty* when there are none."""
        self.show(rows, now_ms, empty)

    def wanted(self) -> tuple[int, int] | None:
        """Return the first row and the number of rows that are to be fetched: what is in sight,
        and a page on either side. ``None`` while what is in sight is at hand."""
        page = max(1, self.size.height)
        top = round(self.scroll_y)
        rows = self.items
        if isinstance(rows, WindowedRows) and rows.covers(top, page):
            return None
        return max(0, top - page), 3 * page
