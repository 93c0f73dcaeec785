"""The panel of the ledger: what became of every record, per source partition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from loom_bench.session.value import OffsetView, SessionValue
from loom_bench.tui.figures import count_text, of_many
from loom_bench.tui.ink import Ink, Line, Run, plain
from loom_bench.tui.panels.spec import PanelSpec
from loom_bench.tui.panels.texts import labelled
from loom_bench.tui.widgets.line_table import Column, TableForm
from loom_runtime.ledger import COUNTERS

_COLUMNS = (
    Column("topic", most=40),
    Column("part", 4, right=True),
    Column("read", 6, right=True),
    Column("written", 7, right=True),
    Column("errors", 6, right=True),
    Column("filter", 6, right=True),
    Column("dead", 5, right=True),
    Column("held", 5, right=True),
    Column("late", 5, right=True, from_cells=72),
    Column("balance", 8),
)

_WORDS = {
    "consumed": "read",
    "dead_lettered": "dead-lettered",
    "records_written": "outputs",
    "envelopes_written": "envelopes",
    "dead_letters_written": "dead letters",
}

_EXPLAINED = "read = written + errors + filtered + dead-lettered + held"


def _cells(view: OffsetView, _: int) -> Sequence[Run]:
    row = view.row
    return (
        (row.topic, Ink.STRONG),
        (str(row.partition), Ink.PLAIN),
        (count_text(row.consumed), Ink.PLAIN),
        (count_text(row.written), Ink.PLAIN),
        (count_text(row.errored), Ink.BAD if row.errored else Ink.DIM),
        (count_text(row.filtered), Ink.PLAIN if row.filtered else Ink.DIM),
        (count_text(row.dead_lettered), Ink.BAD if row.dead_lettered else Ink.DIM),
        (count_text(row.held), Ink.ACCENT if row.held else Ink.DIM),
        (count_text(row.late), Ink.WARN if row.late else Ink.DIM),
        ("balanced", Ink.GOOD) if row.balanced else ("x OFF", Ink.BAD),
    )


def _summary(value: SessionValue) -> Line:
    off = [view for view in value.offsets if not view.row.balanced]
    if off:
        return (
            (f"x {of_many(len(off), 'partition')} out of balance", Ink.BAD),
            ("  this is a fault of the engine, please report it", Ink.WARN),
        )
    if not value.offsets:
        return ()
    return (("balanced  ", Ink.GOOD), (_EXPLAINED, Ink.DIM))


def _empty(value: SessionValue) -> Sequence[Line]:
    if value.offsets:
        return (plain("No partition matches. Esc drops the filter."),)
    return (
        plain("Nothing was read yet, so nothing is in the ledger."),
        ((f"It shows, per partition: {_EXPLAINED}.", Ink.DIM),),
    )


def _detail(view: OffsetView, _: SessionValue) -> Iterator[Line]:
    row = view.row
    yield labelled("topic", row.topic, Ink.STRONG)
    yield labelled("partition", str(row.partition))
    for name in COUNTERS:
        yield labelled(_WORDS.get(name, name), str(getattr(row, name)))
    yield ()
    ends = (row.written, row.errored, row.filtered, row.dead_lettered, row.held)
    ink = Ink.GOOD if row.balanced else Ink.BAD
    yield ((f"{row.consumed} read, {sum(ends)} accounted for", ink),)
    yield ((_EXPLAINED, Ink.DIM),)


def _fields(view: OffsetView) -> Mapping[str, str]:
    return {"topic": view.row.topic, "partition": str(view.row.partition)}


LEDGER = PanelSpec(
    id="ledger",
    title="Ledger",
    form=TableForm(_COLUMNS, _cells, lambda view: (view.row.topic, view.row.partition)),
    items=lambda value: value.offsets,
    summary=_summary,
    empty=_empty,
    names=("topic", "partition"),
    fields=_fields,
    detail=lambda view, value: tuple(_detail(view, value)),
    badge=lambda value: (
        None if all(view.row.balanced for view in value.offsets) else ("off", Ink.BAD)
    ),
)
