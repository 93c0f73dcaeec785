"""The main screen: graph, details of the selected box, panels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from loom_bench.session.value import SessionValue
from loom_bench.tui.details import detail_lines, place_of
from loom_bench.tui.footer import MAIN
from loom_bench.tui.full_screen import FullScreen
from loom_bench.tui.graph_news import graph_news
from loom_bench.tui.panels.pages import PAGES
from loom_bench.tui.panels.spec import Place
from loom_bench.tui.widgets.graph_view import GraphView
from loom_bench.tui.widgets.lines import Lines, ScrolledLines
from loom_bench.tui.widgets.pages import Pages

_NARROW_BELOW_CELLS = 100
_LOW_BELOW_ROWS = 40
_ZOOMS = ("zoom-graph", "zoom-panels")


class MainScreen(FullScreen):
    """Shows a flow at work."""

    PLACE = MAIN
    CSS_PATH = "main_screen.tcss"

    def __init__(self, keymap: Mapping[str, str]) -> None:
        super().__init__(keymap)
        self.graph = GraphView(id="graph")
        self._news = Lines(id="news")
        self._details = ScrolledLines(id="details")
        self.pages = Pages(PAGES, id="panels")

    def compose_body(self) -> ComposeResult:
        """Yield graph, details and panels."""
        with Horizontal(id="body"):
            with Vertical(id="left"):
                yield self.graph
                yield self._news
            with Vertical(id="right"):
                yield self._details
                yield self.pages

    def on_mount(self) -> None:
        """Name the parts."""
        self.graph.border_title = "graph"
        self._details.border_title = "selected"

    def show_body(self, value: SessionValue, now_ms: int) -> None:
        """Draw *value*."""
        self.graph.show(value, self.bench.session.envelopes.value().node_proofs)
        news = graph_news(value, all_in_sight=self.graph.all_in_sight)
        self._news.display = bool(news)
        self._news.show((news,))
        self.pages.show(value, now_ms)
        self._show_details()

    def _show_details(self) -> None:
        if self.newest is not None and self._details.display:
            self._details.show(detail_lines(self.newest, self.graph.selected))

    def key_places(self) -> Sequence[str]:
        """Return whose keys are named below."""
        return (MAIN, "graph" if self.graph.has_focus else "list")

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

    def parts(self) -> Sequence[Widget]:
        """Return graph, details and lists."""
        tables = [panel.table for panel in self.pages.panels]
        shows_details = self._details.display and not self._zoomed
        return [self.graph, *([self._details] if shows_details else []), *tables]

    def go_to_part(self, part: Widget) -> None:
        """Give the focus to *part*; a zoom moves along."""
        if self._zoomed:
            self.remove_class(*_ZOOMS)
            self.add_class("zoom-graph" if part is self.graph else "zoom-panels")
        super().go_to_part(part)

    def selected_place(self) -> Place | None:
        """Return file and line of what is selected where the focus is."""
        if not self._in_panels:
            plan = self.newest.plan if self.newest is not None else None
            return place_of(plan, self.graph.selected)
        panel = self.pages.focused_panel
        item = panel.table.selected
        return None if item is None else panel.spec.place(item)

    def on_resize(self, event: events.Resize) -> None:
        """Put graph and panels side by side where there is room."""
        self.set_class(event.size.width < _NARROW_BELOW_CELLS, "narrow")
        self.set_class(event.size.height < _LOW_BELOW_ROWS, "low")

    @on(GraphView.Selected)
    def _selected(self) -> None:
        self._show_details()
