"""A grid of cells where lines that meet join into the right box-drawing character."""

from __future__ import annotations

from enum import IntFlag

from loom_bench.safe import characters_in_cells


class Arm(IntFlag):
    """The directions in which a line leaves a cell."""

    NONE = 0
    UP = 1
    DOWN = 2
    LEFT = 4
    RIGHT = 8


_UP, _DOWN, _LEFT, _RIGHT = Arm.UP, Arm.DOWN, Arm.LEFT, Arm.RIGHT

_CHARACTERS: dict[int, str] = {
    0: " ",
    _UP: "╵",
    _DOWN: "╷",
    _LEFT: "╴",
    _RIGHT: "╶",
    _UP | _DOWN: "│",
    _LEFT | _RIGHT: "─",
    _DOWN | _RIGHT: "┌",
    _DOWN | _LEFT: "┐",
    _UP | _RIGHT: "└",
    _UP | _LEFT: "┘",
    _UP | _DOWN | _RIGHT: "├",
    _UP | _DOWN | _LEFT: "┤",
    _DOWN | _LEFT | _RIGHT: "┬",
    _UP | _LEFT | _RIGHT: "┴",
    _UP | _DOWN | _LEFT | _RIGHT: "┼",
}

_DASHED = {"│": "┆", "─": "┄"}


class Canvas:
    """Cells that lines and text are put on; text hides lines, later text hides earlier."""

    def __init__(self) -> None:
        self._arms: dict[tuple[int, int], int] = {}
        self._solid: set[tuple[int, int]] = set()
        self._text: dict[tuple[int, int], str] = {}

    def vertical(self, x: int, top: int, bottom: int, *, dashed: bool = False) -> None:
        """Draw a line down column *x* from the middle of row *top* to the middle of *bottom*."""
        for y in range(top, bottom):
            self._join(x, y, _DOWN, dashed)
            self._join(x, y + 1, _UP, dashed)

    def horizontal(self, y: int, left: int, right: int, *, dashed: bool = False) -> None:
        """Draw a line along row *y* from the middle of column *left* to the middle of *right*."""
        for x in range(left, right):
            self._join(x, y, _RIGHT, dashed)
            self._join(x + 1, y, _LEFT, dashed)

    def rectangle(self, x: int, y: int, width: int, height: int, *, dashed: bool = False) -> None:
        """Draw the outline of *width* by *height* cells whose top left corner is at (*x*, *y*)."""
        right, bottom = x + width - 1, y + height - 1
        self.horizontal(y, x, right, dashed=dashed)
        self.horizontal(bottom, x, right, dashed=dashed)
        self.vertical(x, y, bottom, dashed=dashed)
        self.vertical(right, y, bottom, dashed=dashed)

    def write(self, x: int, y: int, text: str) -> None:
        """Put safe *text* on row *y*, its first cell at column *x*."""
        for offset, character in enumerate(characters_in_cells(text)):
            self._text[x + offset, y] = character

    def lines(self, width: int, height: int) -> tuple[str, ...]:
        """Return the rows as text without trailing spaces."""
        return tuple(
            "".join(self._character(x, y) for x in range(width)).rstrip() for y in range(height)
        )

    def _join(self, x: int, y: int, arm: Arm, dashed: bool) -> None:
        self._arms[x, y] = self._arms.get((x, y), 0) | arm
        if not dashed:
            self._solid.add((x, y))

    def _character(self, x: int, y: int) -> str:
        text = self._text.get((x, y))
        if text is not None:
            return text
        character = _CHARACTERS[self._arms.get((x, y), 0)]
        return character if (x, y) in self._solid else _DASHED.get(character, character)
