"""A screen that asks for one line of text: a path, a topic, a condition."""

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

_KEYS: Line = (
    ("enter", Ink.KEY),
    (" does it   ", Ink.DIM),
    ("esc", Ink.KEY),
    (" closes", Ink.DIM),
)


class LineDialog(ModalScreen[str | None]):
    """Answers with what was typed, blanks at its ends aside; with ``None`` when it was closed.

    Args:
        title: What stands in the border.
        told: What it is about.
        hint: What the field is for, while it is empty.
        begins_with: What stands in the field.
        may_be_empty: Whether nothing typed is an answer.
    """

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [("escape", "close", "Close")]

    def __init__(
        self,
        title: str,
        told: Sequence[Line],
        hint: str,
        begins_with: str = "",
        *,
        may_be_empty: bool = False,
    ) -> None:
        super().__init__()
        self._heading = title
        self._told = told
        self._may_be_empty = may_be_empty
        self._field = Input(begins_with, placeholder=hint)

    def compose(self) -> ComposeResult:
        """Yield what it is about, and the field."""
        with Vertical(classes="dialog") as box:
            box.border_title = self._heading
            yield about_lines(self._told)
            yield self._field
            keys = Lines(classes="dialog-keys")
            keys.show(
                (
                    (
                        ("enter", Ink.KEY),
                        (" does it   ", Ink.DIM),
                        ("esc", Ink.KEY),
                        (" closes", Ink.DIM),
                    ),
                )
            )
            yield keys

    def on_mount(self) -> None:
        """Begin in the field."""
        self._field.focus()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        typed = event.value.strip()
        if typed or self._may_be_empty:
            self.dismiss(typed)

    def action_close(self) -> None:
        """Answer with nothing."""
        self.dismiss(None)
