"""The graph: a picture of the plan, live, with one box selected; pans and folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.geometry import Region, Size
from textual.message import Message

from loom_bench.session.envelopes.value import ProofTally
from loom_bench.session.value import SessionValue
from loom_bench.tui.actions import bindings
from loom_bench.tui.health import Health, health_of
from loom_bench.tui.ink import Ink, Line, Run
from loom_bench.tui.pictures.boxes import BoxPicture
from loom_bench.tui.pictures.look import GraphLook, inside
from loom_bench.tui.pictures.outline import OutlinePicture
from loom_bench.tui.pictures.spots import GraphPicture, Spot, nearest, spot_at
from loom_bench.tui.waiting import waiting_lines
from loom_bench.tui.widgets.moving import OverBoxes
from loom_bench.tui.widgets.painter import EMPTY_ROW, Painter, Row
from loom_bench.tui.widgets.plain_scroll_bar import Scrolled
from loom_runtime.compiler.document_parts import PlanDocument

_PAN_CELLS = 8
_SCREENS_OF_BOXES = 2
"""Boxes are drawn when that takes no more screens to pan over; beyond, an outline tells more."""


class GraphView(OverBoxes, Painter, Scrolled, can_focus=True):
    """Draws the plan of a session's value and selects one of its boxes."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("graph")
    ALLOW_SELECT = False

    class Selected(Message):
        """Another box was selected.

        Attributes:
            box_id: Id of a node, the source or a sink; empty when there is none.
        """

        def __init__(self, box_id: str) -> None:
            super().__init__()
            self.box_id = box_id

    class Opened(Message):
        """The details of a box were asked for.

        Attributes:
            box_id: Its id.
        """

        def __init__(self, box_id: str) -> None:
            super().__init__()
            self.box_id = box_id

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._plan: PlanDocument | None = None
        self._value: SessionValue | None = None
        self._look: GraphLook | None = None
        self._look_from: tuple[object, ...] = ()
        self._proofs: Mapping[str, ProofTally] = {}
        self._picture: GraphPicture | None = None
        self._drawn_for: tuple[object, ...] = ()
        self._folded: frozenset[str] = frozenset()
        self._boxes_wanted: bool | None = None
        self._spot = 0
        self._waiting: Sequence[Line] = ()

    # What it shows

    def show(self, value: SessionValue, proofs: Mapping[str, ProofTally] | None = None) -> None:
        """Show the plan and the figures of *value*, and how failures do in the newest revision."""
        proofs = {} if proofs is None else proofs
        if proofs != self._proofs:
            self._proofs, self._look = proofs, None
        look_from = (value.nodes, value.offsets, value.changed_nodes, value.plan, self._folded)
        changed, self._value = False, value
        if any(new is not old for new, old in zip(look_from, self._look_from, strict=False)):
            self._look = None
        if self._look is None:
            self._look, self._look_from = GraphLook(value, self._folded, proofs), look_from
            changed = True
        if value.plan is not self._plan:
            self._plan = value.plan
            known = {node.id for node in value.plan.nodes} if value.plan is not None else set()
            self._folded &= known
        if value.plan is None:
            self._picture = None
            waiting = waiting_lines(value)
            if waiting != self._waiting:
                self._waiting = waiting
                changed = True
        self._lay_out()
        if changed:
            self.show_changes()

    def _lay_out(self) -> None:
        width, height = self.size.width, self.size.height
        wanted = (id(self._plan), width, height, self._folded, self._boxes_wanted)
        if self._plan is None or not width or wanted == self._drawn_for:
            return
        selected = self.selected
        self._drawn_for = wanted
        self._picture = self._draw(self._plan, width - 1, height)
        self.virtual_size = Size(self._picture.width, self._picture.height)
        if self._value is not None:
            self._look = GraphLook(self._value, self._folded, self._proofs)
        self._select_id(selected)
        self.refresh()

    def _draw(self, plan: PlanDocument, width: int, height: int) -> GraphPicture:
        if self._boxes_wanted is not False:
            boxes = BoxPicture(plan, max_width=width, folded=self._folded)
            if self._boxes_wanted or boxes.height <= _SCREENS_OF_BOXES * height:
                return boxes
        return OutlinePicture(plan, max_width=width, folded=self._folded)

    def change_drawing(self) -> None:
        """Change between boxes and outline."""
        self._boxes_wanted = not isinstance(self._picture, BoxPicture)
        self._lay_out()

    @property
    def all_in_sight(self) -> bool:
        """Whether nothing has to be panned to."""
        return self.max_scroll_x == 0 and self.max_scroll_y == 0 and not self._folded

    # What is selected

    @property
    def spots(self) -> tuple[Spot, ...]:
        """Everything that can be selected."""
        return tuple(self._picture.spots) if self._picture is not None else ()

    @property
    def selected(self) -> str:
        """Id of the selected box; empty when there is none."""
        return self.spots[self._spot].id if self._spot < len(self.spots) else ""

    def select(self, box_id: str) -> bool:
        """Select a box, unfolding what hides it; tell whether there is one."""
        if self._plan is not None and not any(spot.id == box_id for spot in self.spots):
            plan = self._plan
            hiding = {
                folded
                for folded in self._folded
                if any(node.id == box_id for node in inside(plan, folded))
            }
            if not hiding:
                return False
            self._folded -= hiding
            self._lay_out()
        return self._select_id(box_id)

    def _select_id(self, box_id: str) -> bool:
        for index, spot in enumerate(self.spots):
            if spot.id == box_id:
                self._select_spot(index)
                return True
        self._select_spot(min(self._spot, max(0, len(self.spots) - 1)))
        return False

    def _select_spot(self, index: int) -> None:
        self._spot = index
        if not self.spots:
            return
        spot = self.spots[index]
        top = 0 if index == 0 else spot.y
        region = Region(spot.x, top, min(spot.width, self.size.width), spot.y + spot.height - top)
        self.scroll_to_region(region, animate=False, force=True)
        self.show_changes()
        self.post_message(self.Selected(spot.id))

    def next_trouble(self) -> bool:
        """Select the next failing or slow node, the gravest first; tell whether there is one."""
        if self._plan is None or self._look is None:
            return False
        look = self._look
        graded = [(health_of(look.view(node.id)), node.id) for node in self._plan.nodes]
        troubled = [node_id for health, node_id in graded if health >= Health.SLOW]
        if not troubled:
            return False
        if self.selected in troubled:
            following = troubled[troubled.index(self.selected) + 1 :]
        else:
            gravest = max(health for health, _ in graded)
            following = [node_id for health, node_id in graded if health is gravest]
        return self.select((following or troubled)[0])

    # Painting

    def _margin(self, width: int) -> int:
        drawn = self._picture.width if self._picture is not None else 0
        return max(0, (width - drawn) // 2)

    def row(self, y: int, width: int) -> Row:
        """Return what stands in row *y*."""
        if self._picture is None or self._look is None:
            return Row(self._waiting[y]) if y < len(self._waiting) else EMPTY_ROW
        left, row = round(self.scroll_x), round(self.scroll_y) + y
        margin = self._margin(width)
        runs: list[Run] = [(" " * margin, Ink.PLAIN)] if margin else []
        if row < self._picture.height:
            runs.extend(self._picture.line(row, self._look, self._spot, focused=self.has_focus))
        under = None
        if row == self._picture.cursor_row(self._spot):
            under = Ink.CURSOR if self.has_focus else Ink.CURSOR_IDLE
        return Row(runs, under, left, max(width + left, margin + self._picture.width))

    # Moving

    def _go(self, dx: int, dy: int) -> None:
        if self.spots and (found := nearest(self.spots, self._spot, dx, dy)) is not None:
            self._select_spot(found)

    def action_top(self) -> None:
        """Select the source."""
        self._select_spot(0)

    def action_bottom(self) -> None:
        """Select the last box."""
        self._select_spot(max(0, len(self.spots) - 1))

    def action_pan(self, dx: int, dy: int) -> None:
        """Move the view: *dx* steps to the right, *dy* half screens down."""
        self.scroll_relative(x=dx * _PAN_CELLS, y=dy * max(1, self.size.height // 2), animate=False)

    def action_open(self) -> None:
        """Ask for the details of the selected box."""
        if self.selected:
            self.post_message(self.Opened(self.selected))

    def action_fold(self) -> None:
        """Hide what lies inside the selected box, or show it."""
        if self._plan is not None and inside(self._plan, self.selected):
            self._folded ^= {self.selected}
            self._lay_out()

    def action_unfold_all(self) -> None:
        """Show everything."""
        self._folded = frozenset()
        self._lay_out()

    def on_click(self, event: events.Click) -> None:
        """Select the box that was clicked; a double click folds it."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        width = self.scrollable_content_region.width
        x = offset.x + round(self.scroll_x) - self._margin(width)
        found = spot_at(self.spots, x, offset.y + round(self.scroll_y))
        if found is not None:
            self._select_spot(found)
            if event.chain == 2:
                self.action_fold()

    def on_resize(self) -> None:
        """Draw for the new size."""
        self._lay_out()
