"""How a trace ended, where that is not told by its stops: cut off, refused, what it printed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from loom_bench.session.tracing.value import TraceState, TraceView
from loom_bench.tui.figures import count_text, millis_text
from loom_bench.tui.ink import Ink, Line, plain
from loom_bench.tui.panels.texts import heading
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
    return (
        (word, ink),
        (f"{revision}{after}", Ink.PLAIN),
        (f"  {millis_text(view.trace.duration_ms)}", Ink.DIM),
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
        for line in trace.stack:
            yield ((f"  {line}", Ink.PLAIN),)
    if view.printed:
        yield ()
        left = (
            f"  {count_text(view.printed_left_out)} lines left out" if view.printed_left_out else ""
        )
        yield (("printed meanwhile", Ink.STRONG), (left, Ink.WARN))
        for line in view.printed:
            yield plain(f"  {line}")
