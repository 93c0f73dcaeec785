"""A plan as lines of text, and where each box stands in them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from loom_bench.graph.canvas import Canvas
from loom_bench.graph.layout import layout
from loom_bench.graph.patch import PlacedBox
from loom_bench.graph.picture import picture_of
from loom_runtime.compiler.document_parts import PlanDocument


@dataclass(frozen=True)
class Drawing:
    """A drawn plan.

    Attributes:
        lines: Rows of text, free of anything that could act on a terminal.
        boxes: Every box at its place; a frame comes before the boxes in it. A topic that is
            written to from several places has a box at each.
        width: Cells of the widest row.
    """

    lines: tuple[str, ...]
    boxes: tuple[PlacedBox, ...]
    width: int

    def box_at(self, x: int, y: int) -> PlacedBox | None:
        """Return the innermost box that covers the cell, or ``None``."""
        covering = (
            box
            for box in reversed(self.boxes)
            if box.x <= x < box.x + box.width and box.y <= y < box.y + box.height
        )
        return next(covering, None)


def draw(
    document: PlanDocument,
    *,
    max_width: int | None = None,
    notes: Mapping[str, Sequence[str]] | None = None,
    folded: Collection[str] = (),
    dense: bool = False,
) -> Drawing:
    """Draw *document* with boxes and lines, records going from top to bottom.

    Args:
        document: The plan.
        max_width: Cells that are there; ways that don't fit side by side are put one below the
            other. ``None`` for no limit.
        notes: Further lines for boxes, by id: of a node, of the source, or of a sink.
        folded: Ids of nodes that are drawn without what lies inside them.
        dense: Whether boxes of a chain touch and tell only their name and notes.
    """
    picture = picture_of(document, notes, folded=folded, names_only=dense)
    patch = layout(picture, max_width=max_width, dense=dense)
    canvas = Canvas()
    for mark in patch.marks:
        mark.draw(canvas)
    return Drawing(
        lines=canvas.lines(patch.width, patch.height),
        boxes=tuple(mark for mark in patch.marks if isinstance(mark, PlacedBox)),
        width=patch.width,
    )
