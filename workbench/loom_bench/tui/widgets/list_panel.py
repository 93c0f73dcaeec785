"""One list of a panel: a summary, the rows, and a filter when it is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input

from loom_bench.session.value import SessionValue
from loom_bench.tui.figures import count_text
from loom_bench.tui.ink import Ink, Line, Run
from loom_bench.tui.panels.filtering import Filter, parse_filter
from loom_bench.tui.panels.spec import PanelSpec
from loom_bench.tui.widgets.line_table import LineTable
from loom_bench.tui.widgets.lines import Lines, ScrolledLines

_PREVIEW_FROM_ROWS = 14
"""Panels lower than this have no room for a preview."""


class ListPanel(Vertical):
    """Draws a :class:`PanelSpec` from session values."""

    class Opened(Message):
        """A row's details were asked for."""

        def __init__(self, panel: ListPanel, item: Any) -> None:
            super().__init__()
            self.panel = panel
            self.item = item

    class Left(Message):
        """Escape was pressed with no filter to drop: the user is done here."""

    class Copied(Message):
        """A row is to be copied, as text."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, spec: PanelSpec[Any]) -> None:
        super().__init__(id=f"panel-{spec.id}")
        self.spec = spec
        self.table: LineTable[Any] = LineTable(spec.form, id=f"table-{spec.id}")
        self._summary = Lines(classes="summary")
        self._preview = ScrolledLines(classes="preview") if spec.preview else None
        self._previewed: Any = None
        if self._preview is not None:
            self._preview.can_focus = False
        self._filter: Filter | None = None
        self._input: Input | None = None
        self._value: SessionValue | None = None
        self._now_ms = 0
        self._source: Sequence[Any] | None = None
        self._shown: Sequence[Any] = ()

    def compose(self) -> ComposeResult:
        """Yield summary, rows and the hidden filter."""
        yield self._summary
        yield self.table
        if self._preview is not None:
            yield self._preview

    def show(self, value: SessionValue, now_ms: int) -> None:
        """Show *value*."""
        self._value, self._now_ms = value, now_ms
        items = self.spec.items(value)
        if self.table.held and self._source:
            items = self._source
        if items is not self._source:
            self._source = items
            self._shown = self._filtered(items)
        self.table.show(self._shown, now_ms, self.spec.empty(value))
        self._show_summary()
        self._show_preview()

    def on_resize(self) -> None:
        """Preview the selected row as soon as there is room for it, not a frame later."""
        self._show_preview()

    def _show_preview(self) -> None:
        if self._preview is None or self._value is None:
            return
        item = self.table.selected
        self._preview.display = item is not None and self.size.height >= _PREVIEW_FROM_ROWS
        if item is not None and self._preview.display and item is not self._previewed:
            self._previewed = item
            self._preview.show(self.spec.detail(item, self._value))

    @on(LineTable.Moved)
    def _moved(self, event: LineTable.Moved) -> None:
        event.stop()
        self._show_preview()
        self._show_summary()

    def _filtered(self, items: Sequence[Any]) -> Sequence[Any]:
        if self._filter is None:
            return items
        matches = self._filter.over(self.spec.fields)
        return [item for item in items if matches(item)]

    def _show_summary(self) -> None:
        if self._value is None:
            return
        line: list[Run] = list(self.spec.summary(self._value))
        if self._filter is not None:
            line.append((f"  filter {self._filter.text}", Ink.ACCENT))
            line.append((f": {count_text(len(self._shown))} match", Ink.DIM))
        if self.table.held:
            line.append(("  HELD", Ink.WARN))
            line.append((" space follows", Ink.DIM))
        lines: Sequence[Line] = (line,)
        self._summary.display = bool(line)
        self._summary.show(lines)

    @on(LineTable.Asked)
    def _asked(self, event: LineTable.Asked) -> None:
        event.stop()
        if event.what == "filter":
            self._enter_filter()
        elif event.what == "clear" and self._filter is None:
            self.post_message(self.Left())
        elif event.what == "clear":
            self._set_filter("")
        elif (item := self.table.selected) is not None:
            cells = self.spec.form.cells(item, self._now_ms)
            self.post_message(self.Copied("  ".join(text for text, _ in cells if text)))

    @on(LineTable.Chosen)
    def _chosen(self, event: LineTable.Chosen) -> None:
        event.stop()
        self.post_message(self.Opened(self, event.item))

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._set_filter(event.value)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.leave_filter()

    def _enter_filter(self) -> None:
        # Made when it is wanted: every widget costs time at every change of the layout.
        if self._input is None:
            names = " ".join(f"{name}:" for name in self.spec.names)
            text = self._filter.text if self._filter is not None else ""
            self._input = Input(text, placeholder=f"words, or {names}", classes="filter")
            self.mount(self._input)
        self._input.focus()

    def leave_filter(self) -> None:
        """Take the filter's field away; what it says stays in force."""
        if self._input is not None:
            self._input.remove()
            self._input = None
        self.table.focus()

    def on_key(self, event: events.Key) -> None:
        """Escape in the filter's field drops the filter."""
        if event.key == "escape" and self._input is not None and self._input.has_focus:
            event.stop()
            self._set_filter("")
            self.leave_filter()

    def _set_filter(self, text: str) -> None:
        self._filter = parse_filter(text, frozenset(self.spec.names))
        if self._value is not None and self._source is not None:
            self._shown = self._filtered(self._source)
            self.table.show(self._shown, self._now_ms, self.spec.empty(self._value))
        self._show_summary()
