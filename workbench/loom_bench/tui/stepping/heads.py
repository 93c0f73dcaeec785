"""The lines at the top of the stepping screen: which record it is, and how it fares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from loom_bench.protocol.tracing import StopAction
from loom_bench.session.envelopes.value import InboxValue, OpenEnvelope
from loom_bench.session.tracing.value import LiveStopView, TraceView
from loom_bench.tui.figures import age_text, count_text
from loom_bench.tui.inbox.proof import row_state
from loom_bench.tui.inbox.tables import told
from loom_bench.tui.ink import Ink, Line, Run
from loom_bench.tui.stepping.payloads import PayloadView
from loom_bench.tui.stepping.trace_lines import fate_line
from loom_runtime.places import place_text

_ANSWERS: Final = {
    StopAction.GO_ON: "going on",
    StopAction.SKIP: "skipping",
    StopAction.DEAD_LETTER: "dead-lettering",
    StopAction.EDIT: "going on with the edited value",
    StopAction.RUN_AGAIN: "running it again",
}


def envelope_head(
    opened: OpenEnvelope | None,
    trace: TraceView | None,
    inbox: InboxValue,
    index: int,
    view: PayloadView,
) -> Sequence[Line]:
    """Return the two lines about an envelope.

    Args:
        opened: The envelope; ``None`` while it is fetched.
        trace: Its newest trace.
        inbox: The newest value.
        index: Its number in its group, from 0.
        view: How values are shown.
    """
    if opened is None:
        return (((" being fetched", Ink.WARN),), ())
    row = opened.row
    place = row.source or row.place
    state, ink = row_state(row)
    fate: Line = (("cannot be traced", Ink.BAD),)
    if trace is not None or opened.problem is None:
        fate = fate_line(trace, edited=opened.edited)
    first: list[Run] = [
        (f" {count_text(index + 1)}/{count_text(max(inbox.window.total, index + 1))} ", Ink.KEY),
        (told(row.exception_type, row.reason), Ink.BAD),
        (f" at {row.node}" if row.node else "", Ink.STRONG),
        (f"  {place or 'imported'}", Ink.ACCENT),
        (f"  key {row.key}" if row.key else "", Ink.PLAIN),
        (f"  try {row.attempt}" if row.attempt > 1 else "", Ink.WARN),
    ]
    second: list[Run] = [
        (" ", Ink.PLAIN),
        (state, ink),
        ("  │  the code as it is: ", Ink.DIM),
        *fate,
        ("  │  values as ", Ink.DIM),
        (view.value, Ink.KEY),
    ]
    return first, second


def stop_head(stop: LiveStopView | None, now_ms: int, view: PayloadView) -> Sequence[Line]:
    """Return the two lines about the record that the live flow waits at."""
    if stop is None:
        return (
            (
                (" The flow runs. ", Ink.BADGE_GOOD),
                ("  It shows here where it stops again.", Ink.DIM),
            ),
            (),
        )
    what = stop.stop
    failure = what.trace.failures[-1] if what.trace.failures else None
    why: Run = (
        (told(failure.exception_type, failure.reason), Ink.BAD)
        if failure is not None
        else (f"breakpoint {what.breakpoint}", Ink.WARN)
    )
    where = place_text(what.topic, what.partition, what.offset)
    first: list[Run] = [
        (f" STOPPED {'at' if failure is not None else 'before'} {what.node} ", Ink.BADGE_BAD),
        (" ", Ink.PLAIN),
        why,
        (f"  {where}", Ink.ACCENT),
        (f"  {age_text(what.at_ms, now_ms)}", Ink.DIM),
        (f"  {count_text(what.waiting)} more wait behind it" if what.waiting else "", Ink.DIM),
    ]
    if stop.problem:
        return first, ((f" x {stop.problem}", Ink.BAD),)
    if stop.answer is not None:
        return first, ((f" {_ANSWERS[stop.answer]}", Ink.WARN),)
    return first, (
        (" Saving the file goes on with this record in the new revision.", Ink.ACCENT),
        (f"  │  values as {view.value}", Ink.DIM),
    )
