"""One stop as lines: what the node took and gave, its state, its failure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from loom_bench.tui.figures import clock_text, millis_text
from loom_bench.tui.ink import Ink, Line, Run
from loom_bench.tui.stepping.columns import BETWEEN, half, side_by_side
from loom_bench.tui.stepping.failure_lines import failure_lines
from loom_bench.tui.stepping.payloads import Pair, PayloadView, pair_lines
from loom_bench.tui.stepping.stations import Station, Unmet
from loom_runtime.compiler.plan import NodeKind
from loom_runtime.tracing.failure import TracedFailure
from loom_runtime.tracing.shown import ShownValue, TracedMessage
from loom_runtime.tracing.trace import StopOutcome, TracedOutput, TraceStop

_FAILURE_BESIDE_FROM_CELLS: Final = 110
"""Source lines need most of a hundred cells; below that the failure stands above the input."""

_INPUT_SHARE: Final = 0.35
"""Share of the width that an input takes beside a failure."""

_MAX_HEADERS: Final = 20

_NOTHING_CAME: Final = {
    StopOutcome.RUNNING: "It has not come back yet.",
    StopOutcome.PASSED: "Nothing came out.",
    StopOutcome.FILTERED: "Filtered: the node gave nothing, and its way ends here.",
    StopOutcome.WRITTEN: "It was written.",
    StopOutcome.HELD: "Held: it waits in the batch or window.",
    StopOutcome.LATE: "It came too late for its window.",
    StopOutcome.FAILED: "Nothing came out: it failed.",
    StopOutcome.CUT_OFF: "It never came back.",
}

_UNMET: Final = {
    Unmet.ENDED: "The record has not come here: its way ended before, or has not led here yet.",
    Unmet.BRANCH: "The record took another branch.",
    Unmet.BEFORE: "The trace began behind this node, with the edited value.",
}


@dataclass(frozen=True)
class StopLook:
    """What is looked at in a stop.

    Attributes:
        view: How values are shown.
        taken: Which of the messages that the node took, from 0.
        given: Which of those that it gave.
    """

    view: PayloadView = PayloadView.TREE
    taken: int = 0
    given: int = 0


@dataclass(frozen=True)
class _Side:
    """A value and what stands above it."""

    title: Line
    value: ShownValue | None
    instead: str = ""


def shown_failure(stop: TraceStop, taken: int) -> TracedFailure | None:
    """Return the failure of the message number *taken*, or the first."""
    of_it = (failure for failure in stop.failures if failure.taken == taken)
    return next(of_it, stop.failure)


def stop_lines(
    station: Station,
    look: StopLook,
    width: int,
    outputs: Sequence[TracedOutput] = (),
) -> Sequence[Line]:
    """Return everything about one station.

    Args:
        station: The station.
        look: What is looked at.
        width: Cells.
        outputs: What was written there.
    """
    if station.stop is None:
        return (
            _head(station),
            (),
            ((_UNMET[station.unmet], Ink.DIM),),
        )
    return tuple(_lines(station, station.stop, look, width, outputs))


def _lines(
    station: Station, stop: TraceStop, look: StopLook, width: int, outputs: Sequence[TracedOutput]
) -> Iterator[Line]:
    yield _head(station)
    failure = shown_failure(stop, look.taken)
    taken = _taken(stop, look)
    if failure is not None:
        yield ()
        beside = width >= _FAILURE_BESIDE_FROM_CELLS
        room = round(width * _INPUT_SHARE) if beside else width
        beside_cells = width - room - len(BETWEEN[0]) if beside else width
        told = tuple(failure_lines(failure, beside_cells))
        alone = pair_lines(taken.value, None, look.view, room).before
        left = (taken.title, *alone, *_meta(stop, look))
        if beside:
            yield from side_by_side(left, told, room)
        else:
            yield from told
            yield ()
            yield from left
    else:
        yield ()
        yield from _two(taken, _given(stop, look, outputs), look.view, width)
        yield from _meta(stop, look)
    yield from _state(stop, look.view, width)


def _head(station: Station) -> Line:
    stop = station.stop
    word, ink = station.word
    runs: list[Run] = [(station.name, Ink.STRONG)]
    if stop is not None:
        kind = stop.kind.value.replace("_", " ") if stop.kind is not None else ""
        runs.append((f"  {kind}" if kind else "", Ink.DIM))
        if stop.duration_ms is not None and not station.inside:
            word = f"{stop.outcome.value} in {millis_text(stop.duration_ms)}"
    runs.append((f"  {word}", ink))
    branches = [] if stop is None else [branch for branch in stop.branches if branch]
    if branches:
        runs += [("  took ", Ink.DIM), (", ".join(branches), Ink.ACCENT)]
    return runs


def _taken(stop: TraceStop, look: StopLook) -> _Side:
    return _side("in", stop.takes, stop.takes_left_out, look.taken, "Nothing is known of it.")


def _given(stop: TraceStop, look: StopLook, outputs: Sequence[TracedOutput]) -> _Side:
    if stop.outcome is StopOutcome.WRITTEN and outputs:
        at = min(look.given, len(outputs) - 1)
        output = outputs[at]
        title: list[Run] = [("written to ", Ink.DIM), (output.topic or "no topic", Ink.STRONG)]
        if len(outputs) > 1:
            title.append((f"  {at + 1} of {len(outputs)}", Ink.KEY))
        return _Side(title, output.value)
    return _side("out", stop.gives, stop.gives_left_out, look.given, _NOTHING_CAME[stop.outcome])


def _side(
    word: str, messages: Sequence[TracedMessage], left_out: int, at: int, instead: str
) -> _Side:
    title: list[Run] = [(f"{word} ", Ink.DIM)]
    if not messages:
        return _Side(title, None, instead)
    at = min(at, len(messages) - 1)
    value = messages[at].value
    title.append((value.type_name, Ink.STRONG))
    if len(messages) > 1 or left_out:
        title.append((f"  {at + 1} of {len(messages) + left_out}", Ink.KEY))
    return _Side(title, value)


def _two(left: _Side, right: _Side, view: PayloadView, width: int) -> Iterator[Line]:
    pair: Pair = pair_lines(left.value, right.value, view, half(width))
    yield from side_by_side(
        (left.title, *(pair.before or _instead(left))),
        (right.title, *(pair.after or _instead(right))),
        half(width),
    )


def _instead(side: _Side) -> Sequence[Line]:
    return (((f"  {side.instead}", Ink.DIM),),)


def _state(stop: TraceStop, view: PayloadView, width: int) -> Iterator[Line]:
    if stop.state_key is None and stop.kind is not NodeKind.STATEFUL_STEP:
        return
    yield ()
    before: list[Run] = [("state of ", Ink.DIM), (stop.state_key or "no key", Ink.ACCENT)]
    left = _Side([*before, ("  before", Ink.DIM)], stop.state_before, "This key had none.")
    left_as_it_was = "It is left as it was: the node failed."
    instead = left_as_it_was if stop.failures else "There is none: it was dropped."
    right = _Side([*before, ("  after", Ink.DIM)], stop.state_after, instead)
    yield from _two(left, right, view, width)


def _meta(stop: TraceStop, look: StopLook) -> Iterator[Line]:
    if not stop.takes:
        return
    meta = stop.takes[min(look.taken, len(stop.takes) - 1)].meta
    yield ()
    runs: list[Run] = [("key ", Ink.DIM), (key_text(meta.key), Ink.ACCENT)]
    if meta.message_type:
        runs += [("  type ", Ink.DIM), (meta.message_type, Ink.PLAIN)]
    if meta.produced_at_ms is not None:
        runs += [("  produced ", Ink.DIM), (clock_text(meta.produced_at_ms), Ink.PLAIN)]
    if meta.trace_id:
        runs += [("  trace ", Ink.DIM), (meta.trace_id, Ink.DIM)]
    yield runs
    if stop.kind is None:
        for name, content in list(meta.headers.items())[:_MAX_HEADERS]:
            yield ((f"{name}  ", Ink.DIM), (content.decode("utf-8", "backslashreplace"), Ink.PLAIN))


def key_text(key: bytes | None) -> str:
    """Return a record key as text; bytes that are none of UTF-8 as their codes."""
    return "none" if key is None else key.decode("utf-8", "backslashreplace")
