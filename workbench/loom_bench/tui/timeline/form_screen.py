"""A screen over a store with choices above, and what comes of them below."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence

from textual import on

from loom_bench.session.snapshots.replay_value import CURRENT
from loom_bench.session.snapshots.value import EpochView
from loom_bench.tui.dialogs.asking_line import LineDialog
from loom_bench.tui.dialogs.choosing import ChoiceDialog
from loom_bench.tui.ink import Line, plain
from loom_bench.tui.timeline.code_choices import REVISION_HINT, revision_choices, revision_names
from loom_bench.tui.timeline.time_screen import TimeScreen
from loom_bench.tui.widgets.choice_table import ChoiceRow, choice_form
from loom_bench.tui.widgets.line_table import LineTable
from loom_bench.tui.widgets.turned_table import TurnedTable

DO = "do"
"""Key of the row that does it."""


class FormScreen(TimeScreen):
    """Has choices that left and right turn and Enter opens, and one row that begins.

    Attributes:
        form: The choices.
    """

    def __init__(self, keymap: Mapping[str, str]) -> None:
        super().__init__(keymap)
        self.form: TurnedTable[ChoiceRow] = TurnedTable(choice_form(10), id="form")

    # What those who inherit say

    @abstractmethod
    def form_rows(self) -> Iterable[ChoiceRow]:
        """Return the choices as they stand, the row that begins first."""

    @abstractmethod
    def turn(self, key: str, step: int) -> None:
        """Change a choice to its next or last value."""

    @abstractmethod
    def start(self) -> None:
        """Do what was chosen."""

    def enter(self, key: str) -> None:
        """Ask for the value of a choice; turns it where there is nothing to type."""
        self.turn(key, 1)

    # What they have in common

    def show_form(self) -> None:
        """Draw the choices."""
        rows = tuple(self.form_rows())
        self.form.styles.height = len(rows)
        self.form.show(rows, 0)

    def action_turn(self, step: int) -> None:
        """Change the choice under the cursor."""
        row = self.form.selected
        if row is not None and row.key != DO:
            self.turn(row.key, step)
            self.show_form()

    def ask(
        self,
        title: str,
        told: str,
        hint: str,
        begins_with: str,
        take: Callable[[str], None],
        *,
        may_be_empty: bool = False,
    ) -> None:
        """Have a line typed, and give it to *take*."""

        def answered(typed: str | None) -> None:
            if typed is not None:
                take(typed)
                self.show_form()

        lines: Sequence[Line] = (plain(told),)
        dialog = LineDialog(title, lines, hint, begins_with, may_be_empty=may_be_empty)
        self.bench.push_screen(dialog, answered)

    def ask_number(
        self, title: str, told: str, now: int | None, take: Callable[[int], None]
    ) -> None:
        """Have a number typed, and give it to *take*."""

        def taken(typed: str) -> None:
            digits = typed.replace(",", "")
            if digits.isdecimal() and len(digits) < 19:
                take(int(digits))
            else:
                self.bench.tell(f"{typed} is no number.", "warning")

        self.ask(title, told, "NUMBER", "" if now is None else str(now), taken)

    def ask_code(self, title: str, take: Callable[[str], None]) -> None:
        """Have code chosen: what is on disk, a kept revision, a file."""

        def answered(revision: str | None) -> None:
            if revision is not None:
                take(revision)
                self.show_form()

        choices = revision_choices(self.snapshots.revisions, self.now_ms)
        told = (plain("Which code is run"),)
        self.bench.push_screen(ChoiceDialog(title, told, choices, REVISION_HINT), answered)

    def next_code(self, now: str, step: int) -> str:
        """Return the code after *now* in the order of their choice."""
        return turned(revision_names(self.snapshots.revisions), now or CURRENT, step)

    def whole_epochs(self) -> Sequence[EpochView]:
        """Return the epochs that can be chosen, oldest first."""
        timeline = self.snapshots.timeline
        return () if timeline is None else [each for each in timeline.epochs if each.complete]

    @on(LineTable.Chosen)
    def _chosen_row(self, event: LineTable.Chosen) -> None:
        event.stop()
        if not isinstance(event.item, ChoiceRow):
            return
        if event.item.key == DO:
            self.start()
        else:
            self.enter(event.item.key)
            self.show_form()


def turned(options: Sequence[str], now: str, step: int) -> str:
    """Return the option *step* after *now*, round at the ends; *now* itself may be another one."""
    if not options:
        return now
    at = options.index(now) if now in options else -1 if step > 0 else 0
    return options[(at + step) % len(options)]
