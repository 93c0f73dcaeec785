"""What a replay gave: the list, and everything about one output."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from loom_bench.session.snapshots.replay_value import CapturedOutput
from loom_bench.tui.ink import Ink, Line, Run
from loom_bench.tui.panels.texts import body_lines, labelled
from loom_bench.tui.widgets.line_table import Column, TableForm
from loom_runtime.places import place_text_of

_MAX_TOLD: Final = 2_000

_COLUMNS: Final = (
    Column("no", 7, right=True),
    Column("of record", 20),
    Column("to", 20),
    Column("key", 12, from_cells=96),
    Column("value", 0),
)


def _cells(output: CapturedOutput, _: int) -> Sequence[Run]:
    failed = output.kind == "envelope"
    return (
        (str(output.number), Ink.DIM),
        (place_text_of(output.partition, output.offset), Ink.ACCENT),
        (output.sink, Ink.BAD if failed else Ink.STRONG),
        (output.key, Ink.PLAIN),
        (output.text[:_MAX_TOLD], Ink.BAD if failed else Ink.PLAIN),
    )


OUTPUTS: Final = TableForm(_COLUMNS, _cells, lambda output: output.number, follows=True)


def output_lines(output: CapturedOutput) -> Iterator[Line]:
    """Yield everything about an output."""
    yield labelled("to", output.sink, Ink.ACCENT)
    yield labelled("of record", place_text_of(output.partition, output.offset))
    yield labelled("kind", output.kind)
    yield labelled("key", output.key)
    yield ()
    yield from body_lines(output.text)
