"""Every action there is, once: bindings, footer, help, palette and keymap come from here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from textual.binding import BindingType

from loom_bench.tui.action import Action, bindings_of
from loom_bench.tui.bisect.actions import ACTIONS as BISECT
from loom_bench.tui.compare.actions import ACTIONS as COMPARE
from loom_bench.tui.forks.actions import ACTIONS as FORKS
from loom_bench.tui.inbox.actions import ACTIONS as INBOX
from loom_bench.tui.replay.actions import ACTIONS as REPLAY
from loom_bench.tui.stepping.actions import ACTIONS as STEPPING
from loom_bench.tui.timeline.actions import ACTIONS as TIMELINE

_RUN, _FEED, _OPEN, _VIEW = "Run", "Feed", "Open", "Look"
_LIST, _GRAPH, _BENCH = "In a list", "In the graph", "Workbench"

ACTIONS: Final = (
    Action("run.pause", "p", "Pause or resume", "Stops reading, or goes on.", _RUN, "pause"),
    Action(
        "run.step",
        "s",
        "Step one batch",
        "While paused: reads one batch a partition.",
        _RUN,
        "step",
    ),
    Action("run.reload", "r", "Reload", "Loads the module as it is on disk.", _RUN, "reload"),
    Action("run.manual", "m", "Manual reload", "Chooses whether a save reloads by itself.", _RUN),
    Action(
        "run.pause_on_error",
        "x",
        "Pause on error",
        "Chooses whether the flow stops at a failing record, before its envelope is written.",
        _RUN,
    ),
    Action(
        "run.breakpoint",
        "B",
        "Breakpoint",
        "Stops the flow before the selected node takes a record; again: forgets it.",
        _RUN,
    ),
    Action(
        "run.cancel_proof",
        "X",
        "Cancel the proof",
        "Ends proving open envelopes; what was found by now counts.",
        _RUN,
    ),
    Action("run.decide", "c", "Decide about state", "Answers a state conflict.", _RUN),
    Action(
        "run.drain", "D", "Drain", "Ends the run at the next epoch, everything committed.", _RUN
    ),
    Action("run.finish", "F", "Finish", "As drain, but hands on open batches and windows.", _RUN),
    Action("run.restart", "R", "Restart", "Drains and starts the newest good revision.", _RUN),
    Action("run.kill", "K", "Kill", "Ends the flow's process at once.", _RUN),
    Action(
        "feed.faster",
        "plus,equals_sign",
        "Feed faster",
        "Doubles the feed's rate.",
        _FEED,
        "faster",
    ),
    Action("feed.slower", "minus", "Feed slower", "Halves the feed's rate.", _FEED),
    Action("feed.stop", "0", "Stop or start the feed", "Feeds nothing, or again as before.", _FEED),
    Action("feed.full", "asterisk", "Feed at full speed", "As fast as the broker takes it.", _FEED),
    Action(
        "feed.record", "a", "Feed a record", "Writes one record by hand, in $EDITOR.", _FEED, "add"
    ),
    Action(
        "open.editor", "e", "Edit", "Opens what is selected in $EDITOR, at its line.", _OPEN, "edit"
    ),
    Action("open.flow", "o", "Open a flow", "Drains this flow and opens another.", _OPEN),
    Action("open.broker", "b", "Switch broker", "Drains and goes on with another broker.", _OPEN),
    Action(
        "open.writes", "w", "Allow writes", "Creates topics and feeds on a broker of yours.", _OPEN
    ),
    Action("view.events", "1", "Events", "Shows the lifecycle events.", _VIEW),
    Action("view.errors", "2", "Errors", "Shows the failures, grouped.", _VIEW),
    Action("view.offsets", "3", "Offsets", "Shows positions, lag and commits.", _VIEW),
    Action("view.ledger", "4", "Ledger", "Shows what became of every record.", _VIEW),
    Action("view.output", "5", "Output", "Shows what the flow wrote.", _VIEW),
    Action("view.logs", "6", "Logs", "Shows what the flow printed and logged.", _VIEW),
    Action("view.state", "7", "State", "Shows the nodes that keep state.", _VIEW),
    Action("view.problems", "8", "Problems", "Shows what is wrong, and the revisions.", _VIEW),
    Action(
        "view.next", "right_square_bracket", "Next panel", "Shows the panel to the right.", _VIEW
    ),
    Action("view.previous", "left_square_bracket", "Previous panel", "The one to the left.", _VIEW),
    Action("view.focus", "tab", "Next part", "Moves between graph and panel.", _VIEW),
    Action("view.focus_back", "shift+tab", "Part before", "Moves the other way.", _VIEW),
    Action(
        "view.zoom", "z", "Zoom", "Gives the focused part the whole screen, or back.", _VIEW, "zoom"
    ),
    Action(
        "view.trouble",
        "n",
        "Next trouble",
        "Selects the next failing or slow node.",
        _VIEW,
        "trouble",
    ),
    Action(
        "view.drawing",
        "v",
        "Boxes or outline",
        "Draws the graph with boxes, or a row a node.",
        _VIEW,
    ),
    Action("view.main", "f2", "Main screen", "Shows graph and panels.", _VIEW, "main"),
    Action("view.theme", "t", "Light or dark", "Changes the colours.", _VIEW),
    Action("list.down", "down,j", "Down", "Next row.", _LIST),
    Action("list.up", "up,k", "Up", "Row before; holds a list that follows.", _LIST),
    Action("list.page_down", "pagedown,ctrl+d,ctrl+f", "Page down", "One page on.", _LIST),
    Action("list.page_up", "pageup,ctrl+u,ctrl+b", "Page up", "One page back.", _LIST),
    Action("list.top", "home,g", "Top", "First row.", _LIST),
    Action("list.bottom", "end,G", "Bottom", "Last row; follows again.", _LIST),
    Action("list.left", "left,h", "Left", "Moves long rows to the right.", _LIST),
    Action("list.right", "right,l", "Right", "Moves long rows to the left.", _LIST),
    Action("list.choose", "enter", "Details", "Shows everything about the row.", _LIST, "details"),
    Action(
        "list.hold",
        "space",
        "Hold or follow",
        "Holds the list still, or follows again.",
        _LIST,
        "hold",
    ),
    Action("list.filter", "slash", "Filter", "Shows only rows that match.", _LIST, "filter"),
    Action("list.clear", "escape", "Clear", "Drops the filter.", _LIST),
    Action("list.copy", "y", "Copy", "Copies the row to the clipboard.", _LIST),
    Action("graph.down", "down,j", "Box below", "Selects the next box below.", _GRAPH),
    Action("graph.up", "up,k", "Box above", "Selects the next box above.", _GRAPH),
    Action("graph.left", "left,h", "Box to the left", "Selects the next box there.", _GRAPH),
    Action("graph.right", "right,l", "Box to the right", "Selects the next box there.", _GRAPH),
    Action(
        "graph.page_down",
        "pagedown,ctrl+d,ctrl+f",
        "Pan down",
        "Moves the view.",
        _GRAPH,
        does="pan(0,1)",
    ),
    Action(
        "graph.page_up",
        "pageup,ctrl+u,ctrl+b",
        "Pan up",
        "Moves the view.",
        _GRAPH,
        does="pan(0,-1)",
    ),
    Action(
        "graph.pan_left", "H,shift+left", "Pan left", "Moves the view.", _GRAPH, does="pan(-1,0)"
    ),
    Action(
        "graph.pan_right", "L,shift+right", "Pan right", "Moves the view.", _GRAPH, does="pan(1,0)"
    ),
    Action("graph.top", "home,g", "Source", "Selects the source.", _GRAPH),
    Action("graph.bottom", "end,G", "End", "Selects the last box.", _GRAPH),
    Action("graph.fold", "f", "Fold or unfold", "Hides what lies inside the box.", _GRAPH, "fold"),
    Action(
        "graph.open", "enter", "Details", "Shows all that is known of the box.", _GRAPH, "details"
    ),
    Action("graph.unfold_all", "u", "Unfold all", "Shows everything.", _GRAPH),
    *INBOX,
    *STEPPING,
    *TIMELINE,
    *FORKS,
    *REPLAY,
    *COMPARE,
    *BISECT,
    Action("bench.help", "question_mark,f1", "Help", "Shows the keys.", _BENCH, "help"),
    Action("bench.palette", "colon,ctrl+p", "Commands", "Finds an action by its name.", _BENCH),
    Action("bench.snapshot", "ctrl+s", "Picture", "Writes the screen to an SVG file.", _BENCH),
    Action("bench.quit", "q,ctrl+c", "Quit", "Drains, ends everything, and quits.", _BENCH, "quit"),
    Action("bench.quit_now", "Q", "Quit at once", "Kills the flow and quits.", _BENCH),
)
"""In the order of the help."""

BY_ID: Final = {action.id: action for action in ACTIONS}


def bindings(where: str) -> list[BindingType]:
    """Return the bindings of the actions that work in *where*: ``app``, ``screen``, ``list``,
    ``graph``, or the full screen of that name."""
    return bindings_of(action for action in ACTIONS if action.where == where)


def groups() -> Iterator[tuple[str, list[Action]]]:
    """Yield each heading and its actions, in the order of the help."""
    names = dict.fromkeys(action.group for action in ACTIONS)
    for name in names:
        yield name, [action for action in ACTIONS if action.group == name]


_KEY_NAMES = {
    "plus": "+",
    "equals_sign": "=",
    "minus": "-",
    "asterisk": "*",
    "slash": "/",
    "colon": ":",
    "question_mark": "?",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "escape": "esc",
    "pagedown": "pgdn",
    "pageup": "pgup",
    "comma": ",",
    "full_stop": ".",
    "greater_than_sign": ">",
    "less_than_sign": "<",
}


def key_text(keys: str) -> str:
    """Return *keys* as people write them: ``+ =``, ``^d``."""
    return " ".join(
        "^" + _KEY_NAMES.get(key[5:], key[5:])
        if key.startswith("ctrl+")
        else _KEY_NAMES.get(key, key)
        for key in keys.split(",")
    )
