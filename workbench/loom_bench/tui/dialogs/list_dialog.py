"""What the dialogs with a list have in common: Escape closes them, in the list too."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from textual import on
from textual.binding import BindingType
from textual.screen import ModalScreen

from loom_bench.tui.widgets.line_table import LineTable

AnswerT = TypeVar("AnswerT")


class ListDialog(ModalScreen[AnswerT | None]):
    """Answers ``None`` when it is closed."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "close", "Close")]

    @on(LineTable.Asked)
    def _asked(self, event: LineTable.Asked) -> None:
        if event.what == "clear":  # its list takes Escape for itself
            self.action_close()

    def action_close(self) -> None:
        """Answer with nothing."""
        self.dismiss(None)
