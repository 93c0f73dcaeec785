"""The list of epochs: when each was closed, where the sources stood, what happened."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

from loom_bench.session.snapshots.value import EpochView, MarkKind
from loom_bench.tui.figures import bytes_text, clock_text, count_text, millis_text, moment_text
from loom_bench.tui.ink import Ink, Run
from loom_bench.tui.timeline.quiet_run import QuietRun
from loom_bench.tui.widgets.line_table import Column, TableForm
from loom_runtime.places import in_order

MARK_INKS: Final = {
    MarkKind.START: Ink.ACCENT,
    MarkKind.RELOAD: Ink.ACCENT,
    MarkKind.DRAIN: Ink.GOOD,
    MarkKind.ERROR: Ink.BAD,
    MarkKind.CRASH: Ink.BAD,
}
"""By gravity, the gravest last."""

MARK_LETTERS: Final = {
    MarkKind.START: "s",
    MarkKind.RELOAD: "r",
    MarkKind.DRAIN: "d",
    MarkKind.ERROR: "x",
    MarkKind.CRASH: "X",
}

GRAVITY: Final = tuple(MARK_INKS)

_NONE: Final[Run] = ("", Ink.DIM)

_COLUMNS: Final = (
    Column("", 1),
    Column("epoch", 8, right=True),
    Column("closed", 16),
    Column("records", 7, right=True),
    Column("keys", 6, right=True),
    Column("size", 8, right=True),
    Column("revision", 12, from_cells=96),
    Column("positions", 40, from_cells=138),
    Column("what happened", 0),
)


def _cells(epoch: EpochView, now_ms: int) -> Sequence[Run]:
    ink = Ink.PLAIN if epoch.complete else Ink.DIM
    return (
        letter_of(epoch),
        (str(epoch.number), Ink.STRONG if epoch.complete else Ink.DIM),
        ("-" if epoch.at_ms is None else moment_text(epoch.at_ms, now_ms), ink),
        _count(epoch.records),
        _count(epoch.keys_changed),
        _NONE if epoch.state_bytes is None else (bytes_text(epoch.state_bytes), Ink.DIM),
        (epoch.revision or "", Ink.DIM),
        (positions_text(epoch.positions), Ink.DIM),
        happened(epoch),
    )


def _count(count: int | None) -> Run:
    return ("..", Ink.DIM) if count is None else (count_text(count), Ink.PLAIN)


def letter_of(epoch: EpochView) -> Run:
    """Return a letter for the gravest mark of *epoch*."""
    if not epoch.complete:
        return ("-", Ink.WARN)
    if not epoch.marks:
        return _NONE
    kind = max((mark.kind for mark in epoch.marks), key=GRAVITY.index)
    return MARK_LETTERS[kind], MARK_INKS[kind]


def happened(epoch: EpochView) -> Run:
    """Return what happened at *epoch*, or why it may not be chosen."""
    if not epoch.complete:
        return (f"not whole: {epoch.why_not}", Ink.WARN)
    if isinstance(epoch, QuietRun):
        return _quiet(epoch)
    if not epoch.marks:
        return _NONE
    told = "; ".join(
        f"{mark.kind.value} {mark.text or (count_text(mark.count) if mark.count else '')}".strip()
        for mark in epoch.marks
    )
    return told, letter_of(epoch)[1]


def _quiet(run: QuietRun) -> Run:
    span = ""
    if run.began_ms is not None and run.at_ms is not None:
        span = f", {millis_text(run.at_ms - run.began_ms)}"
    return (f"{count_text(run.count)} epochs{span}: nothing changed since {run.first}", Ink.DIM)


def positions_text(positions: dict[str, int]) -> str:
    """Return where the sources stood: ``flights 0=120 1=80``."""
    told: list[str] = []
    before = ""
    for key, offset in in_order(positions):
        topic, _, partition = key.rpartition(":")
        told.append(f"{partition}={offset}" if topic == before else f"{topic} {partition}={offset}")
        before = topic
    return " ".join(told)


EPOCHS: Final = TableForm(_COLUMNS, _cells, lambda epoch: epoch.number, follows=True, ages=False)


def index_of(epochs: Sequence[EpochView], number: int) -> int:
    """Return where the epoch *number* stands, or the last one before it; history is thinned."""
    at = bisect_left(epochs, number, key=lambda epoch: epoch.number)
    found = at < len(epochs) and epochs[at].number == number
    return at if found or not at else at - 1


def find_epoch(epochs: Sequence[EpochView], wanted: str) -> int | None:
    """Return where the epoch stands that *wanted* names: by its number, or by the beginning of a
    time of day; ``None`` when there is none."""
    wanted = wanted.strip()
    if wanted.isdecimal() and len(wanted) < 20:
        return index_of(epochs, int(wanted)) if epochs else None
    told = (
        index
        for index, epoch in enumerate(epochs)
        if epoch.at_ms is not None and clock_text(epoch.at_ms) >= wanted
    )
    return next(told, None) if wanted[:1].isdigit() else None
