"""The plan with boxes and lines.

The places of live figures are drawn empty and filled in when a row is painted, so that changing
figures never move a box.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from loom_bench.graph.drawing import Drawing, draw
from loom_bench.graph.patch import PlacedBox
from loom_bench.safe import characters_in_cells
from loom_bench.tui.health import INKS, Health
from loom_bench.tui.ink import Ink, Line, Run
from loom_bench.tui.pictures.look import GraphLook
from loom_bench.tui.pictures.spots import Spot
from loom_runtime.compiler.document_parts import PlanDocument

NOTE_CELLS = 26
"""Room for live figures in a box: ``12.3k/s 2.1/48ms x1.2k h50``."""


class _Part(Enum):
    LINE = auto()
    BORDER = auto()
    NAME = auto()
    TEXT = auto()
    NOTE = auto()


@dataclass(frozen=True)
class _Piece:
    """Neighbouring cells of one row that are painted alike; ``spot`` is -1 between boxes."""

    text: str
    part: _Part
    spot: int


class BoxPicture:
    """Boxes and lines, records going from top to bottom.

    Args:
        plan: The plan.
        max_width: Cells that are there; ways that don't fit side by side are stacked.
        folded: Ids of nodes whose inside is hidden.
    """

    def __init__(self, plan: PlanDocument, *, max_width: int, folded: Collection[str] = ()) -> None:
        noted = frozenset({plan.source.id, *(node.id for node in plan.nodes)})
        notes = dict.fromkeys(noted, (" " * NOTE_CELLS,))
        drawing = draw(plan, max_width=max_width, notes=notes, folded=folded, dense=True)
        self.spots = tuple(_spot(placed) for placed in drawing.boxes)
        self.width = drawing.width
        self.height = len(drawing.lines)
        self._pieces = _rows(drawing, noted)

    def line(self, y: int, look: GraphLook, selected: int, *, focused: bool) -> Line:
        """Return row *y* as it looks now."""
        runs: list[Run] = []
        for piece in self._pieces[y]:
            if piece.part is _Part.NOTE:
                runs.extend(_note(piece, look.note(self.spots[piece.spot].id)))
            else:
                runs.append(self._run(piece, look, piece.spot == selected, focused))
        return runs

    def cursor_row(self, selected: int) -> int | None:  # noqa: ARG002 - a box is marked, no row
        """Return ``None``: the box itself is marked."""
        return None

    def _run(self, piece: _Piece, look: GraphLook, chosen: bool, focused: bool) -> Run:
        if piece.part is _Part.LINE:
            return piece.text, Ink.DIM
        box_id = self.spots[piece.spot].id
        health = look.health(box_id)
        troubled = INKS[health] if health >= Health.SLOW else None
        if piece.part is _Part.BORDER:
            return piece.text, Ink.CURSOR_BORDER if chosen else troubled or Ink.DIM
        if piece.part is _Part.TEXT:
            return piece.text, Ink.DIM
        text = _marked(piece.text, look.mark(box_id))
        if chosen:
            return text, Ink.CURSOR if focused else Ink.CURSOR_IDLE
        return text, troubled or Ink.STRONG


def _marked(text: str, mark: str) -> str:
    """Put *mark* at the right end, a cell from the border where there is room."""
    return f"{text[:-2]}{mark} " if text.endswith("  ") else f"{text[:-1]}{mark}"


def _spot(placed: PlacedBox) -> Spot:
    head = min(placed.height, len(placed.box.lines) + 2)
    return Spot(placed.box.id, placed.x, placed.y, placed.width, head, placed.height)


def _note(piece: _Piece, note: Line) -> Sequence[Run]:
    runs: list[Run] = [(" ", Ink.PLAIN)]
    left = len(piece.text) - 2
    for text, ink in note:
        shown = text[:left]
        runs.append((shown, ink))
        left -= len(shown)
    runs.append((" " * (left + 1), Ink.PLAIN))
    return runs


def _rows(drawing: Drawing, noted: Collection[str]) -> tuple[tuple[_Piece, ...], ...]:
    owners: list[dict[int, tuple[_Part, int]]] = [{} for _ in drawing.lines]
    for index, placed in enumerate(drawing.boxes):
        _claim(owners, placed, index, noted=placed.box.id in noted)
    return tuple(
        tuple(_pieces(line, owner)) for line, owner in zip(drawing.lines, owners, strict=True)
    )


def _claim(
    owners: list[dict[int, tuple[_Part, int]]], placed: PlacedBox, index: int, *, noted: bool
) -> None:
    left, right = placed.x, placed.x + placed.width - 1
    top, bottom = placed.y, placed.y + placed.height - 1
    texts = len(placed.box.lines)
    header = top + texts + 1
    for y in range(top, bottom + 1):
        if y in (top, bottom, header):
            owners[y].update(dict.fromkeys(range(left, right + 1), (_Part.BORDER, index)))
            continue
        owners[y][left] = owners[y][right] = (_Part.BORDER, index)
        if y < header:
            part = _Part.NAME if y == top + 1 else _Part.TEXT
            if noted and y == header - 1 and texts > 1:
                part = _Part.NOTE
            owners[y].update(dict.fromkeys(range(left + 1, right), (part, index)))


def _pieces(line: str, owner: dict[int, tuple[_Part, int]]) -> Sequence[_Piece]:
    pieces: list[_Piece] = []
    text, current = "", (_Part.LINE, -1)
    for x, character in enumerate(characters_in_cells(line)):
        belongs = owner.get(x, (_Part.LINE, -1))
        if belongs != current:
            if text:
                pieces.append(_Piece(text, *current))
            text, current = "", belongs
        text += character
    if text:
        pieces.append(_Piece(text, *current))
    return pieces
