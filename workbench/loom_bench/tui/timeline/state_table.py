"""The list of keys at an epoch, and everything about one of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from loom_bench.session.snapshots.value import FieldChange, StateRow
from loom_bench.tui.figures import bytes_text
from loom_bench.tui.ink import Ink, Line, Run, plain
from loom_bench.tui.panels.texts import body_lines, heading
from loom_bench.tui.widgets.line_table import Column, TableForm

_MAX_TOLD: Final = 2_000
"""Characters of a value that stand in a list."""

_NOTHING: Final = "-"

_COLUMNS: Final = (
    Column("", 1),
    Column("key", 20),
    Column("written", 8, right=True, from_cells=72),
    Column("size", 8, right=True, from_cells=96),
    Column("value", 0),
)


def _cells(row: StateRow, _: int) -> Sequence[Run]:
    return (
        ("*" if row.changed else " ", Ink.WARN),
        (row.key, Ink.STRONG),
        (str(row.written_at_epoch), Ink.DIM),
        (bytes_text(row.size_bytes), Ink.DIM),
        told_value(row),
    )


def told_value(row: StateRow) -> Run:
    """Return a value on one line: what differs, where that is known."""
    if row.changes:
        return (changes_text(row.changes), Ink.PLAIN)
    if row.text is None:
        return ("discarded", Ink.DIM)
    return (row.text[:_MAX_TOLD], Ink.PLAIN if row.readable else Ink.DIM)


STATE: Final = TableForm(_COLUMNS, _cells, lambda row: (row.step_id, row.key))


def changes_text(changes: Sequence[FieldChange]) -> str:
    """Return ``count 3 > 4, worst_min - > 12``."""
    return ", ".join(
        f"{each.path} {_side(each.before)} > {_side(each.after)}".strip() for each in changes
    )


def _side(text: str | None) -> str:
    return _NOTHING if text is None else text[:_MAX_TOLD]


def row_lines(row: StateRow | None) -> Iterator[Line]:
    """Yield everything about a key: its value, and what differs from the one before."""
    if row is None:
        return
    yield (
        (row.key, Ink.STRONG),
        (f"  written at epoch {row.written_at_epoch}, {bytes_text(row.size_bytes)}", Ink.DIM),
    )
    if row.changes:
        yield from change_lines(row.changes)
        yield ()
    if not row.readable:
        yield (("A foreign pickle: its structure, told without running any of it.", Ink.WARN),)
    if row.text is None:
        yield (("The key was discarded.", Ink.WARN),)
    else:
        yield from body_lines(row.text)


def change_lines(changes: Sequence[FieldChange]) -> Iterator[Line]:
    """Yield each field that differs: before in one ink, after in another."""
    yield heading("What differs")
    for each in changes:
        yield ((f"  {each.path or 'the whole value'}", Ink.ACCENT),)
        yield from _signed("- ", each.before, Ink.BAD)
        yield from _signed("+ ", each.after, Ink.GOOD)


def _signed(sign: str, text: str | None, ink: Ink) -> Iterator[Line]:
    if text is None:
        return
    for line in body_lines(text):
        yield ((f"    {sign}", ink), *((part, ink) for part, _ in line))


def no_state_lines(*, steps: bool, search: str, changed_only: bool) -> Iterator[Line]:
    """Yield why no key is listed."""
    if not steps:
        yield plain(" No step of this flow keeps state.")
        yield (
            (" A StatefulStep or a CollectBatch would; sources always keep positions.", Ink.DIM),
        )
    elif search:
        yield plain(f" No key has {search} in it.")
        yield ((" esc", Ink.KEY), (" drops the search; abc* looks for a beginning", Ink.DIM))
    elif changed_only:
        yield plain(" This epoch wrote no key.")
        yield ((" c", Ink.KEY), (" shows all keys", Ink.DIM))
    else:
        yield plain(" No key has a value at this epoch.")
