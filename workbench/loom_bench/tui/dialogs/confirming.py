"""A screen that goes on only when a word is typed: for what cannot be undone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from loom_bench.tui.dialogs.about import about_lines
from loom_bench.tui.ink import Ink, Line
from loom_bench.tui.widgets.lines import Lines


class TypedConfirmation(ModalScreen[bool]):
    """Answers whether *word* was typed.

    Args:
        title: What stands in the border.
        told: What would happen.
        word: What has to be typed.
    """

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [("escape", "close", "Close")]

    def __init__(self, title: str, told: Sequence[Line], word: str) -> None:
        super().__init__()
        self._heading = title
        self._told = told
        self._word = word
        self._field = Input()
        self._hint = Lines(classes="dialog-keys")

    def compose(self) -> ComposeResult:
        """Yield what would happen, and the field."""
        with Vertical(classes="dialog grave") as box:
            box.border_title = self._heading
            asked: Line = (
                ("Type ", Ink.PLAIN),
                (self._word, Ink.STRONG),
                (" to go on:", Ink.PLAIN),
            )
            yield about_lines((*self._told, (), asked))
            yield self._field
            self._hint.show(((("esc", Ink.KEY), (" leaves everything as it is", Ink.DIM)),))
            yield self._hint

    def on_mount(self) -> None:
        """Begin in the field."""
        self._field.focus()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        if event.value.strip() == self._word:
            self.dismiss(True)
        else:
            self._hint.show(
                ((("That is not the word. ", Ink.BAD), ("esc", Ink.KEY), (" leaves", Ink.DIM)),)
            )

    def action_close(self) -> None:
        """Answer no."""
        self.dismiss(False)
