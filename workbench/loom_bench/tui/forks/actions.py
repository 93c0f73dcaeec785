"""Actions of the forks."""

from __future__ import annotations

from typing import Final

from loom_bench.tui.action import Action

_FORKS: Final = "With a fork"

ACTIONS: Final = (
    Action("view.forks", "f5", "Forks", "Shows the forks of the store.", _FORKS),
    Action("forks.replay", "p", "Replay", "Goes to its replay.", _FORKS, "replay"),
    Action(
        "forks.check", "c", "Check", "Whether the code as it is can run on it.", _FORKS, "check"
    ),
    Action("forks.check_revision", "C", "Check a revision", "The same, for another code.", _FORKS),
    Action("forks.map", "m", "Map", "Gives state of lost steps to new ones.", _FORKS, "map"),
    Action("forks.fork", "f", "Fork it", "At its newest epoch, or another one.", _FORKS, "fork"),
    Action("forks.remove", "d", "Delete", "After its name was typed.", _FORKS, "delete"),
    Action("forks.leave", "O", "Open the store", "Leaves the fork; or any folder.", _FORKS),
)
