"""The state at the chosen epoch: which step, its keys, and one value beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input

from loom_bench.safe import safe
from loom_bench.session.snapshots.value import (
    EpochView,
    SnapshotsValue,
    StateQuery,
    StateRow,
    StepView,
)
from loom_bench.tui.figures import count_text, moment_text
from loom_bench.tui.ink import Ink, Line, Run
from loom_bench.tui.timeline.state_pages import StatePages
from loom_bench.tui.timeline.state_table import STATE, no_state_lines, row_lines
from loom_bench.tui.widgets.line_table import LineTable
from loom_bench.tui.widgets.lines import Lines, ScrolledLines

_SEARCH_HINT: Final = "part of a key, or its beginning: abc*"


class StatePane(Vertical):
    """Asks for the state at an epoch page by page, and shows it.

    Attributes:
        table: The keys.
        changed_only: Whether only keys that the epoch wrote are wanted.
        step_id: The step that is wanted; ``None`` for the first one.
    """

    class Wanted(Message):
        """A page of state is wanted.

        Attributes:
            query: Which.
        """

        def __init__(self, query: StateQuery) -> None:
            super().__init__()
            self.query = query

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._summary = Lines(classes="summary")
        self.table: LineTable[StateRow] = LineTable(STATE, id="state-rows")
        self._preview = ScrolledLines(classes="preview")
        self._preview.can_focus = False
        self.changed_only = False
        self.step_id: str | None = None
        self._search = ""
        self._field: Input | None = None
        self._pages = StatePages()
        self._previewed: StateRow | None = None

    def compose(self) -> ComposeResult:
        """Yield which state it is, its keys, one value."""
        yield self._summary
        with Horizontal(classes="beside"):
            yield self.table
            yield self._preview

    # Drawing

    def show(self, snapshots: SnapshotsValue, epoch: EpochView | None, now_ms: int) -> None:
        """Show the state at *epoch*; ask for what lacks."""
        steps = snapshots.timeline.steps if snapshots.timeline is not None else ()
        if self.step_id is not None and self.step_id not in {each.step_id for each in steps}:
            self.step_id = None
        pages = self._pages
        if epoch is not None and epoch.complete and steps:
            pages.want(self._view(epoch), self._rows_wanted())
            pages.take(snapshots.page)
            query = pages.next_query(now_ms)
            if query is not None:
                self.post_message(self.Wanted(query))
        rows = pages.rows if epoch is not None and epoch.complete and steps else ()
        self._summary.show((self._told(steps, epoch, now_ms),))
        self.table.show(rows, now_ms, tuple(self._instead(steps, epoch)))
        self._show_preview()

    def _view(self, epoch: EpochView) -> StateQuery:
        return StateQuery(
            epoch=epoch.number,
            step_id=self.step_id,
            search=self._search,
            changed_only=self.changed_only,
            limit=0,
        )

    def _rows_wanted(self) -> int:
        page = max(1, self.table.size.height)
        return round(self.table.scroll_y) + 3 * page

    def _told(self, steps: Sequence[StepView], epoch: EpochView | None, now_ms: int) -> Line:
        if epoch is None:
            return ()
        at = "" if epoch.at_ms is None else f" {moment_text(epoch.at_ms, now_ms)}"
        runs: list[Run] = [(" state", Ink.STRONG), (f" at epoch {epoch.number}{at}  ", Ink.DIM)]
        for index, step in enumerate(steps):
            on = step.step_id == self.step_id or (self.step_id is None and index == 0)
            runs += [(step.step_id, Ink.CURSOR_IDLE if on else Ink.DIM), ("  ", Ink.PLAIN)]
        if len(steps) > 1:
            runs.append(("s ", Ink.KEY))
        pages = self._pages
        if pages.fresh and epoch.complete and steps:
            more = " and more" if pages.more else ""
            runs.append((f"{count_text(len(pages.rows))} keys{more}", Ink.PLAIN))
        elif epoch.complete and steps:
            runs.append(("being read", Ink.WARN))
        if self.changed_only:
            runs.append(("  changed here", Ink.ACCENT))
        if self._search:
            runs.append((f"  search {self._search}", Ink.ACCENT))
        if pages.cut:
            runs.append(("  / finds the others", Ink.WARN))
        return runs

    def _instead(self, steps: Sequence[StepView], epoch: EpochView | None) -> Iterator[Line]:
        if epoch is None:
            return
        if not epoch.complete:
            yield ((f" Epoch {epoch.number} is not whole: {epoch.why_not}", Ink.WARN),)
            yield ((" Only an epoch that every partition has can be looked into.", Ink.DIM),)
        elif steps and not self._pages.fresh:
            yield ((" being read", Ink.DIM),)
        else:
            yield from no_state_lines(
                steps=bool(steps), search=self._search, changed_only=self.changed_only
            )

    def _show_preview(self) -> None:
        row = self.table.selected
        if row is not self._previewed:
            self._previewed = row
            self._preview.show(tuple(row_lines(row)))

    @on(LineTable.Moved)
    def _moved(self) -> None:
        self._show_preview()

    # Which state

    def turn_step(self, steps: Sequence[StepView], by: int) -> None:
        """Want the state of another step."""
        ids = [step.step_id for step in steps]
        if ids:
            at = ids.index(self.step_id) if self.step_id in ids else 0
            self.step_id = ids[(at + by) % len(ids)]

    @property
    def searching(self) -> bool:
        """Whether only some keys are wanted."""
        return bool(self._search)

    def enter_search(self) -> None:
        """Have a search typed."""
        if self._field is None:
            self._field = Input(safe(self._search), placeholder=_SEARCH_HINT, classes="filter")
            self.mount(self._field, after=self._summary)
        self._field.focus()

    def drop_search(self) -> None:
        """Want all keys again."""
        self._search = ""
        self._leave_search()

    def _leave_search(self) -> None:
        if self._field is not None:
            self._field.remove()
            self._field = None
            self.table.focus()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._search = event.value

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._leave_search()

    def on_key(self, event: events.Key) -> None:
        """Escape in the field drops the search."""
        if event.key == "escape" and self._field is not None and self._field.has_focus:
            event.stop()
            self.drop_search()
