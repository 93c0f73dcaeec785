"""Asks before which record a replay ends: before a node takes one, any or one that fits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from loom_bench.session.snapshots.replay_value import BreakpointStop
from loom_bench.tui.breakpoints import CONDITION_HINT, CONDITION_WORDS
from loom_bench.tui.dialogs.asking_line import LineDialog
from loom_bench.tui.dialogs.choosing import Choice, ChoiceDialog
from loom_bench.tui.ink import Ink, plain

if TYPE_CHECKING:
    from loom_bench.tui.app import WorkbenchApp


def ask_breakpoint(
    app: WorkbenchApp, now: BreakpointStop | None, take: Callable[[BreakpointStop], None]
) -> None:
    """Have a node chosen and a condition typed.

    Args:
        app: The application.
        now: What is chosen so far.
        take: Is given the answer.
    """

    def chosen(node: str | None) -> None:
        if node is None:
            return
        told = (plain(f"The replay ends before {node} takes a record that fits."), CONDITION_WORDS)
        begins = now.condition if now is not None and now.node == node else ""

        def answered(condition: str | None) -> None:
            if condition is not None:
                take(BreakpointStop(node=node, condition=condition))

        app.push_screen(
            LineDialog("breakpoint", told, CONDITION_HINT, begins, may_be_empty=True), answered
        )

    plan = app.session.value().plan
    nodes = () if plan is None else plan.nodes
    choices = [Choice(each.id, each.name, each.kind.value) for each in nodes]
    app.push_screen(
        ChoiceDialog(
            "breakpoint",
            (
                plain("Before which node the replay ends."),
                (("The fork stands then at the end of the epoch before.", Ink.DIM),),
            ),
            choices,
            "NODE of another revision",
        ),
        chosen,
    )


def breakpoint_text(stop: BreakpointStop | None) -> str:
    """Return in words where a replay ends with it."""
    if stop is None:
        return "before a node takes a record: enter says which"
    fitting = f" with {stop.condition}" if stop.condition else ""
    return f"before {stop.node} takes a record{fitting}"
