"""The screen of the inbox: groups above, the envelopes of the chosen one below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input

from loom_bench.safe import safe
from loom_bench.session.envelopes.terms import InboxFilter
from loom_bench.session.envelopes.value import EnvelopeRow, EnvelopeWindow, InboxGroup, InboxValue
from loom_bench.session.value import SessionValue
from loom_bench.tui.actions import bindings
from loom_bench.tui.inbox.deciding import InboxActions
from loom_bench.tui.inbox.searching import HINT, parse_search, search_text
from loom_bench.tui.inbox.summary import empty_lines, group_lines, summary_lines
from loom_bench.tui.inbox.tables import GROUPS, ROWS
from loom_bench.tui.stepping.envelope_screen import EnvelopeScreen
from loom_bench.tui.widgets.line_table import LineTable
from loom_bench.tui.widgets.lines import Lines, ScrolledLines
from loom_bench.tui.widgets.list_panel import ListPanel
from loom_bench.tui.widgets.windowed_table import WindowedRows, WindowedTable

_NARROW_BELOW_CELLS = 130

_LOOK_EVERY_S = 0.01
_LOOKS = 200
"""For two seconds an answer is drawn when it comes; then with the next frame."""


class InboxScreen(InboxActions):
    """Shows the inbox, and hands on what is decided there."""

    PLACE = "inbox"
    CSS_PATH = "inbox.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings("inbox")

    def __init__(self, keymap: Mapping[str, str]) -> None:
        super().__init__(keymap)
        self._summary = Lines(classes="summary")
        self.groups: LineTable[InboxGroup] = LineTable(GROUPS, id="groups")
        self._preview = ScrolledLines(id="preview")
        self._preview.can_focus = False
        self.rows: WindowedTable[EnvelopeRow] = WindowedTable(ROWS, id="rows")
        self._window: EnvelopeWindow | None = None
        self._asked: tuple[str | None, int, int] | None = None
        self._field: Input | None = None
        self._shown = InboxValue()
        self._wanted_filter = InboxFilter()
        self._looking: Timer | None = None

    def compose_body(self) -> ComposeResult:
        """Yield totals, groups, envelopes, what a group has in common."""
        yield self._summary
        yield self.groups
        with Horizontal(id="lower"):
            yield self.rows
            yield self._preview

    def on_mount(self) -> None:
        """Begin in the groups."""
        super().on_mount()
        self.groups.border_title = "groups"
        self.rows.border_title = "envelopes, the newest first"

    def parts(self) -> Sequence[Widget]:
        """Return the two tables."""
        return (self.groups, self.rows)

    # Drawing

    def show_body(self, value: SessionValue, now_ms: int) -> None:
        """Draw the newest value of the inbox."""
        del value  # the inbox has a value of its own
        inbox = self._shown = self.inbox.value()
        now_ms = inbox.at_ms or now_ms
        self._summary.show(summary_lines(inbox, self.size.width or 80))
        self.groups.show(inbox.groups, now_ms, empty_lines(inbox))
        self._show_group()
        self._show_rows(inbox, now_ms)

    def _show_group(self) -> None:
        self._preview.show(tuple(group_lines(self.groups.selected)))

    def _show_rows(self, inbox: InboxValue, now_ms: int) -> None:
        chosen = self.fingerprint
        window = inbox.window
        if self.rows.held:
            return
        if window is not self._window:
            self._window = window
            same = window.fingerprint == chosen and chosen is not None
            rows = WindowedRows(window.first, window.rows, window.total) if same else ()
            self.rows.show(rows, now_ms)
        else:
            self.rows.show(self.rows.items, now_ms)
        self._fetch()

    def _fetch(self) -> None:
        """Ask for the rows that are in sight and not at hand."""
        fingerprint = self.fingerprint
        if fingerprint is None:
            return
        shown = self._window is not None and self._window.fingerprint == fingerprint
        wanted = self.rows.wanted() if shown else (0, 3 * max(1, self.rows.size.height))
        if wanted is not None and (fingerprint, *wanted) != self._asked:
            self._asked = (fingerprint, *wanted)
            self.inbox.show_rows(fingerprint, *wanted)
            self._look_for_answer()

    @property
    def fingerprint(self) -> str | None:
        """The chosen group."""
        group = self.groups.selected
        return None if group is None else group.fingerprint

    def on_resize(self, event: events.Resize) -> None:
        """Show the preview where there is room."""
        self.set_class(event.size.width < _NARROW_BELOW_CELLS, "narrow")
        super().on_resize(event)

    @on(LineTable.Moved)
    def _moved(self, event: LineTable.Moved) -> None:
        event.stop()
        self.inbox.give_way()
        # What moved is drawn, and nothing else: the next frame is soon enough for news.
        self._show_group()
        self._show_rows(self._shown, self._shown.at_ms or self.now_ms)

    # Going to an envelope

    @on(LineTable.Chosen)
    def _chosen(self, event: LineTable.Chosen) -> None:
        event.stop()
        if isinstance(event.item, InboxGroup):
            self.rows.focus()
        elif event.item is not None:
            screen = self.bench.get_screen("envelope")
            if isinstance(screen, EnvelopeScreen):
                screen.step_from(event.item, self.rows.cursor)
                self.bench.show_screen("envelope")

    # The filter

    @on(LineTable.Asked)
    def _table_asked(self, event: LineTable.Asked) -> None:
        event.stop()
        if event.what == "filter":
            self._enter_filter()
        elif event.what == "clear":
            self._clear()
        elif isinstance(row := self.rows.selected, EnvelopeRow):
            text = f"{row.id} {row.exception_type} {row.reason}"
            self.post_message(ListPanel.Copied(text))

    def _enter_filter(self) -> None:
        if self._field is None:
            text = safe(search_text(self.inbox.value().filter))
            self._field = Input(text, placeholder=HINT, classes="filter")
            self.mount(self._field, after=self._summary)
        self._field.focus()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self.inbox.give_way()
        self._search(parse_search(event.value))

    def _search(self, wanted: InboxFilter) -> None:
        self._wanted_filter = wanted
        self.inbox.set_filter(wanted)
        self._look_for_answer()

    def _look_for_answer(self) -> None:
        """Draw as soon as the inbox has answered: the frames of a flood may be far apart."""
        if self._looking is not None:
            self._looking.stop()
        self._looking = self.set_interval(_LOOK_EVERY_S, self._look, repeat=_LOOKS)

    def _look(self) -> None:
        inbox = self.inbox.value()
        window = inbox.window.fingerprint
        if inbox.filter != self._wanted_filter or window not in (None, self.fingerprint):
            return
        if self._looking is not None:
            self._looking.stop()
            self._looking = None
        if self.newest is not None:
            self.show_body(self.newest, self.now_ms)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._leave_filter()

    def _leave_filter(self) -> None:
        if self._field is not None:
            self._field.remove()
            self._field = None
        self.groups.focus()

    def on_key(self, event: events.Key) -> None:
        """Escape in the filter's field drops the filter."""
        if event.key == "escape" and self._field is not None and self._field.has_focus:
            event.stop()
            self._search(InboxFilter())
            self._leave_filter()

    def _clear(self) -> None:
        """Drop the filter, or leave."""
        if self.inbox.value().filter != InboxFilter():
            self._search(InboxFilter())
        else:
            self.post_message(self.Left())
