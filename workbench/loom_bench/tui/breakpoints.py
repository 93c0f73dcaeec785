"""Setting and forgetting breakpoints: before a node, for every record or for those that fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from loom_bench.tui.dialogs.asking_line import LineDialog
from loom_bench.tui.ink import Ink, Line, plain

if TYPE_CHECKING:
    from loom_bench.tui.app import WorkbenchApp


def toggle_breakpoint(app: WorkbenchApp, node: str) -> None:
    """Forget the breakpoints before *node*; where there is none, ask for a condition and set one.

    Args:
        app: The application.
        node: Id of a node, the source or a sink.
    """
    value = app.session.value()
    known = [each for each in value.tracing.breakpoints if each.node == node]
    for each in known:
        app.session.tracing.clear_breakpoint(each.number)
    if known:
        app.tell(f"The breakpoint before {node} is forgotten.")
        return
    if value.plan is None or all(each.id != node for each in value.plan.nodes):
        app.tell("A breakpoint stands before a node: choose one that is no topic.", "warning")
        return

    def answered(condition: str | None) -> None:
        if condition is not None:
            app.session.tracing.set_breakpoint(node, condition or None)
            app.tell(f"The flow stops before {node} takes {_which(condition)}.")

    told = (((f"The flow stops before {node} takes a record that fits.", Ink.PLAIN),), *_TOLD)
    app.push_screen(LineDialog("breakpoint", told, CONDITION_HINT, may_be_empty=True), answered)


def _which(condition: str) -> str:
    return f"a record with {condition}" if condition else "its next record"


CONDITION_HINT: Final = "payload.quantity > 3, or nothing for every record"
CONDITION_WORDS: Final[Line] = (
    ("Expressions over payload and msg, as in routes: & | ~ in_ between", Ink.DIM),
)
_TOLD: Final = (
    plain("It waits there until you say what becomes of the record."),
    CONDITION_WORDS,
)
