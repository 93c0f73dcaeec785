"""What a picture of a plan is to the widget that shows it: rows to paint and spots to select."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from loom_bench.tui.ink import Line
from loom_bench.tui.pictures.look import GraphLook


@dataclass(frozen=True)
class Spot:
    """Something that can be selected, at its place.

    Attributes:
        id: Id of a node, the source or a sink.
        x: First column.
        y: First row.
        width: Cells.
        height: Rows that must be seen of it.
        reach: Rows that a click on it may hit: those of what a frame stands round, too.
    """

    id: str
    x: int
    y: int
    width: int
    height: int
    reach: int


class GraphPicture(Protocol):
    """A drawn plan. It does not move when figures change."""

    @property
    def spots(self) -> Sequence[Spot]:
        """What can be selected; a frame comes before what stands in it."""
        ...

    @property
    def width(self) -> int:
        """Cells."""
        ...

    @property
    def height(self) -> int:
        """Rows."""
        ...

    def line(self, y: int, look: GraphLook, selected: int, *, focused: bool) -> Line:
        """Return row *y* as it looks now.

        Args:
            y: The row.
            look: What is live.
            selected: Index of the selected spot.
            focused: Whether keys go to the graph.
        """
        ...

    def cursor_row(self, selected: int) -> int | None:
        """Return the row that is marked as a whole for the selected spot, if that is the way."""
        ...


def spot_at(spots: Sequence[Spot], x: int, y: int) -> int | None:
    """Return the index of the innermost spot that covers the cell."""
    for index in range(len(spots) - 1, -1, -1):
        spot = spots[index]
        if spot.x <= x < spot.x + spot.width and spot.y <= y < spot.y + spot.reach:
            return index
    return None


def nearest(spots: Sequence[Spot], index: int, dx: int, dy: int) -> int | None:
    """Return the index of the next spot in one direction; one of *dx* and *dy* is not 0."""
    here = spots[index]
    x, y = here.x + here.width // 2, here.y
    best: tuple[float, int] | None = None
    for other, spot in enumerate(spots):
        away_x, away_y = spot.x + spot.width // 2 - x, spot.y - y
        ahead, aside = (away_y * dy, abs(away_x)) if dy else (away_x * dx, abs(away_y))
        if ahead <= 0 or (dx and aside > ahead):
            continue
        # A row is as high as two cells are wide; what lies straight ahead comes first.
        distance = ahead + (aside / 4 if dy else aside * 4)
        if best is None or distance < best[0]:
            best = distance, other
    return best[1] if best is not None else None
