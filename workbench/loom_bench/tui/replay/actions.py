"""Actions of a replay."""

from __future__ import annotations

from typing import Final

from loom_bench.tui.action import Action

_REPLAY: Final = "In a replay"

ACTIONS: Final = (
    Action("view.replay", "f6", "Replay", "Runs a fork of the store again.", _REPLAY),
    Action("replay.pause", "p", "Pause or go on", "Stops reading, or goes on.", _REPLAY, "pause"),
    Action("replay.record", "r", "Step a record", "While paused.", _REPLAY, "record"),
    Action("replay.batch", "b", "Step a batch", "While paused.", _REPLAY, "batch"),
    Action("replay.epoch", "e", "Step an epoch", "While paused.", _REPLAY, "epoch"),
    Action(
        "replay.back",
        "u",
        "Step back",
        "Forks one epoch earlier and waits there.",
        _REPLAY,
        "back",
    ),
    Action("replay.faster", "greater_than_sign", "Faster", "The next pace.", _REPLAY),
    Action("replay.slower", "less_than_sign", "Slower", "The pace before.", _REPLAY),
    Action("replay.stop", "x", "Stop", "Ends at the next epoch.", _REPLAY, "stop"),
)
