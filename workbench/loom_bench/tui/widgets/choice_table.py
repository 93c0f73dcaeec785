"""Rows of a table of choices: what is chosen, and the one row that does it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from loom_bench.tui.ink import Ink, Line
from loom_bench.tui.widgets.line_table import Column, TableForm


@dataclass(frozen=True)
class ChoiceRow:
    """A row: one of the choices, or doing it.

    Attributes:
        key: Which choice; ``do`` for doing it.
        word: What is chosen.
        told: How it stands.
    """

    key: str
    word: str
    told: str


def choice_form(word_cells: int) -> TableForm[ChoiceRow]:
    """Return the table's form; *word_cells* is the width of what is chosen."""
    return TableForm(
        (Column("", 1), Column("", word_cells), Column("", 0)),
        lambda row, _: (
            (">" if row.key == "do" else " ", Ink.KEY),
            (row.word, Ink.STRONG if row.key == "do" else Ink.DIM),
            (row.told, Ink.STRONG if row.key == "do" else Ink.PLAIN),
        ),
        lambda row: row.key,
    )


CHOICE_KEYS: Final[Line] = (
    ("left right", Ink.KEY),
    (" change   ", Ink.DIM),
    ("enter", Ink.KEY),
    (" on > does it   ", Ink.DIM),
    ("esc", Ink.KEY),
    (" closes", Ink.DIM),
)
