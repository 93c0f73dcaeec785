"""Lines of inked text, and how they become strips: the one door through which text reaches a cell.

Whatever is painted is made safe here, so that no panel can forget it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from loom_bench.safe import cell_width, characters_in_cells, safe

_CHARACTERS_PER_CELL = 5
"""A letter and the marks that :func:`safe` leaves on it: text beyond needs no look."""


class Ink(StrEnum):
    """What a piece of text means; the style sheet gives each its colour."""

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

INK_CLASSES: Final = {f"ink--{ink}" for ink in Ink}
"""Component classes of every widget that paints."""


def plain(text: str) -> Line:
    """Return a line of *text* in plain ink."""
    return ((text, Ink.PLAIN),)


def width_of(line: Line) -> int:
    """Return the cells that *line* takes."""
    return sum(cell_width(safe(text)) for text, _ in line)


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
    text = text[: (skip + width + 1) * _CHARACTERS_PER_CELL]
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


def style_of(widget: Widget, ink: Ink) -> Style:
    """Return the style that the style sheet gives *ink* in *widget*."""
    base = widget.rich_style
    if ink is Ink.PLAIN:
        return base
    return base + widget.get_component_rich_style(f"ink--{ink}", partial=True)


def paint(widget: Widget, line: Line, width: int, *, under: Ink | None = None) -> Strip:
    """Return *line* as a strip of exactly *width* cells.

    Args:
        widget: Gives the styles; its component classes contain ``INK_CLASSES``.
        line: What to paint; made safe here, cut with an ellipsis where it is too long.
        width: Cells.
        under: Ink whose background lies under the whole line: a cursor.
    """
    base = widget.rich_style
    over = Style.null()
    if under is not None:
        over = widget.get_component_rich_style(f"ink--{under}", partial=True)
    segments: list[Segment] = []
    left = width
    for text, ink in line:
        if left <= 0:
            break
        shown = safe(text[: (left + 1) * _CHARACTERS_PER_CELL], max_cells=left)
        style = style_of(widget, ink) + over
        segments.append(Segment(shown, style))
        left -= cell_width(shown)
    if left > 0:
        segments.append(Segment(" " * left, base + over))
    return Strip(segments, width).adjust_cell_length(width, base + over)
