"""The drawn plan as rows of pieces, and which cells of it are live: pure, made once a layout.

The places of live counters are drawn empty and filled in when a row is painted, so that changing
figures never move a box.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from loom_bench.graph.drawing import Drawing, draw
from loom_bench.graph.patch import PlacedBox
from loom_bench.safe import characters_in_cells
from loom_bench.session.value import NodeView
from loom_bench.tui.figures import count_text, millis_text, rate_text
from loom_bench.tui.health import MARKS, Health, health_of
from loom_bench.tui.ink import Ink, Line
from loom_runtime.compiler.document_parts import NodeDocument, PlanDocument

NOTE_CELLS = 26
"""Room for live counters in a box: ``12.3k/s 2.1/48ms x1.2k h50``."""


class Part(Enum):
    """What a piece of a row is."""

    LINE = auto()
    BORDER = auto()
    NAME = auto()
    TEXT = auto()
    NOTE = auto()


@dataclass(frozen=True)
class Piece:
    """Neighbouring cells of one row that are painted alike.

    Attributes:
        text: What stands there; for a note, blanks.
        part: What it is.
        box: Index of the box that it belongs to; -1 for lines between boxes.
    """

    text: str
    part: Part
    box: int


@dataclass(frozen=True)
class GraphRows:
    """A drawn plan, ready to be painted.

    Attributes:
        drawing: The drawing.
        rows: Pieces of each row, from left to right.
        noted: Ids whose boxes have room for counters.
    """

    drawing: Drawing
    rows: tuple[tuple[Piece, ...], ...]
    noted: frozenset[str]

    @property
    def boxes(self) -> tuple[PlacedBox, ...]:
        """Every box at its place."""
        return self.drawing.boxes


def graph_rows(
    plan: PlanDocument, *, max_width: int, folded: Collection[str] = (), dense: bool = True
) -> GraphRows:
    """Return *plan* drawn for *max_width* cells, with room for counters in nodes and source."""
    noted = frozenset({plan.source.id, *(node.id for node in plan.nodes)})
    blank = " " * NOTE_CELLS
    drawing = draw(
        plan,
        max_width=max_width,
        notes=dict.fromkeys(noted, (blank,)),
        folded=folded,
        dense=dense,
    )
    return GraphRows(drawing, _rows(drawing, noted), noted)


def _rows(drawing: Drawing, noted: Collection[str]) -> tuple[tuple[Piece, ...], ...]:
    owners: list[dict[int, tuple[Part, int]]] = [{} for _ in drawing.lines]
    for index, placed in enumerate(drawing.boxes):
        _claim(owners, placed, index, noted=placed.box.id in noted)
    return tuple(
        tuple(_pieces(line, owner)) for line, owner in zip(drawing.lines, owners, strict=True)
    )


def _claim(
    owners: list[dict[int, tuple[Part, int]]], placed: PlacedBox, index: int, *, noted: bool
) -> None:
    left, right = placed.x, placed.x + placed.width - 1
    top, bottom = placed.y, placed.y + placed.height - 1
    texts = len(placed.box.lines)
    header = top + texts + 1
    for y in range(top, min(bottom + 1, len(owners))):
        if y in (top, bottom, header):
            owners[y].update(dict.fromkeys(range(left, right + 1), (Part.BORDER, index)))
            continue
        owners[y][left] = owners[y][right] = (Part.BORDER, index)
        if y < header:
            part = Part.NAME if y == top + 1 else Part.TEXT
            if noted and y == header - 1 and texts > 1:
                part = Part.NOTE
            owners[y].update(dict.fromkeys(range(left + 1, right), (part, index)))


def _pieces(line: str, owner: dict[int, tuple[Part, int]]) -> Sequence[Piece]:
    pieces: list[Piece] = []
    text, current = "", (Part.LINE, -1)
    for x, character in enumerate(characters_in_cells(line)):
        belongs = owner.get(x, (Part.LINE, -1))
        if belongs != current:
            if text:
                pieces.append(Piece(text, *current))
            text, current = "", belongs
        text += character
    if text:
        pieces.append(Piece(text, *current))
    return pieces


def note_of(view: NodeView | None) -> Line:
    """Return a node's live figures: rate, p50 and p99, failures, held and late records."""
    if view is None:
        return (("-", Ink.DIM),)
    line = [(f"{rate_text(view.rate_per_s)}/s", Ink.PLAIN)]
    if view.p99_ms is not None:
        times = _two_times(view.p50_ms, view.p99_ms)
        slow = health_of(view) is Health.SLOW
        line.append((f" {times}", Ink.WARN if slow else Ink.DIM))
    if view.errors:
        line.append((f" {MARKS[Health.FAILING]}{count_text(view.errors)}", Ink.BAD))
    if view.held:
        line.append((f" h{count_text(view.held)}", Ink.ACCENT))
    if view.late:
        line.append((f" l{count_text(view.late)}", Ink.WARN))
    return line


def _two_times(p50_ms: float | None, p99_ms: float) -> str:
    p50, p99 = millis_text(p50_ms), millis_text(p99_ms)
    unit = p99.lstrip("0123456789.")
    return f"{p50.removesuffix(unit)}/{p99}" if p50.endswith(unit) else f"{p50}/{p99}"


def inside(plan: PlanDocument, node_id: str) -> Sequence[NodeDocument]:
    """Return the nodes that lie inside the node, at any depth."""
    node = next((each for each in plan.nodes if each.id == node_id), None)
    if node is None:
        return ()
    depth = len(node.path)
    return [
        each
        for each in plan.nodes
        if len(each.path) > depth and each.path[:depth] == node.path
    ]
