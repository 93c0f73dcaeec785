"""What two runs differ in, as one list: outputs, errors, state; and everything about one of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from loom_bench.session.snapshots.comparison_value import (
    Comparison,
    ErrorDifference,
    OutputDifference,
    StateDifference,
    ValueDifference,
)
from loom_bench.tui.ink import Ink, Line, Run
from loom_bench.tui.panels.texts import body_lines, heading, labelled
from loom_bench.tui.widgets.line_table import Column, TableForm
from loom_runtime.places import place_text_of

_MAX_TOLD: Final = 2_000

_INKS: Final = {
    "added": Ink.GOOD,
    "removed": Ink.BAD,
    "changed": Ink.WARN,
    "fixed": Ink.GOOD,
    "new": Ink.BAD,
    "same": Ink.DIM,
}


class Difference(Struct, frozen=True):
    """Something in which two runs differ.

    Attributes:
        number: Its place in the comparison.
        what: ``output``, ``error`` or ``state``.
        kind: How it differs.
        name: Topic, source partition or step.
        place: The record that it came of, or the key.
        key: Key of an output.
        left: Its value on the left.
        right: Its value on the right.
        fields: Which fields differ.
        unstable: Whether it also differs between two runs of one revision.
    """

    number: int
    what: str
    kind: str
    name: str
    place: str
    key: str = ""
    left: str | None = None
    right: str | None = None
    fields: tuple[ValueDifference, ...] = ()
    unstable: bool = False


def differences_of(comparison: Comparison | None, *, unstable: bool) -> Sequence[Difference]:
    """Return what differs; only what is stable, or only what is not."""
    if comparison is None:
        return ()
    every: tuple[OutputDifference | ErrorDifference | StateDifference, ...]
    every = (*comparison.outputs, *comparison.errors, *comparison.state)
    found = (_difference(number, each) for number, each in enumerate(every))
    return tuple(each for each in found if each.unstable is unstable)


def _difference(
    number: int, each: OutputDifference | ErrorDifference | StateDifference
) -> Difference:
    if isinstance(each, StateDifference):
        return Difference(
            number,
            "state",
            each.kind.value,
            each.step_id,
            each.key,
            fields=each.fields,
            unstable=each.unstable,
        )
    place = place_text_of(each.partition, each.offset)
    if isinstance(each, ErrorDifference):
        return Difference(number, "error", each.kind, "", place, "", each.left, each.right)
    return Difference(
        number,
        "output",
        each.kind.value,
        each.sink,
        place,
        each.key,
        each.left,
        each.right,
        each.fields,
        each.unstable,
    )


_COLUMNS: Final = (
    Column("", 6),
    Column("how", 7),
    Column("of record, key", 20),
    Column("where", 18, from_cells=92),
    Column("what differs", 0),
)


def _cells(each: Difference, _: int) -> Sequence[Run]:
    return (
        (each.what, Ink.DIM),
        (each.kind, _INKS.get(each.kind, Ink.PLAIN)),
        (each.place, Ink.ACCENT),
        (each.name, Ink.STRONG),
        (_told(each), Ink.PLAIN),
    )


def _told(each: Difference) -> str:
    if each.fields:
        return ", ".join(
            f"{field.path} {_side(field.left)} > {_side(field.right)}".strip()
            for field in each.fields
        )
    if each.what == "error":
        return each.right or each.left or ""
    return (each.right if each.right is not None else each.left or "")[:_MAX_TOLD]


def _side(text: str | None) -> str:
    return "-" if text is None else text[:_MAX_TOLD]


DIFFERENCES: Final = TableForm(_COLUMNS, _cells, lambda each: each.number)


def difference_lines(each: Difference) -> Iterator[Line]:
    """Yield everything about a difference: field by field, then both values."""
    yield ((f"{each.what} ", Ink.DIM), (each.kind, _INKS.get(each.kind, Ink.PLAIN)))
    if each.unstable:
        yield (("It differs between two runs of one revision, too.", Ink.WARN),)
    yield labelled("where", each.name)
    yield labelled("of", each.place, Ink.ACCENT)
    if each.key:
        yield labelled("key", each.key)
    for field in each.fields:
        yield ()
        yield heading(field.path or "the whole value")
        yield from _signed("- ", field.left, Ink.BAD)
        yield from _signed("+ ", field.right, Ink.GOOD)
    for title, text in (("Left", each.left), ("Right", each.right)):
        if text:
            yield ()
            yield heading(title)
            yield from body_lines(text)


def _signed(sign: str, text: str | None, ink: Ink) -> Iterator[Line]:
    if text is None:
        yield ((f"  {sign}not there", Ink.DIM),)
        return
    for line in body_lines(text):
        yield ((f"  {sign}", ink), *((part, ink) for part, _ in line))


def rule_of(each: Difference) -> str:
    """Return the rule that leaves out the first field in which *each* differs."""
    path = each.fields[0].path if each.fields else "*"
    if each.what == "state":
        return f"state:{each.name}:{path or '*'}"
    return f"{each.name}:{path or '*'}"
