"""Actions of stepping: over the stops of any trace, with an envelope, with a record that waits."""

from __future__ import annotations

from typing import Final

from loom_bench.tui.action import Action

_STEPPING: Final = "Stepping"
_ENVELOPE: Final = "With an envelope"
_STOP: Final = "With a record that the flow waits at"

ACTIONS: Final = (
    Action("view.envelope", "E", "Envelope", "Shows the envelope looked at last.", _STEPPING),
    Action("view.stop", "W", "Where it stopped", "Shows the record that the flow waits at.", _STOP),
    Action("stepping.back", "escape", "Back", "Leaves the record.", _STEPPING),
    Action("stepping.next", "n", "Next node", "The next that the record met.", _STEPPING, "next"),
    Action("stepping.previous", "N", "Back a node", "The last that it met before.", _STEPPING),
    Action("stepping.left", "left,h", "Node before", "Met or not.", _STEPPING),
    Action("stepping.right", "right,l", "Node after", "Met or not.", _STEPPING),
    Action("stepping.start", "home,g", "To the source", "Where its way begins.", _STEPPING),
    Action("stepping.end", "end,G", "To the end", "Where its way ends.", _STEPPING),
    Action("stepping.view", "v", "View", "Tree, JSON, text or bytes of values.", _STEPPING, "view"),
    Action("stepping.taken", "comma", "Next input", "Of several that it took.", _STEPPING),
    Action("stepping.given", "full_stop", "Next output", "Of several that it gave.", _STEPPING),
    Action("stepping.page_down", "pagedown,ctrl+d,ctrl+f,J", "Down", "Scrolls.", _STEPPING),
    Action("stepping.page_up", "pageup,ctrl+u,ctrl+b,K", "Up", "Scrolls.", _STEPPING),
    Action("stepping.source", "f", "Edit source", "Opens the failing line in $EDITOR.", _STEPPING),
    Action(
        "stepping.breakpoint",
        "b",
        "Breakpoint",
        "Stops the flow before this node; again: forgets it.",
        _STEPPING,
        "break",
    ),
    Action("envelope.down", "down,j", "Next envelope", "The next one of the group.", _ENVELOPE),
    Action("envelope.up", "up,k", "Envelope before", "The one before.", _ENVELOPE),
    Action("envelope.next_group", "right_square_bracket", "Next group", "Its newest.", _ENVELOPE),
    Action(
        "envelope.previous_group", "left_square_bracket", "Group before", "Its newest.", _ENVELOPE
    ),
    Action(
        "envelope.run", "c", "Run to the sink", "Where its way ends.", _ENVELOPE, "run", does="end"
    ),
    Action(
        "envelope.edit",
        "e",
        "Edit the value",
        "Changes what the node takes, in $EDITOR, and goes on from there.",
        _ENVELOPE,
        "edit",
    ),
    Action(
        "envelope.again", "r", "Run again", "Runs it through the code as it is.", _ENVELOPE, "again"
    ),
    Action("envelope.test", "t", "Write a test", "Writes a pytest of it.", _ENVELOPE, "test"),
    Action("envelope.export", "x", "Export", "Writes the envelope to a file.", _ENVELOPE),
    Action("envelope.redrive", "R", "Redrive", "Writes its record again.", _ENVELOPE, "redrive"),
    Action(
        "stop.go_on", "c", "Go on", "What would have become of it becomes of it.", _STOP, "go on"
    ),
    Action("stop.skip", "s", "Skip", "Drops the record.", _STOP, "skip"),
    Action(
        "stop.dead_letter", "d", "Dead-letter", "Makes an envelope of it.", _STOP, "dead-letter"
    ),
    Action("stop.edit", "e", "Edit", "Goes on with a value changed in $EDITOR.", _STOP, "edit"),
    Action("stop.again", "r", "Again", "Has the node take it once more.", _STOP, "again"),
)
