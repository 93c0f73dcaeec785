"""A finished piece of a drawing that can be moved: boxes and lines relative to its own corner."""

from __future__ import annotations

from dataclasses import dataclass, replace

from loom_bench.graph.canvas import Canvas
from loom_bench.graph.shapes import Box


@dataclass(frozen=True)
class Vertical:
    """A line down column ``x``."""

    x: int
    top: int
    bottom: int

    def moved(self, dx: int, dy: int) -> Vertical:
        """Return it *dx* cells to the right and *dy* down."""
        return Vertical(self.x + dx, self.top + dy, self.bottom + dy)

    def draw(self, canvas: Canvas) -> None:
        """Put it on *canvas*."""
        canvas.vertical(self.x, self.top, self.bottom)


@dataclass(frozen=True)
class Horizontal:
    """A line along row ``y``."""

    y: int
    left: int
    right: int
    dashed: bool = False

    def moved(self, dx: int, dy: int) -> Horizontal:
        """Return it *dx* cells to the right and *dy* down."""
        return Horizontal(self.y + dy, self.left + dx, self.right + dx, self.dashed)

    def draw(self, canvas: Canvas) -> None:
        """Put it on *canvas*."""
        canvas.horizontal(self.y, self.left, self.right, dashed=self.dashed)


@dataclass(frozen=True)
class Label:
    """Text on row ``y`` from column ``x`` on."""

    x: int
    y: int
    text: str

    def moved(self, dx: int, dy: int) -> Label:
        """Return it *dx* cells to the right and *dy* down."""
        return Label(self.x + dx, self.y + dy, self.text)

    def draw(self, canvas: Canvas) -> None:
        """Put it on *canvas*."""
        canvas.write(self.x, self.y, self.text)


@dataclass(frozen=True)
class PlacedBox:
    """A box at its place, in cells from the top left corner.

    Attributes:
        box: The box.
        x: Column of its left border.
        y: Row of its top border.
        width: Cells, borders included.
        height: Rows, borders and, for a frame, what it stands round included.
    """

    box: Box
    x: int
    y: int
    width: int
    height: int

    def moved(self, dx: int, dy: int) -> PlacedBox:
        """Return it *dx* cells to the right and *dy* down."""
        return replace(self, x=self.x + dx, y=self.y + dy)

    def draw(self, canvas: Canvas) -> None:
        """Put outline and text on *canvas*; a frame gets a line below its text."""
        canvas.rectangle(self.x, self.y, self.width, self.height, dashed=self.box.dashed)
        for row, line in enumerate(self.box.lines, start=self.y + 1):
            canvas.write(self.x + 2, row, line)
        below_text = self.y + len(self.box.lines) + 1
        if below_text < self.y + self.height - 1:
            canvas.horizontal(below_text, self.x, self.x + self.width - 1)


Mark = Vertical | Horizontal | Label | PlacedBox
"""What a patch is made of."""


@dataclass(frozen=True)
class Patch:
    """Marks within a rectangle whose top left cell is (0, 0).

    Attributes:
        width: Cells.
        height: Rows.
        axis: Column where a line enters at the top, and leaves at the bottom.
        exit: Row from which a line can leave downwards.
        marks: What is drawn; a frame comes before what stands in it.
    """

    width: int
    height: int
    axis: int
    exit: int
    marks: tuple[Mark, ...]

    def moved(self, dx: int, dy: int) -> tuple[Mark, ...]:
        """Return the marks *dx* cells to the right and *dy* down."""
        return tuple(mark.moved(dx, dy) for mark in self.marks)
