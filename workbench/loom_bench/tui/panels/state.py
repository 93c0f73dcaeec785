"""The panel of nodes that keep state or hold records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from loom_bench.session.value import NodeView, SessionValue
from loom_bench.tui.figures import count_text, of_many
from loom_bench.tui.ink import Ink, Line, Run, plain
from loom_bench.tui.panels.spec import PanelSpec, Place
from loom_bench.tui.panels.texts import body_lines, heading, labelled
from loom_bench.tui.widgets.line_table import Column, TableForm
from loom_runtime.compiler.document_parts import NodeDocument, StateDocument

_COLUMNS = (
    Column("node", 24),
    Column("keeps", 16, from_cells=60),
    Column("held", 6, right=True),
    Column("late", 6, right=True),
    Column("state id", 0),
)


@dataclass(frozen=True)
class StateRow:
    """A node's state and its counters."""

    state: StateDocument
    node: NodeDocument | None
    view: NodeView


def _items(value: SessionValue) -> Sequence[StateRow]:
    if value.plan is None:
        return ()
    nodes = {node.id: node for node in value.plan.nodes}
    return tuple(
        StateRow(
            state,
            nodes.get(state.node),
            value.nodes.get(state.node) or NodeView(id=state.node),
        )
        for state in value.plan.states
    )


def _cells(row: StateRow, _: int) -> Sequence[Run]:
    return (
        (row.state.node, Ink.STRONG),
        (row.state.type.rpartition(".")[2] or "records", Ink.PLAIN),
        (count_text(row.view.held), Ink.ACCENT if row.view.held else Ink.DIM),
        (count_text(row.view.late), Ink.WARN if row.view.late else Ink.DIM),
        (row.state.state_id, Ink.DIM),
    )


def _summary(value: SessionValue) -> Line:
    rows = _items(value)
    if not rows:
        return ()
    held = sum(row.view.held for row in rows)
    line = [
        (of_many(len(rows), "node") + " with state", Ink.PLAIN),
        (f"  {of_many(held, 'record')} held", Ink.PLAIN),
    ]
    if value.conflict is not None:
        line.append((f"  x r{value.conflict.revision} does not fit the store: ", Ink.BAD))
        line.append(("c", Ink.KEY))
        line.append((" decides", Ink.DIM))
    return line


def _empty(value: SessionValue) -> Sequence[Line]:
    if value.plan is None:
        return (plain("No state yet: the flow has not loaded."),)
    if value.plan.states:
        return (plain("No node matches. Esc drops the filter."),)
    return (
        plain("No node of this flow keeps state."),
        (("Stateful steps, batches and windows show here.", Ink.DIM),),
    )


def _fields(row: StateRow) -> Mapping[str, str]:
    return {"node": row.state.node, "type": row.state.type, "text": row.state.state_id}


def _detail(row: StateRow, _: SessionValue) -> Iterator[Line]:
    yield labelled("node", row.state.node, Ink.STRONG)
    yield labelled("state id", row.state.state_id)
    yield labelled("keeps", row.state.type or "records of a batch or window")
    yield labelled("held", count_text(row.view.held))
    yield labelled("late", count_text(row.view.late))
    yield ()
    yield heading("Schema" if row.state.type else "What it depends on")
    yield from body_lines(row.state.schema)


def _place(row: StateRow) -> Place | None:
    if row.node is None or row.node.file is None:
        return None
    return row.node.file, row.node.line


def _badge(value: SessionValue) -> Run | None:
    return None if value.conflict is None else ("waits", Ink.BAD)


STATE = PanelSpec(
    id="state",
    title="State",
    form=TableForm(_COLUMNS, _cells, lambda row: row.state.state_id),
    items=_items,
    summary=_summary,
    empty=_empty,
    names=("node", "type"),
    fields=_fields,
    detail=lambda row, value: tuple(_detail(row, value)),
    badge=_badge,
    place=_place,
    node=lambda row: row.state.node,
)
