"""The main screen: status, graph, details of the selected box, panels, keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.screen import Screen

from loom_bench.session.value import SessionValue
from loom_bench.tui.actions import Action
from loom_bench.tui.details import detail_lines
from loom_bench.tui.footer import footer_actions, footer_line
from loom_bench.tui.panels.pages import PAGES
from loom_bench.tui.status import status_lines
from loom_bench.tui.widgets.graph_view import GraphView
from loom_bench.tui.widgets.lines import Lines, ScrolledLines
from loom_bench.tui.widgets.pages import Pages

_NARROW_BELOW_CELLS = 100


class MainScreen(Screen[None]):
    """Draws session values; what the user wants goes up as messages."""

    CSS_PATH = "main_screen.tcss"

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
        name = "zoom-graph" if self.graph.has_focus else "zoom-panels"
        zoomed = self.has_class("zoom-graph", "zoom-panels") or any(
            self.has_class(each) for each in ("zoom-graph", "zoom-panels")
        )
        self.remove_class("zoom-graph", "zoom-panels")
        if not zoomed:
            self.add_class(name)

    def focus_part(self) -> None:
        """Move the focus from the graph to the panels, or back."""
        if self.graph.has_focus and self.pages.display:
            if self.has_class("zoom-graph"):
                self.set_class(False, "zoom-graph").add_class("zoom-panels")
            self.pages.focus_rows()
        else:
            if self.has_class("zoom-panels"):
                self.set_class(False, "zoom-panels").add_class("zoom-graph")
            self.graph.focus()

    def on_resize(self, event: events.Resize) -> None:
        """Put graph and panels side by side where there is room."""
        self.set_class(event.size.width < _NARROW_BELOW_CELLS, "narrow")
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
