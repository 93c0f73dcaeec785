"""The screen that is seen while the flow drains and everything ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from loom_bench.session.value import Phase, SessionValue
from loom_bench.tui.figures import count_text, seconds_text
from loom_bench.tui.ink import Ink, Line
from loom_bench.tui.widgets.lines import Lines

_WORDS = {
    Phase.DRAINING: "Draining: what was read is written and committed.",
    Phase.STOPPED: "Drained. Ending broker and processes.",
    Phase.FAILED: "The run had failed. Ending broker and processes.",
}


class QuittingDialog(ModalScreen[bool]):
    """Tells how far the end is; answers ``True`` when it is to be quick, ``False`` to stay.

    Args:
        value: Gives the newest value.
    """

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        ("Q", "at_once", "At once"),
        ("escape", "stay", "Stay"),
    ]

    def __init__(self, value: Callable[[], SessionValue]) -> None:
        super().__init__()
        self._newest = value
        self._began_s = value().elapsed_s
        self._told = Lines(classes="about")

    def compose(self) -> ComposeResult:
        """Yield how far it is."""
        with Vertical(classes="dialog") as box:
            box.border_title = "quitting"
            self._told.styles.height = 3
            yield self._told
            keys = Lines(classes="dialog-keys")
            keys.show(
                (
                    (
                        ("Q", Ink.KEY),
                        (" kills the flow now   ", Ink.DIM),
                        ("esc", Ink.KEY),
                        (" stays in the workbench", Ink.DIM),
                    ),
                )
            )
            yield keys

    def on_mount(self) -> None:
        """Begin to tell."""
        self.redraw()

    def redraw(self) -> None:
        """Tell how far it is now."""
        self._told.show(quitting_lines(self._newest(), self._began_s))

    def action_at_once(self) -> None:
        """Kill."""
        self.dismiss(True)

    def action_stay(self) -> None:
        """Stay."""
        self.dismiss(False)


def quitting_lines(value: SessionValue, began_s: float) -> Sequence[Line]:
    """Return what is being waited for.

    Args:
        value: The newest value.
        began_s: Seconds since the session began when quitting was asked for.
    """
    open_records = sum(
        max(0, (view.row.position or 0) - (view.row.committed or 0)) for view in value.offsets
    )
    return (
        ((_WORDS.get(value.phase, "Asking the flow to drain."), Ink.PLAIN),),
        (
            (count_text(open_records), Ink.STRONG),
            (" offsets read and not committed yet", Ink.DIM),
        ),
        ((seconds_text(value.elapsed_s - began_s), Ink.DIM),),
    )
