"""Everything about one source record that touched a key."""

from __future__ import annotations

from collections.abc import Iterator

from loom_bench.session.snapshots.value import Touch
from loom_bench.tui.ink import Ink, Line
from loom_bench.tui.panels.texts import body_lines, heading, labelled
from loom_bench.tui.timeline.state_table import change_lines
from loom_runtime.places import place_text_of


def touch_lines(touch: Touch) -> Iterator[Line]:
    """Yield the record, the key's value before and after it, and what differs."""
    yield labelled("record", place_text_of(touch.partition, touch.offset), Ink.ACCENT)
    yield ()
    if touch.record:
        yield from body_lines(touch.record)
    else:
        yield (("The broker has it no more.", Ink.WARN),)
    yield ()
    yield from change_lines(touch.changes)
    for title, text in (("Before", touch.before), ("After", touch.after)):
        yield ()
        yield heading(title)
        if text is None:
            yield (("  no value", Ink.DIM),)
        else:
            yield from body_lines(text)
