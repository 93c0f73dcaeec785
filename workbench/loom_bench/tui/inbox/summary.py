"""What stands above the inbox's tables: totals, topics, what was left out; or that it is empty."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from loom_bench.session.envelopes.redrive_value import RedriveProgress
from loom_bench.session.envelopes.terms import InboxFilter, TriageState
from loom_bench.session.envelopes.value import InboxGroup, InboxValue, TopicReading
from loom_bench.tui.figures import count_text, of_many, rate_text
from loom_bench.tui.inbox.proof import STATE_INKS, tally_line
from loom_bench.tui.inbox.searching import search_text
from loom_bench.tui.ink import Ink, Line, Run, joined, plain, width_of

_BETWEEN: Final = (" │ ", Ink.DIM)
_BAR_CELLS: Final = 16


def summary_lines(value: InboxValue, width: int) -> Sequence[Line]:
    """Return two lines of *width* cells: what there is, and where it was read.

    What does not fit on the first stands on the second, before what is less important.
    """
    first: list[Line] = []
    rest = [line for line in (*_totals(value), *_sources(value)) if line]
    while rest and width_of(joined([*first, rest[0]], _BETWEEN)) <= width:
        first.append(rest.pop(0))
    return joined(first, _BETWEEN), ((" ", Ink.PLAIN), *joined(rest, _BETWEEN))


def _totals(value: InboxValue) -> Iterator[Line]:
    yield (
        (f" {of_many(value.kept.seen, 'envelope')}", Ink.STRONG),
        (f" in {of_many(value.groups_total, 'group')}", Ink.PLAIN),
    )
    yield _states(value)
    if value.redrive is not None:
        yield redrive_line(value.redrive)
    yield tally_line(value.proof)
    if value.filter != InboxFilter():
        yield (
            ("filter ", Ink.DIM),
            (search_text(value.filter), Ink.ACCENT),
            (f": {count_text(value.window.total)} match", Ink.DIM),
        )
    if value.undoable:
        yield (("u", Ink.KEY), (f" undoes {value.undoable}", Ink.DIM))


def _states(value: InboxValue) -> Line:
    runs: list[Run] = []
    for state in TriageState:
        count = value.states.get(state, 0)
        if count or state is TriageState.OPEN:
            ink = STATE_INKS[state] if count else Ink.GOOD
            space = "  " if runs else ""
            runs += [(f"{space}{count_text(count)}", ink), (f" {state.value}", Ink.DIM)]
    return runs


def _sources(value: InboxValue) -> Iterator[Line]:
    if value.kept.text:
        yield ((value.kept.text, Ink.WARN),)
    for reading in value.topics:
        yield _topic(reading)
    if value.store_path is None and value.kept.seen:
        yield (("decisions end with this session", Ink.DIM),)


def _topic(reading: TopicReading) -> Line:
    runs: list[Run] = [(f"{reading.topic} ", Ink.PLAIN)]
    if reading.problem is not None:
        return (*runs, (f"x {reading.problem.message}", Ink.BAD))
    runs.append((f"{count_text(reading.read)} read", Ink.DIM))
    if reading.behind:
        runs.append((f", {count_text(reading.behind)} to come", Ink.WARN))
    if reading.strange:
        runs.append((f", {count_text(reading.strange)} are no envelopes", Ink.WARN))
    return runs


def redrive_line(redrive: RedriveProgress) -> Line:
    """Return how far a redrive is."""
    total = max(1, redrive.plan.records)
    written = (f"{count_text(redrive.written)}/{count_text(redrive.plan.records)}", Ink.PLAIN)
    failed = (f", {count_text(redrive.failed)} failed" if redrive.failed else "", Ink.BAD)
    if redrive.state == "running":
        done = round(min(1.0, (redrive.written + redrive.failed) / total) * _BAR_CELLS)
        rate = redrive.written / redrive.elapsed_s if redrive.elapsed_s else 0.0
        return (
            ("redriving ", Ink.WARN),
            (f"[{'=' * done}{' ' * (_BAR_CELLS - done)}] ", Ink.WARN),
            written,
            failed,
            (f" {rate_text(rate)}/s", Ink.DIM),
        )
    inks = {"done": Ink.GOOD, "cancelled": Ink.WARN}
    why = f": {redrive.problem.message}" if redrive.problem is not None else ""
    return (
        (f"redrive {redrive.state}{why} ", inks.get(redrive.state, Ink.BAD)),
        written,
        failed,
    )


def empty_lines(value: InboxValue) -> Sequence[Line]:
    """Return what stands where groups would: what to do."""
    if value.groups_total:
        return (plain(" No envelope matches."), ((" esc", Ink.KEY), (" drops the filter", Ink.DIM)))
    if not value.topics:
        return (
            plain(" No error topic is being read."),
            (
                (" A flow writes its failures to ", Ink.DIM),
                ("errors=IntoTopic(…)", Ink.ACCENT),
                (" of its StreamFlow.", Ink.DIM),
            ),
            *_ways_in(),
        )
    behind = sum(reading.behind or 0 for reading in value.topics)
    if behind:
        return (plain(f" {count_text(behind)} records are still to be read."),)
    return (
        ((" No record failed.", Ink.GOOD),),
        ((" Failures of this flow come here by themselves, as it writes them.", Ink.DIM),),
        *_ways_in(),
    )


def _ways_in() -> Iterator[Line]:
    yield ((" T", Ink.KEY), (" reads another dead-letter topic", Ink.DIM))
    yield ((" I", Ink.KEY), (" takes in an envelope that a colleague exported", Ink.DIM))


def group_lines(group: InboxGroup | None) -> Iterator[Line]:
    """Yield what all envelopes of a group have in common, for the preview."""
    if group is None:
        return
    yield ((group.exception_type or "no exception is told", Ink.BAD),)
    for text in group.reason.splitlines()[:3]:
        yield plain(f"  {text}")
    yield ()
    if group.traceback:
        for text in group.traceback.splitlines()[:40]:
            yield plain(text)
    else:
        yield (("No frame of user code was on the way there.", Ink.DIM),)
    yield ()
    kept = "" if group.kept == group.count else f", {count_text(group.kept)} at hand one by one"
    yield (("envelopes  ", Ink.DIM), (f"{count_text(group.count)}{kept}", Ink.PLAIN))
    if group.parked:
        yield (
            ("parked     ", Ink.DIM),
            (f"{count_text(group.parked)} failed again after a redrive", Ink.WARN),
        )
    yield (("group      ", Ink.DIM), (group.fingerprint, Ink.DIM))
