"""The help: every action with its keys, from the registry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from loom_bench.tui.actions import groups, key_text
from loom_bench.tui.ink import Ink, Line

_SENTENCES_FROM_CELLS = 100

_MARKS = (
    ("x", Ink.BAD, "fails"),
    ("!", Ink.WARN, "takes half of a worker's time or more"),
    ("*", Ink.ACCENT, "changed with the last reload"),
    ("h", Ink.ACCENT, "records held in a batch or window"),
    ("l", Ink.WARN, "records that came too late for a window"),
)


def help_lines(
    keymap: Mapping[str, str], keymap_file: str, width: int = _SENTENCES_FROM_CELLS
) -> Iterator[Line]:
    """Yield the help's lines.

    Args:
        keymap: The user's own keys by action id.
        keymap_file: Where they stand.
        width: Cells of the screen; where it is narrow, titles stand without their sentence.
    """
    for name, actions in groups():
        yield ((name, Ink.STRONG),)
        for action in actions:
            keys = key_text(keymap.get(action.id, action.keys))
            yield (
                (f"  {keys:<15}", Ink.KEY),
                (f" {action.title:<24}", Ink.PLAIN),
                (f"{action.id:<18}", Ink.DIM),
                (action.help if width >= _SENTENCES_FROM_CELLS else "", Ink.DIM),
            )
        yield ()
    yield (("Marks in the graph", Ink.STRONG),)
    for mark, ink, meaning in _MARKS:
        yield ((f"  {mark:<15} ", ink), (meaning, Ink.PLAIN))
    yield ()
    yield (("Your own keys", Ink.STRONG),)
    yield ((f"  {keymap_file}", Ink.ACCENT),)
    yield (('  holds lines such as  "run.pause" = "P"  with the ids from above', Ink.DIM),)
