"""Actions of a comparison."""

from __future__ import annotations

from typing import Final

from loom_bench.tui.action import Action

_COMPARE: Final = "In a comparison"

ACTIONS: Final = (
    Action("view.compare", "f7", "Compare", "Runs two revisions from one epoch.", _COMPARE),
    Action("compare.ignore", "i", "Ignore", "Leaves out this field next time.", _COMPARE, "ignore"),
    Action("compare.all", "I", "Ignore nothing", "Drops every rule.", _COMPARE),
    Action("compare.side", "u", "By itself too", "Shows what is not stable.", _COMPARE, "unstable"),
    Action("compare.stop", "x", "Call off", "Ends the comparison.", _COMPARE, "call off"),
)
