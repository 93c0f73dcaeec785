"""Actions of the timeline, and of the history of one key."""

from __future__ import annotations

from typing import Final

from loom_bench.tui.action import Action

_TIMELINE: Final = "In the timeline"
_KEY: Final = "In a key's history"

ACTIONS: Final = (
    Action("view.timeline", "T,f3", "Timeline", "Shows the epochs and their state.", _TIMELINE),
    Action("timeline.fork", "f", "Fork", "Copies the store, cut at the epoch.", _TIMELINE, "fork"),
    Action(
        "timeline.changed",
        "c",
        "What changed",
        "Shows only keys that the epoch wrote, with what differs; again: all keys.",
        _TIMELINE,
        "changed",
    ),
    Action("timeline.next_step", "s", "Next step", "Shows the state of another step.", _TIMELINE),
    Action("timeline.previous_step", "S", "Step before", "The other way round.", _TIMELINE),
    Action("timeline.mark", "m", "Next mark", "To the next reload, error or crash.", _TIMELINE),
    Action("timeline.mark_before", "M", "Mark before", "The other way round.", _TIMELINE, "mark"),
    Action(
        "timeline.unfold",
        "u",
        "Unfold or fold",
        "Epochs in which nothing changed: one by one, or as one row.",
        _TIMELINE,
        "unfold",
    ),
    Action("timeline.find", "e", "Go to", "To an epoch, by number or time.", _TIMELINE, "go to"),
    Action("timeline.compare", "d", "Compare", "Compares two revisions from here.", _TIMELINE),
    Action("timeline.good", "o", "Still good", "A bisection begins at this epoch.", _TIMELINE),
    Action("timeline.bad", "b", "Bad here", "A bisection ends at this epoch.", _TIMELINE),
    Action("timeline.open", "O", "Open a store", "Another folder, or a fork.", _TIMELINE),
    Action("view.key", "f4", "Key", "Shows the history of the key looked at last.", _KEY),
    Action("key.why", "w", "Why", "Finds the records that made this value.", _KEY, "why"),
    Action("key.why_between", "W", "Why, between", "The same between two epochs.", _KEY),
    Action(
        "key.decode",
        "d",
        "Decode",
        "Another program's pickles, in a process of their own: that runs its code.",
        _KEY,
    ),
    Action("key.cancel", "x", "Call off", "Ends the search for records.", _KEY, "call off"),
)
