"""A screen that offers choices, and a field for what is not among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from loom_bench.tui.dialogs.about import about_lines
from loom_bench.tui.dialogs.list_dialog import ListDialog
from loom_bench.tui.ink import Ink, Line, Run
from loom_bench.tui.widgets.line_table import Column, LineTable, TableForm
from loom_bench.tui.widgets.lines import Lines


@dataclass(frozen=True)
class Choice:
    """Something to choose.

    Attributes:
        answer: What the dialog answers.
        title: Its name.
        told: What it means.
    """

    answer: str
    title: str
    told: str = ""


def _cells(choice: Choice, _: int) -> Sequence[Run]:
    return (choice.title, Ink.STRONG), (choice.told, Ink.DIM)


_FORM = TableForm((Column("", 30), Column("", 0)), _cells, lambda choice: choice.answer)


class ChoiceDialog(ListDialog[str]):
    """Offers choices; answers with one, with what was typed, or with ``None``.

    Args:
        title: What stands in the border.
        told: What it is about.
        choices: The choices.
        other: What the field below is for; ``None`` for no field.
    """

    CSS_PATH = "dialogs.tcss"

    def __init__(
        self, title: str, told: Sequence[Line], choices: Sequence[Choice], other: str | None
    ) -> None:
        super().__init__()
        self._heading = title
        self._told = told
        self._choices = choices
        self._table = LineTable(_FORM)
        self._field = None if other is None else Input(placeholder=other)

    def compose(self) -> ComposeResult:
        """Yield what it is about, the choices and the field."""
        with Vertical(classes="dialog") as box:
            box.border_title = self._heading
            yield about_lines(self._told)
            self._table.styles.height = max(1, min(12, len(self._choices)))
            self._table.show(self._choices, 0)
            self._table.display = bool(self._choices)
            yield self._table
            typing: Line = ()
            if self._field is not None:
                yield self._field
                typing = ("tab", Ink.KEY), (" types another   ", Ink.DIM)
            keys = Lines(classes="dialog-keys")
            chooses: Line = ("enter", Ink.KEY), (" chooses   ", Ink.DIM)
            closes: Line = ("esc", Ink.KEY), (" closes", Ink.DIM)
            keys.show(((*chooses, *typing, *closes),))
            yield keys

    def on_mount(self) -> None:
        """Begin in the choices, or in the field when there are none."""
        (self._table if self._choices or self._field is None else self._field).focus()

    @on(LineTable.Chosen)
    def _chosen(self, event: LineTable.Chosen) -> None:
        self.dismiss(event.item.answer)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        typed = event.value.strip()
        if typed:
            self.dismiss(typed)
