"""What stands in the graph's place while there is no plan to draw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from loom_bench.session.value import Phase, SessionValue
from loom_bench.tui.ink import Ink, Line, plain
from loom_bench.tui.panels.texts import diagnosis_body


def waiting_lines(value: SessionValue) -> Sequence[Line]:
    """Return why there is no graph yet, and what to do."""
    return tuple(_lines(value))


def _lines(value: SessionValue) -> Iterator[Line]:
    yield ()
    if value.diagnoses:
        yield ((f" {value.target} does not load.", Ink.BAD),)
        yield ()
        for line in diagnosis_body(value.diagnoses[0]):
            yield ((" ", Ink.PLAIN), *line)
        yield ()
        more = len(value.diagnoses) - 1
        if more:
            yield ((f" and {more} more: ", Ink.DIM), ("8", Ink.KEY), (" shows them", Ink.DIM))
        yield ((" Mend it and save: it is loaded again by itself.", Ink.DIM),)
    elif value.phase in (Phase.STOPPED, Phase.FAILED):
        yield plain(" There is no plan to draw.")
        yield ((" r", Ink.KEY), (" loads the module again", Ink.DIM))
    else:
        yield ((f" {value.target}", Ink.STRONG), (" is being loaded.", Ink.PLAIN))
