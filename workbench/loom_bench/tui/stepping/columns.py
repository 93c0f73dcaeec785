"""Lines put side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from loom_bench.safe import cell_width, safe
from loom_bench.tui.ink import CHARACTERS_PER_CELL, Ink, Line, Run

BETWEEN: Run = (" │ ", Ink.DIM)


def filled(line: Line, width: int) -> list[Run]:
    """Return *line* exactly *width* cells wide: cut with an ellipsis, or blanks at its end."""
    runs: list[Run] = []
    left = width
    for text, ink in line:
        if left <= 0:
            break
        shown = safe(text[: (left + 1) * CHARACTERS_PER_CELL], max_cells=left)
        runs.append((shown, ink))
        left -= cell_width(shown)
    if left > 0:
        runs.append((" " * left, Ink.PLAIN))
    return runs


def wrapped(text: str, room: int) -> Iterator[str]:
    """Yield the lines of *text* in pieces of at most *room* cells."""
    for line in text.splitlines() or [""]:
        start = 0
        while True:
            piece = line[start : start + room]
            # Characters may be wider than a cell, or be shown as their code: fewer fit then.
            while len(piece) > 1 and cell_width(safe(piece)) > room:
                piece = piece[: max(1, len(piece) * room // cell_width(safe(piece)))]
            yield piece
            start += max(1, len(piece))
            if start >= len(line):
                break


def half(width: int) -> int:
    """Return how wide either of two columns is in a width of *width* cells."""
    return max(1, (width - len(BETWEEN[0])) // 2)


def side_by_side(left: Sequence[Line], right: Sequence[Line], left_width: int) -> Iterator[Line]:
    """Yield rows of two columns, the left one of *left_width* cells, as many as the longer has."""
    for one, other in zip_longest(left, right, fillvalue=()):
        yield (*filled(one, left_width), BETWEEN, *other)
