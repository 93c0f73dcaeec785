"""Lines of inked text: what pure functions make and widgets paint."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

from loom_bench.safe import cell_width, characters_in_cells, safe

CHARACTERS_PER_CELL = 5
"""A letter and the marks that :func:`safe` leaves on it: text beyond needs no look."""

_WIDEST_CELLS = 1_000
_MAX_CHARACTERS = _WIDEST_CELLS * CHARACTERS_PER_CELL


class Ink(StrEnum):
    """What a piece of text means; the theme gives each its colour."""

    PLAIN = "plain"
    DIM = "dim"
    STRONG = "strong"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    ACCENT = "accent"
    HEAD = "head"
    KEY = "key"
    CURSOR = "cursor"
    CURSOR_IDLE = "cursor-idle"
    CURSOR_BORDER = "cursor-border"
    BADGE_GOOD = "badge-good"
    BADGE_WARN = "badge-warn"
    BADGE_BAD = "badge-bad"
    BADGE = "badge"


Run = tuple[str, Ink]
"""Text of one ink."""

Line = Sequence[Run]
"""Runs from left to right."""


def plain(text: str) -> Line:
    """Return a line of *text* in plain ink."""
    return ((text, Ink.PLAIN),)


def width_of(line: Line) -> int:
    """Return the cells that *line* takes, each run counted up to a screen's width."""
    return sum(
        cell_width(safe(text[:_MAX_CHARACTERS], max_cells=_WIDEST_CELLS)) for text, _ in line
    )


def fitted(text: str, width: int, *, right: bool = False, skip: int = 0) -> str:
    """Return *text* made safe and exactly *width* cells wide.

    Args:
        text: Anything.
        width: Cells.
        right: Whether it stands at the right end.
        skip: Cells of its start to leave out.
    """
    if width <= 0:
        return ""
    text = text[: (skip + width + 1) * CHARACTERS_PER_CELL]
    if text.isascii() and text.isprintable() and skip + width >= len(text):
        shown = text[skip:]
        return shown.rjust(width) if right else shown.ljust(width)
    shown = safe(text)
    if skip:
        shown = "".join(characters_in_cells(shown)[skip:])
    shown = safe(shown, max_cells=width)
    room = " " * (width - cell_width(shown))
    return room + shown if right else shown + room


def joined(lines: Iterable[Line], between: Run) -> list[Run]:
    """Return the runs of all *lines* that are not empty, *between* two of them."""
    runs: list[Run] = []
    for line in lines:
        if line:
            if runs:
                runs.append(between)
            runs.extend(line)
    return runs
