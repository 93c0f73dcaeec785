"""Actions of a bisection."""

from __future__ import annotations

from typing import Final

from loom_bench.tui.action import Action

_BISECT: Final = "In a bisection"

ACTIONS: Final = (
    Action("view.bisect", "f8", "Bisect", "Finds the first bad epoch and record.", _BISECT),
    Action("bisect.stop", "x", "Call off", "Ends the search.", _BISECT, "call off"),
    Action("bisect.found", "v", "To the epoch", "Goes to what was found.", _BISECT, "to the epoch"),
)
