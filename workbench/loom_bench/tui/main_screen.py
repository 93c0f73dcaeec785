"""The main screen: status, graph, details of the selected box, panels, keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.screen import Screen
from textual.widget import Widget

from loom_bench.session.value import SessionValue
from loom_bench.tui.actions import Action, bindings
from loom_bench.tui.details import detail_lines, place_of
from loom_bench.tui.footer import footer_actions, footer_line
from loom_bench.tui.graph_news import graph_news
from loom_bench.tui.panels.pages import PAGES
from loom_bench.tui.panels.spec import Place
from loom_bench.tui.status import status_lines
from loom_bench.tui.widgets.graph_view import GraphView
from loom_bench.tui.widgets.lines import Lines, ScrolledLines
from loom_bench.tui.widgets.pages import Pages

_NARROW_BELOW_CELLS = 100
_LOW_BELOW_ROWS = 40
_ZOOMS = ("zoom-graph", "zoom-panels")


class MainScreen(Screen[None]):
    """Draws session values; what the user wants goes up as messages."""

    CSS_PATH = "main_screen.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings("screen")

    class Wanted(Message):
        """An action was clicked in the line of keys."""

        def __init__(self, action_id: str) -> None:
            super().__init__()
            self.action_id = action_id

    def __init__(self, keymap: Mapping[str, str]) -> None:
        super().__init__()
        self._user_keys = keymap
        self._status = Lines(id="status")
        self.graph = GraphView(id="graph")
        self._news = Lines(id="news")
        self._details = ScrolledLines(id="details")
        self.pages = Pages(PAGES, id="panels")
        self._keys = Lines(id="keys")
        self._meant: Sequence[Action | None] = ()
        self._value: SessionValue | None = None
        self._now_ms = 0

    def compose(self) -> ComposeResult:
        """Yield the parts."""
        yield self._status
        with Horizontal(id="body"):
            with Vertical(id="left"):
                yield self.graph
                yield self._news
            with Vertical(id="right"):
                yield self._details
                yield self.pages
        yield self._keys

    def on_mount(self) -> None:
        """Begin in the graph."""
        self.graph.border_title = "graph"
        self._details.border_title = "selected"
        self.graph.focus()

    def show(self, value: SessionValue, now_ms: int) -> None:
        """Draw *value*: only what changed and is seen."""
        self._value, self._now_ms = value, now_ms
        self._status.show(status_lines(value))
        self.graph.show(value)
        news = graph_news(value, all_in_sight=self.graph.all_in_sight)
        self._news.display = bool(news)
        self._news.show((news,))
        self.pages.show(value, now_ms)
        self._show_details()
        self._show_keys()

    def _show_details(self) -> None:
        if self._value is not None and self._details.display:
            self._details.show(detail_lines(self._value, self.graph.selected))

    def _show_keys(self) -> None:
        if self._value is None:
            return
        where = "graph" if self.graph.has_focus else "list"
        actions = footer_actions(where, self._value)
        width = self.size.width or 80
        line, self._meant = footer_line(actions, self._user_keys, self._value, width)
        self._keys.show((line,))

    def zoom(self) -> None:
        """Give the focused part the whole screen, or give it back."""
        if self._zoomed:
            self.remove_class(*_ZOOMS)
        else:
            self.add_class("zoom-panels" if self._in_panels else "zoom-graph")

    @property
    def _zoomed(self) -> bool:
        return any(self.has_class(name) for name in _ZOOMS)

    @property
    def _in_panels(self) -> bool:
        return any(panel.has_focus_within for panel in self.pages.panels)

    def focus_part(self, step: int) -> None:
        """Move the focus to the next part, or to the one before; a zoom moves along."""
        parts: list[Widget] = [self.graph]
        if self._details.display and not self._zoomed:
            parts.append(self._details)
        parts.extend(panel.table for panel in self.pages.panels)
        at = next((index for index, part in enumerate(parts) if part.has_focus), 0)
        part = parts[(at + step) % len(parts)]
        if self._zoomed:
            self.remove_class(*_ZOOMS)
            self.add_class("zoom-graph" if part is self.graph else "zoom-panels")
        part.focus()

    def selected_place(self) -> Place | None:
        """Return file and line of what is selected where the focus is."""
        if not self._in_panels:
            plan = self._value.plan if self._value is not None else None
            return place_of(plan, self.graph.selected)
        panel = self.pages.focused_panel
        item = panel.table.selected
        return None if item is None else panel.spec.place(item)

    def on_resize(self, event: events.Resize) -> None:
        """Put graph and panels side by side where there is room."""
        self.set_class(event.size.width < _NARROW_BELOW_CELLS, "narrow")
        self.set_class(event.size.height < _LOW_BELOW_ROWS, "low")
        self._show_keys()

    def on_descendant_focus(self) -> None:
        """Name the keys of what has the focus."""
        self._show_keys()

    @on(GraphView.Selected)
    def _selected(self) -> None:
        self._show_details()

    @on(Lines.Pressed, "#keys")
    def _pressed(self, event: Lines.Pressed) -> None:
        event.stop()
        action = self._meant[event.run]
        if action is not None:
            self.post_message(self.Wanted(action.id))
