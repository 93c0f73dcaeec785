"""The tabbed panels: one page is seen at a time, and only that one is drawn."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical

from loom_bench.session.value import SessionValue
from loom_bench.tui.footer import tab_line
from loom_bench.tui.panels.spec import PageSpec
from loom_bench.tui.widgets.lines import Lines
from loom_bench.tui.widgets.list_panel import ListPanel


class Pages(Vertical):
    """Shows one of several pages of lists below a line of tabs."""

    def __init__(self, pages: Sequence[PageSpec], *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._pages = pages
        self._tabs = Lines(id="tabs")
        self._meant: Sequence[str] = ()
        self._value: SessionValue | None = None
        self._now_ms = 0
        self._active = pages[0].id
        self._panels = {page.id: tuple(ListPanel(spec) for spec in page.panels) for page in pages}
        self._holders = {
            page.id: Vertical(
                *self._panels[page.id], classes="page two" if len(page.panels) > 1 else "page"
            )
            for page in pages
        }

    def compose(self) -> ComposeResult:
        """Yield the tabs and every page, all but the active one hidden."""
        yield self._tabs
        for page_id, holder in self._holders.items():
            holder.display = page_id == self._active
            yield holder

    @property
    def active(self) -> str:
        """Id of the page that is seen."""
        return self._active

    @property
    def panels(self) -> tuple[ListPanel, ...]:
        """The lists of the page that is seen."""
        return self._panels[self._active]

    @property
    def focused_panel(self) -> ListPanel:
        """The list that has the focus, or the first one."""
        return next((panel for panel in self.panels if panel.table.has_focus), self.panels[0])

    def show(self, value: SessionValue, now_ms: int) -> None:
        """Show *value*."""
        self._value, self._now_ms = value, now_ms
        for panel in self.panels:
            panel.show(value, now_ms)
        self._show_tabs()

    def go_to(self, page_id: str) -> None:
        """Show the page *page_id*."""
        if page_id != self._active:
            self._holders[self._active].display = False
            self._active = page_id
            self._holders[page_id].display = True
        if self._value is not None:
            self.show(self._value, self._now_ms)

    def go_by(self, step: int) -> None:
        """Show the page *step* to the right, round at the ends."""
        ids = [page.id for page in self._pages]
        self.go_to(ids[(ids.index(self._active) + step) % len(ids)])

    def focus_rows(self) -> None:
        """Give the focus to the first list."""
        self.panels[0].table.focus()

    def _show_tabs(self) -> None:
        if self._value is not None:
            width = self._tabs.size.width or 80
            line, self._meant = tab_line(
                self._pages, self._active, self._value, width, focused=self.has_focus_within
            )
            self._tabs.show((line,))

    @on(Lines.Pressed, "#tabs")
    def _pressed(self, event: Lines.Pressed) -> None:
        event.stop()
        self.go_to(self._meant[event.run])
        self.focus_rows()

    def on_descendant_focus(self) -> None:
        """Show on the tab that keys go to the panel."""
        self._show_tabs()

    def on_descendant_blur(self) -> None:
        """Show on the tab that they go elsewhere."""
        self._show_tabs()

    def on_resize(self) -> None:
        """Fit the tabs to the new width."""
        self._show_tabs()
