"""The graph: a plan drawn with boxes and lines, live, with one box selected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from loom_bench.graph.patch import PlacedBox
from loom_bench.session.value import NodeView, SessionValue
from loom_bench.tui.actions import bindings
from loom_bench.tui.graph_rows import GraphRows, Part, Piece, graph_rows, inside, note_of
from loom_bench.tui.health import INKS, MARKS, Health, health_of, worst
from loom_bench.tui.ink import INK_CLASSES, Ink, Run, fitted, paint, plain
from loom_bench.tui.ink import Line as InkLine
from loom_runtime.compiler.document_parts import PlanDocument

_PAN_CELLS = 8


class GraphView(ScrollView, can_focus=True):
    """Draws the plan of a session's value and selects one of its boxes."""

    COMPONENT_CLASSES: ClassVar[set[str]] = INK_CLASSES
    BINDINGS: ClassVar = bindings("graph")
    ALLOW_SELECT = False

    class Selected(Message):
        """Another box was selected.

        Attributes:
            box_id: Id of a node, the source or a sink; empty when there is none.
        """

        def __init__(self, box_id: str) -> None:
            super().__init__()
            self.box_id = box_id

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._plan: PlanDocument | None = None
        self._views: Mapping[str, NodeView] = {}
        self._changed: frozenset[str] = frozenset()
        self._rows: GraphRows | None = None
        self._drawn_for: tuple[object, ...] = ()
        self._folded: frozenset[str] = frozenset()
        self._healths: dict[str, Health] = {}
        self._index = 0
        self._empty: InkLine = plain("The flow is being loaded.")

    # What it shows

    def show(self, value: SessionValue) -> None:
        """Show the plan and the counters of *value*."""
        if value.plan is not self._plan:
            self._take_plan(value.plan)
        if value.nodes is not self._views or set(value.changed_nodes) != self._changed:
            self._views = value.nodes
            self._changed = frozenset(value.changed_nodes)
            self._healths.clear()
            self.refresh()
        self._lay_out()

    def _take_plan(self, plan: PlanDocument | None) -> None:
        selected = self.selected
        self._plan = plan
        self._healths.clear()
        ids = {node.id for node in plan.nodes} if plan is not None else set()
        self._folded &= ids
        self._lay_out()
        self._select_id(selected)

    def _lay_out(self) -> None:
        width = self.content_size.width
        wanted = (id(self._plan), width, self._folded)
        if self._plan is None or not width or wanted == self._drawn_for:
            return
        selected = self.selected
        self._drawn_for = wanted
        self._rows = graph_rows(self._plan, max_width=width - 2, folded=self._folded)
        self.virtual_size = Size(self._rows.drawing.width, len(self._rows.rows))
        self._select_id(selected)
        self.refresh()

    @property
    def boxes(self) -> tuple[PlacedBox, ...]:
        """Every box that is drawn."""
        return self._rows.boxes if self._rows is not None else ()

    @property
    def selected(self) -> str:
        """Id of the selected box; empty when there is none."""
        return self.boxes[self._index].box.id if self._index < len(self.boxes) else ""

    def select(self, box_id: str) -> bool:
        """Select the box of a node, unfolding what hides it; tell whether there is one."""
        if self._plan is not None and not any(each.box.id == box_id for each in self.boxes):
            hiding = {
                folded
                for folded in self._folded
                if any(node.id == box_id for node in inside(self._plan, folded))
            }
            if not hiding:
                return False
            self._folded -= hiding
            self._lay_out()
        return self._select_id(box_id)

    def _select_id(self, box_id: str) -> bool:
        for index, placed in enumerate(self.boxes):
            if placed.box.id == box_id:
                self._select_index(index)
                return True
        self._select_index(min(self._index, max(0, len(self.boxes) - 1)))
        return False

    def _select_index(self, index: int) -> None:
        self._index = index
        if not self.boxes:
            return
        placed = self.boxes[index]
        height = min(placed.height, len(placed.box.lines) + 2)
        self.scroll_to_region(
            Region(placed.x, placed.y, placed.width, height), animate=False, force=True
        )
        self.refresh()
        self.post_message(self.Selected(placed.box.id))

    def health(self, box_id: str) -> Health:
        """Return how a node fares; of a folded one, the worst of what lies inside."""
        found = self._healths.get(box_id)
        if found is None:
            views = [self._views.get(box_id)]
            if box_id in self._folded and self._plan is not None:
                views.extend(self._views.get(node.id) for node in inside(self._plan, box_id))
            found = self._healths[box_id] = worst(views)
        return found

    def next_trouble(self) -> bool:
        """Select the next failing node, or the next slow one; tell whether there is one."""
        if self._plan is None:
            return False
        graded = [(health_of(self._views.get(node.id)), node.id) for node in self._plan.nodes]
        gravest = max((health for health, _ in graded), default=Health.IDLE)
        if gravest < Health.SLOW:
            return False
        troubled = [node_id for health, node_id in graded if health >= Health.SLOW]
        try:
            following = troubled[troubled.index(self.selected) + 1 :]
        except ValueError:
            following = [node_id for health, node_id in graded if health is gravest]
        return self.select((following or troubled)[0])

    # Painting

    def render_line(self, y: int) -> Strip:
        """Return the strip of one row of the screen."""
        region = self.scrollable_content_region
        if self._rows is None:
            return paint(self, self._empty if y == 1 else (), region.width)
        left, top = round(self.scroll_x), round(self.scroll_y)
        index = top + y
        pieces = self._rows.rows[index] if index < len(self._rows.rows) else ()
        margin = max(0, (region.width - self._rows.drawing.width) // 2)
        line: list[Run] = [(" " * margin, Ink.PLAIN)] if margin else []
        for piece in pieces:
            line.extend(self._runs(piece))
        strip = paint(self, line, max(region.width + left, 1))
        return strip.crop(left, left + region.width)

    def _runs(self, piece: Piece) -> InkLine:
        if piece.part is Part.LINE or self._rows is None:
            return ((piece.text, Ink.DIM),)
        placed = self.boxes[piece.box]
        health = self.health(placed.box.id)
        chosen = piece.box == self._index
        if piece.part is Part.BORDER:
            ink = INKS[health] if health >= Health.SLOW else Ink.DIM
            return ((piece.text, Ink.CURSOR_BORDER if chosen else ink),)
        if piece.part is Part.NAME:
            return self._name_runs(piece, placed.box.id, health, chosen=chosen)
        if piece.part is Part.NOTE:
            return self._note(piece, placed.box.id)
        return ((piece.text, Ink.DIM),)

    def _name_runs(self, piece: Piece, box_id: str, health: Health, *, chosen: bool) -> InkLine:
        mark = MARKS[health]
        if box_id in self._changed:
            mark = "*" if mark == " " else mark
        ink = INKS[health] if health >= Health.SLOW else Ink.STRONG
        if chosen:
            ink = Ink.CURSOR if self.has_focus else Ink.CURSOR_IDLE
        text = mark + piece.text[1:]
        return ((text, ink),)

    def _note(self, piece: Piece, box_id: str) -> InkLine:
        width = len(piece.text)
        line: list[Run] = [(" ", Ink.PLAIN)]
        left = width - 2
        for text, ink in note_of(self._views.get(box_id)):
            shown = text[:left]
            line.append((shown, ink))
            left -= len(shown)
        line.append((fitted("", left + 1), Ink.PLAIN))
        return line

    # Moving

    def _nearest(self, dx: int, dy: int) -> int | None:
        here = self.boxes[self._index]
        x, y = here.x + here.width // 2, here.y + 1
        best: tuple[float, int] | None = None
        for index, placed in enumerate(self.boxes):
            away_x, away_y = placed.x + placed.width // 2 - x, placed.y + 1 - y
            ahead, aside = (away_y * dy, abs(away_x)) if dy else (away_x * dx, abs(away_y))
            if ahead <= 0 or (dx and aside > ahead):
                continue
            # A row is about as high as two cells are wide; what lies straight ahead comes first.
            distance = ahead + (aside / 4 if dy else aside * 4)
            if best is None or distance < best[0]:
                best = distance, index
        return best[1] if best is not None else None

    def _go(self, dx: int, dy: int) -> None:
        if self.boxes:
            found = self._nearest(dx, dy)
            if found is not None:
                self._select_index(found)

    def change_drawing(self) -> None:
        """Change between boxes and outline."""

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

    def action_top(self) -> None:
        """Select the source."""
        self._select_index(0)

    def action_bottom(self) -> None:
        """Select the last box."""
        self._select_index(max(0, len(self.boxes) - 1))

    def action_pan_left(self) -> None:
        """Move the view to the left."""
        self.scroll_relative(x=-_PAN_CELLS, animate=False)

    def action_pan_right(self) -> None:
        """Move the view to the right."""
        self.scroll_relative(x=_PAN_CELLS, animate=False)

    def action_page_down(self) -> None:
        """Move the view down."""
        self.scroll_relative(y=self.size.height // 2, animate=False)

    def action_page_up(self) -> None:
        """Move the view up."""
        self.scroll_relative(y=-(self.size.height // 2), animate=False)

    def action_fold(self) -> None:
        """Hide what lies inside the selected box, or show it."""
        selected = self.selected
        if self._plan is None or not inside(self._plan, selected):
            return
        self._folded ^= {selected}
        self._healths.clear()
        self._lay_out()

    def action_unfold_all(self) -> None:
        """Show everything."""
        self._folded = frozenset()
        self._healths.clear()
        self._lay_out()

    def on_click(self, event: events.Click) -> None:
        """Select the box that was clicked; a double click folds it."""
        if self._rows is None:
            return
        margin = max(0, (self.scrollable_content_region.width - self._rows.drawing.width) // 2)
        x = event.x - self.gutter.left + round(self.scroll_x) - margin
        y = event.y - self.gutter.top + round(self.scroll_y)
        placed = self._rows.drawing.box_at(x, y)
        if placed is None:
            return
        self._select_index(self.boxes.index(placed))
        if event.chain == 2:
            self.action_fold()

    def on_resize(self) -> None:
        """Draw for the new width."""
        self._lay_out()
