"""What the moving keys do, for widgets that have rows or boxes to move over."""

from __future__ import annotations

from abc import abstractmethod


class OverRows:
    """The keys that move a cursor over rows."""

    _cursor: int

    @property
    def cursor(self) -> int:
        """Number of the row under the cursor, from 0."""
        return self._cursor

    def go_to(self, index: int) -> None:
        """Put the cursor on a row, or on the nearest that there is."""
        self._move_to(index)

    def action_down(self) -> None:
        """Move to the next row."""
        self._move_to(self._cursor + 1)

    def action_up(self) -> None:
        """Move to the row before."""
        self._move_to(self._cursor - 1)

    def action_page_down(self) -> None:
        """Move a page on."""
        self._move_to(self._cursor + self._page)

    def action_page_up(self) -> None:
        """Move a page back."""
        self._move_to(self._cursor - self._page)

    def action_top(self) -> None:
        """Move to the first row."""
        self._move_to(0)

    @property
    @abstractmethod
    def _page(self) -> int:
        """How many rows a page is."""

    @abstractmethod
    def _move_to(self, index: int) -> None:
        """Move to a row, or to the nearest that there is."""


class OverBoxes:
    """The keys that move a selection over boxes, in four directions."""

    def action_down(self) -> None:
        """Select the next box below."""
        self._go(0, 1)

    def action_up(self) -> None:
        """Select the next box above."""
        self._go(0, -1)

    def action_left(self) -> None:
        """Select the next box to the left."""
        self._go(-1, 0)

    def action_right(self) -> None:
        """Select the next box to the right."""
        self._go(1, 0)

    @abstractmethod
    def _go(self, dx: int, dy: int) -> None:
        """Select the nearest box in a direction, if there is one."""
