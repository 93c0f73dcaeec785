"""The screen that asks what becomes of a fork's state whose steps the code lacks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical

from loom_bench.session.snapshots.value import Compatibility
from loom_bench.tui.dialogs.about import about_lines
from loom_bench.tui.dialogs.list_dialog import ListDialog
from loom_bench.tui.forks.fit_lines import code_text
from loom_bench.tui.ink import Ink, Line
from loom_bench.tui.widgets.choice_table import CHOICE_KEYS, ChoiceRow, choice_form
from loom_bench.tui.widgets.line_table import LineTable
from loom_bench.tui.widgets.lines import Lines
from loom_bench.tui.widgets.turned_table import TurnedTable

_DO: Final = "do"
_MOST_ROWS: Final = 12


@dataclass(frozen=True)
class Mapped:
    """The answer.

    Attributes:
        mapping: New step id by old step id.
        dropped: Step ids whose state is dropped.
    """

    mapping: dict[str, str]
    dropped: tuple[str, ...]


class MappingDialog(ListDialog[Mapped]):
    """Begins with what the check suggests; answers ``None`` when it was closed.

    Args:
        fit: The check.
    """

    CSS_PATH = "../dialogs/dialogs.tcss"

    def __init__(self, fit: Compatibility) -> None:
        super().__init__()
        self._fit = fit
        self._to: dict[str, str | None] = {old: fit.suggested.get(old) for old in fit.gone}
        self._table = TurnedTable(choice_form(28))

    def compose(self) -> ComposeResult:
        """Yield what it is about, and a row for each step."""
        with Vertical(classes="dialog wide-short") as box:
            box.border_title = "map state"
            told: tuple[Line, ...] = (
                (
                    (self._fit.fork, Ink.STRONG),
                    (" for ", Ink.DIM),
                    (code_text(self._fit.revision), Ink.STRONG),
                ),
                (("Only the fork is changed; the store stays as it is.", Ink.DIM),),
                (),
            )
            yield about_lines(told)
            self._table.styles.height = min(_MOST_ROWS, len(self._to) + 1)
            yield self._table
            keys = Lines(classes="dialog-keys")
            keys.show((CHOICE_KEYS,))
            yield keys

    def on_mount(self) -> None:
        """Begin in the rows."""
        self._table.show(tuple(self._rows()), 0)
        self._table.focus()

    def _rows(self) -> Iterator[ChoiceRow]:
        yield ChoiceRow(_DO, "map", "the fork's state so")
        for old, new in self._to.items():
            told = "is dropped" if new is None else f"is the state of {new}"
            yield ChoiceRow(f"step {old}", old, told)

    def action_turn(self, step: int) -> None:
        """Give the selected state to the next new step that none has, or drop it."""
        row = self._table.selected
        old = "" if row is None else row.key.removeprefix("step ")
        if old not in self._to:
            return
        taken = {new for each, new in self._to.items() if each != old}
        options = [None, *(new for new in self._fit.new if new not in taken)]
        at = options.index(self._to[old]) if self._to[old] in options else 0
        self._to[old] = options[(at + step) % len(options)]
        self._table.show(tuple(self._rows()), 0)

    @on(LineTable.Chosen)
    def _chosen(self, event: LineTable.Chosen) -> None:
        if event.item.key != _DO:
            self.action_turn(1)
            return
        mapping = {old: new for old, new in self._to.items() if new is not None}
        self.dismiss(Mapped(mapping, tuple(old for old in self._to if old not in mapping)))
