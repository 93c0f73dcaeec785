"""How far a bisection is, its looks, and what it found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from loom_bench.session.snapshots.bisection_value import Bisection, BisectPhase, Probe
from loom_bench.tui.figures import count_text, of_many
from loom_bench.tui.ink import Ink, Line, Run
from loom_bench.tui.panels.texts import body_lines
from loom_bench.tui.timeline.tabs import trouble_lines
from loom_bench.tui.widgets.line_table import Column, TableForm
from loom_runtime.places import place_text_of

OVER: Final = (BisectPhase.ENDED, BisectPhase.FAILED)


class Look(Struct, frozen=True):
    """A look of a bisection, and its number from 1."""

    number: int
    probe: Probe


def looks_of(bisection: Bisection | None) -> Sequence[Look]:
    """Return the looks, oldest first."""
    probes = () if bisection is None else bisection.probes
    return tuple(Look(number, probe) for number, probe in enumerate(probes, start=1))


_COLUMNS: Final = (
    Column("look", 5, right=True),
    Column("epoch", 8, right=True),
    Column("records after it", 17, right=True),
    Column("how", 14),
    Column("", 0),
)


def _cells(look: Look, _: int) -> Sequence[Run]:
    probe = look.probe
    return (
        (str(look.number), Ink.DIM),
        (str(probe.epoch), Ink.STRONG),
        (count_text(probe.records) if probe.records else "", Ink.PLAIN),
        ("replayed" if probe.replayed else "looked", Ink.DIM),
        ("holds", Ink.GOOD) if probe.holds else ("fails", Ink.BAD),
    )


LOOKS: Final = TableForm(_COLUMNS, _cells, lambda look: look.number, follows=True)


def search_lines(bisection: Bisection | None) -> Sequence[Line]:
    """Return how far the search is, and what it found."""
    return () if bisection is None else tuple(_lines(bisection))


def _lines(bisection: Bisection) -> Iterator[Line]:
    looks = (
        f"{of_many(len(bisection.probes), 'look')}, {count_text(bisection.runs)} of them replays"
    )
    badge = {
        BisectPhase.ENDED: (" FOUND ", Ink.BADGE_GOOD),
        BisectPhase.FAILED: (" FAILED ", Ink.BADGE_BAD),
    }.get(bisection.phase, (" SEARCHING ", Ink.BADGE_WARN))
    runs: list[Run] = [badge, (f"  {looks}", Ink.PLAIN)]
    if bisection.phase not in OVER:
        runs += [
            (
                "  among epochs" if bisection.phase is BisectPhase.EPOCHS else "  among records",
                Ink.DIM,
            ),
            ("  x", Ink.KEY),
            (" calls it off", Ink.DIM),
        ]
    yield runs
    yield _span(bisection)
    if bisection.problem is not None:
        yield from trouble_lines(bisection.problem)
    found = bisection.found
    if found is not None:
        yield (
            (" first bad epoch ", Ink.DIM),
            (str(found.epoch), Ink.BAD),
            ("  v", Ink.KEY),
            (" goes to it", Ink.DIM),
        )
        if found.partition:
            yield (
                (" first bad record ", Ink.DIM),
                (place_text_of(found.partition, found.offset), Ink.BAD),
            )
            yield from body_lines(found.record)


def _span(bisection: Bisection) -> Line:
    runs: list[Run] = []
    for word, epoch, ink in (("good", bisection.good, Ink.GOOD), ("bad", bisection.bad, Ink.BAD)):
        if epoch is not None:
            runs += [(f" {word} at epoch ", Ink.DIM), (str(epoch), ink), (" ", Ink.PLAIN)]
    if bisection.records_left is not None:
        runs.append((f" {of_many(bisection.records_left, 'record')} between", Ink.PLAIN))
    return runs
