"""A screen that shows lines until it is closed: details of a row or a node, help."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from loom_bench.tui.ink import Ink, Line, Run
from loom_bench.tui.panels.spec import Place
from loom_bench.tui.widgets.lines import Lines, ScrolledLines


class TextDialog(ModalScreen[Place | None]):
    """Shows lines; answers with a place when that is to be opened in the editor.

    Args:
        title: What stands in the border.
        lines: Gives the lines; asked again and again, so that figures live.
        place: File and line that ``e`` opens.
    """

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape,q,enter", "close", "Close"),
        ("e", "edit", "Edit"),
    ]

    def __init__(
        self, title: str, lines: Callable[[], Sequence[Line]], place: Place | None = None
    ) -> None:
        super().__init__()
        self._heading = title
        self._given = lines
        self._place = place
        self._shown = ScrolledLines(lines())

    def compose(self) -> ComposeResult:
        """Yield the lines and what can be done."""
        with Vertical(classes="dialog wide") as box:
            box.border_title = self._heading
            yield self._shown
            told: list[Run] = [("esc", Ink.KEY), (" closes", Ink.DIM)]
            if self._place is not None:
                told += [("   e", Ink.KEY), (" opens the line in your editor", Ink.DIM)]
            keys = Lines(classes="dialog-keys")
            keys.show((told,))
            yield keys

    def on_mount(self) -> None:
        """Let keys scroll."""
        self._shown.focus()

    def redraw(self) -> None:
        """Show what the lines are now."""
        self._shown.show(self._given())

    def action_close(self) -> None:
        """Close."""
        self.dismiss(None)

    def action_edit(self) -> None:
        """Close, and open the place."""
        if self._place is not None:
            self.dismiss(self._place)
