"""How a trace ended, where that is not told by its stops: cut off, refused, what it printed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from loom_bench.session.tracing.value import TraceState, TraceView
from loom_bench.tui.figures import millis_text, of_many
from loom_bench.tui.ink import Ink, Line, plain
from loom_bench.tui.panels.texts import heading
from loom_bench.tui.stepping.failure_lines import frame_line
from loom_runtime.tracing.trace import TraceOutcome

_FATES: Final = {
    TraceOutcome.WRITTEN: ("passes: written", Ink.GOOD),
    TraceOutcome.ERRORED: ("fails", Ink.BAD),
    TraceOutcome.FILTERED: ("passes: filtered", Ink.GOOD),
    TraceOutcome.HELD: ("passes: held", Ink.GOOD),
    TraceOutcome.RUN_FAILED: ("would end the run", Ink.BAD),
    TraceOutcome.CUT_OFF: ("cut off", Ink.BAD),
    TraceOutcome.UNDER_WAY: ("under way", Ink.WARN),
}


def fate_line(view: TraceView | None, *, edited: bool = False) -> Line:
    """Return what became of the record in its trace, and in which code."""
    if view is None:
        return (("being fetched", Ink.WARN),)
    revision = f" in r{view.revision}" if view.revision else ""
    if view.state is TraceState.WAITING:
        return ((f"waits for the code{revision}", Ink.WARN),)
    if view.state is TraceState.RUNNING:
        return ((f"runs{revision}", Ink.WARN),)
    if view.state is TraceState.REFUSED:
        return (("cannot be traced", Ink.BAD),)
    word, ink = _FATES[view.trace.outcome]
    after = " with the edited value" if edited else ""
    cut_off = view.trace.outcome is TraceOutcome.CUT_OFF
    return (
        (word, ink),
        (f"{revision}{after}", Ink.PLAIN),
        ("" if cut_off else f"  {millis_text(view.trace.duration_ms)}", Ink.DIM),
    )


def end_lines(view: TraceView) -> Iterator[Line]:
    """Yield why it ended early, and what the code printed meanwhile."""
    if view.problem:
        yield ((f"x {view.problem}", Ink.BAD),)
    trace = view.trace
    if trace.problem:
        yield ((f"x {trace.problem}", Ink.BAD),)
    if trace.hint:
        yield (("do  ", Ink.DIM), (trace.hint, Ink.STRONG))
    if trace.stack:
        yield heading("where it was")
        for frame in trace.stack:
            yield ((("  ", Ink.PLAIN)), *frame_line(frame))
            for line in frame.source:
                yield ((f"      {line}", Ink.STRONG),)
    if view.printed:
        yield ()
        yield from _printed(view)


def _printed(view: TraceView) -> Iterator[Line]:
    left_out = view.printed_left_out
    whole = f"  {of_many(len(view.printed) + left_out, 'line')}"
    yield (("printed meanwhile", Ink.STRONG), (whole, Ink.DIM))
    gap = len(view.printed) // 2 if left_out else -1
    for number, line in enumerate(view.printed):
        if number == gap:
            yield ((f"  {of_many(left_out, 'line')} are left out here", Ink.WARN),)
        yield plain(f"  {line}")
