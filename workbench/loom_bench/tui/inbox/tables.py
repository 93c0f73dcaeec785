"""The two tables of the inbox: groups, and the envelopes of the chosen one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from loom_bench.protocol.tracing import Verdict
from loom_bench.session.envelopes.terms import Origin
from loom_bench.session.envelopes.value import EnvelopeRow, InboxGroup
from loom_bench.tui.figures import age_text, count_text, history_text
from loom_bench.tui.inbox.proof import group_proof, row_state
from loom_bench.tui.ink import Ink, Run
from loom_bench.tui.widgets.line_table import Column, TableForm

_HISTORY_CELLS: Final = 16

_ORIGINS: Final = {
    Origin.LOOM: "flow",
    Origin.LOOM_KERNEL: "kernel",
    Origin.KAFKA_CONNECT: "connect",
    Origin.KAFKA_STREAMS: "streams",
    Origin.SPRING: "spring",
    Origin.DEAD_LETTER: "dead",
}

_GROUP_COLUMNS: Final = (
    Column("", 1),
    Column("count", 6, right=True),
    Column("open", 5, right=True),
    Column("lately", _HISTORY_CELLS, from_cells=138),
    Column("first", 6, right=True, from_cells=112),
    Column("last", 6, right=True),
    Column("from", 7, from_cells=100),
    Column("kind", 8, from_cells=92),
    Column("node", 14),
    Column("rev", 7, from_cells=112),
    Column("newest code", 18),
    Column("what", 0),
)


def _group_cells(group: InboxGroup, now_ms: int) -> Sequence[Run]:
    return (
        _mark(group),
        (count_text(group.count), Ink.PLAIN),
        (count_text(group.open), Ink.BAD if group.open else Ink.DIM),
        (history_text(group.history, _HISTORY_CELLS), Ink.BAD),
        (_age(group.first_ms, now_ms), Ink.DIM),
        (_age(group.last_ms, now_ms), Ink.PLAIN),
        (_ORIGINS[group.origin], Ink.DIM),
        (group.kind, Ink.ACCENT),
        (group.node, Ink.STRONG),
        (group.revision, Ink.DIM),
        group_proof(group),
        (told(group.exception_type, group.reason), Ink.PLAIN),
    )


def _mark(group: InboxGroup) -> Run:
    if group.parked:
        return ("p", Ink.WARN)
    return ("*" if group.is_new else " ", Ink.WARN)


def _age(at_ms: int, now_ms: int) -> str:
    return age_text(at_ms or None, now_ms)


def told(exception_type: str, reason: str) -> str:
    """Return ``KeyError: 'unicorn'``, or as much of it as there is."""
    name = exception_type.rpartition(".")[2]
    return f"{name}: {reason}" if name else reason


GROUPS: Final = TableForm(_GROUP_COLUMNS, _group_cells, lambda group: group.fingerprint, ages=True)

_ROW_COLUMNS: Final = (
    Column("", 1),
    Column("age", 6, right=True),
    Column("record", 22),
    Column("key", 14),
    Column("node", 14, from_cells=116),
    Column("rev", 8, from_cells=128),
    Column("try", 3, right=True, from_cells=92),
    Column("state", 13),
    Column("what", 0),
)


def _row_cells(row: EnvelopeRow | None, now_ms: int) -> Sequence[Run]:
    if row is None:
        return (("", Ink.DIM),) * (len(_ROW_COLUMNS) - 1) + (("being fetched", Ink.DIM),)
    place = row.source or row.place
    return (
        ("p" if row.parked else " ", Ink.WARN),
        (_age(row.at_ms, now_ms), Ink.PLAIN),
        (str(place) if place is not None else "imported", Ink.ACCENT),
        (row.key, Ink.STRONG),
        (row.node, Ink.PLAIN),
        (row.revision, Ink.DIM),
        (str(row.attempt) if row.attempt > 1 else "", Ink.WARN),
        row_state(row),
        (_what(row), Ink.PLAIN),
    )


def _what(row: EnvelopeRow) -> str:
    """Return the error, or what the newest code makes of the record when that is another one."""
    as_before = row.verdict is Verdict.SAME_ERROR or not row.verdict_reason
    return told(row.exception_type, row.reason) if as_before else row.verdict_reason


ROWS: Final = TableForm(
    _ROW_COLUMNS, _row_cells, lambda row: row.id if row is not None else None, ages=True
)
