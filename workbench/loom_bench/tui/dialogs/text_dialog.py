"""A screen that shows lines until it is closed: details of a row, help."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen

from loom_bench.tui.ink import Ink, Line
from loom_bench.tui.panels.spec import Place
from loom_bench.tui.widgets.lines import Lines, ScrolledLines


class TextDialog(ModalScreen[Place | None]):
    """Shows lines; answers with a place when that is to be opened in the editor.

    Args:
        title: What stands in the border; safe.
        lines: The lines.
        place: File and line that ``e`` opens.
    """

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar = [
        ("escape,q,enter", "close", "Close"),
        ("e", "edit", "Edit"),
    ]

    def __init__(self, title: str, lines: Sequence[Line], place: Place | None = None) -> None:
        super().__init__()
        self._title = title
        self._lines = lines
        self._place = place

    def compose(self) -> ComposeResult:
        """Yield the lines and what can be done."""
        box = Vertical(classes="dialog wide")
        box.border_title = self._title
        with box:
            yield ScrolledLines(self._lines)
            keys = Lines(classes="dialog-keys")
            told: list[tuple[str, Ink]] = [("esc", Ink.KEY), (" closes", Ink.DIM)]
            if self._place is not None:
                told += [("   e", Ink.KEY), (" opens the line in your editor", Ink.DIM)]
            keys.show((told,))
            yield keys

    def action_close(self) -> None:
        """Close."""
        self.dismiss(None)

    def action_edit(self) -> None:
        """Close, and open the place."""
        if self._place is not None:
            self.dismiss(self._place)
