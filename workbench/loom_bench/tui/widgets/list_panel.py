"""One list of a panel: a summary, the rows, and a filter that comes up when it is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual import on
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
from loom_bench.tui.widgets.lines import Lines


class ListPanel(Vertical):
    """Draws a :class:`PanelSpec` from session values."""

    class Opened(Message):
        """A row's details were asked for."""

        def __init__(self, panel: ListPanel, item: Any) -> None:
            super().__init__()
            self.panel = panel
            self.item = item

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
        self._filter: Filter | None = None
        names = " ".join(f"{name}:" for name in spec.names)
        self._input = Input(placeholder=f"words, or {names}", classes="filter")
        self._value: SessionValue | None = None
        self._now_ms = 0
        self._source: Sequence[Any] | None = None
        self._shown: Sequence[Any] = ()

    def compose(self) -> ComposeResult:
        """Yield summary, rows and the hidden filter."""
        yield self._summary
        yield self.table
        self._input.display = False
        yield self._input

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
            self._input.display = True
            self._input.focus()
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

    def leave_filter(self) -> None:
        """Hide the filter's field and go back to the rows; what it says stays in force."""
        self._input.display = False
        self.table.focus()

    def on_key(self, event: Any) -> None:
        """Escape in the filter's field drops the filter."""
        if event.key == "escape" and self._input.has_focus:
            event.stop()
            self._set_filter("")
            self.leave_filter()

    def _set_filter(self, text: str) -> None:
        if not text and self._input.value:
            with self.prevent(Input.Changed):
                self._input.value = ""
        self._filter = parse_filter(text, frozenset(self.spec.names))
        if self._value is not None and self._source is not None:
            self._shown = self._filtered(self._source)
            self.table.show(self._shown, self._now_ms, self.spec.empty(self._value))
        self._show_summary()
