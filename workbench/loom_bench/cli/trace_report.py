"""A trace, as lines for people or JSON for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from loom_bench.cli.output import print_json
from loom_bench.safe import safe
from loom_bench.session.tracing.value import TraceState, TraceView
from loom_runtime.tracing.failure import TracedFailure, TracedFrame
from loom_runtime.tracing.trace import Trace, TraceOutcome, TraceStop

if TYPE_CHECKING:
    from loom_bench.session.envelopes.headless_traces import HeadlessTraces

_VALUE_CELLS = 160
_REASON_CELLS = 300


def print_trace(view: TraceView, *, as_json: bool) -> None:
    """Print every node that the record met."""
    if as_json:
        print_json(
            {"type": "trace", "state": view.state.value, "problem": view.problem}, view.trace
        )
        return
    if view.state is TraceState.REFUSED:
        click.echo(safe(view.problem or "it was not traced"))
        return
    for line in _lines(view.trace):
        click.echo(line)


def print_outcome(view: TraceView, *, as_json: bool) -> bool:
    """Print what comes of the record; return whether it passes."""
    trace = view.trace
    failure = trace.failures[0] if trace.failures else None
    ended = trace.outcome not in (TraceOutcome.CUT_OFF, TraceOutcome.RUN_FAILED)
    passes = view.state is TraceState.DONE and failure is None and ended
    problem = view.problem or trace.problem
    if as_json:
        print_json(
            {
                "type": "retry",
                "passes": passes,
                "outcome": trace.outcome.value,
                "problem": problem,
                "fingerprint": None if failure is None else failure.fingerprint,
                "node": None if failure is None else failure.node,
                "reason": None if failure is None else failure.reason,
            }
        )
    elif failure is not None:
        click.echo(_failure_line(failure))
    else:
        click.echo(safe(f"{trace.outcome.value}" + (f": {problem}" if problem else "")))
    return passes


def print_keyed_state(view: TraceView, traces: HeadlessTraces | None, *, as_json: bool) -> None:
    """Print where keyed steps had their state from, if the record met any: a step that finds none
    does what it does with a new key, and may pass or fail for that alone."""
    keys = {(stop.node, stop.state_key) for stop in view.trace.stops if stop.state_key is not None}
    if not keys or traces is None:
        return
    found = {
        (stop.node, stop.state_key) for stop in view.trace.stops if stop.state_before is not None
    }
    store, problem = traces.store, traces.store_problem
    if as_json:
        told = {"type": "keyed_state", "store": None if store is None else str(store)}
        print_json({**told, "keys": len(keys), "found": len(found), "problem": problem or None})
    elif store is None:
        click.echo(
            f"keyed state was not available: no recovery store is known, and {_of_keys(len(keys))} "
            "began as new. --store DIR names one.",
            err=True,
        )
    elif problem:
        click.echo(f"keyed state was not available: {safe(problem)}", err=True)
    else:
        click.echo(
            f"keyed state: of {_of_keys(len(keys))}, {len(found)} had one at the last epoch of "
            f"{safe(str(store))}"
        )


def _of_keys(count: int) -> str:
    return f"{count} key" + ("" if count == 1 else "s")


def _lines(trace: Trace) -> Iterator[str]:
    for stop in trace.stops:
        yield from _stop_lines(stop)
    for output in trace.outputs:
        text = safe(output.value.text, max_cells=_VALUE_CELLS)
        yield f"would write to {safe(output.topic or 'no topic')}: {text}"
    yield f"outcome: {trace.outcome.value}, {trace.duration_ms:.1f} ms"
    if trace.problem:
        yield f"  {safe(trace.problem)}"
        yield f"  → {safe(trace.hint)}"
    for frame in trace.stack:
        yield f"  {safe(frame.file)}:{frame.line} in {safe(frame.function)}"
        yield from (f"    {safe(line)}" for line in frame.source)


def _stop_lines(stop: TraceStop) -> Iterator[str]:
    took = "" if stop.duration_ms is None else f", {stop.duration_ms:.1f} ms"
    branches = f" → {', '.join(map(safe, stop.branches))}" if stop.branches else ""
    yield f"{safe(stop.name)}: {stop.outcome.value}{branches}{took}"
    for taken in stop.takes:
        yield f"    takes {safe(taken.value.text, max_cells=_VALUE_CELLS)}"
    for given in stop.gives:
        yield f"    gives {safe(given.value.text, max_cells=_VALUE_CELLS)}"
    if stop.state_key is not None:
        before = "none" if stop.state_before is None else stop.state_before.text
        after = "none" if stop.state_after is None else stop.state_after.text
        change = safe(f"{before} → {after}", max_cells=_VALUE_CELLS)
        yield f"    state of {safe(stop.state_key, max_cells=40)}: {change}"
    for failure in stop.failures:
        yield f"    {_failure_line(failure)}"
        for frame in failure.frames:
            yield from _frame_lines(frame)


def _failure_line(failure: TracedFailure) -> str:
    where = f" at {safe(failure.node)}" if failure.node else ""
    reason = safe(failure.reason, max_cells=_REASON_CELLS)
    return f"{failure.kind.value} error{where}: {safe(failure.exception_type)}: {reason}"


def _frame_lines(frame: TracedFrame) -> Iterator[str]:
    yield f"      {safe(frame.file)}:{frame.line} in {safe(frame.function)}"
    index = frame.line - frame.first_line
    if 0 <= index < len(frame.source):
        yield f"        {safe(frame.source[index].strip(), max_cells=_VALUE_CELLS)}"
    for local in frame.locals:
        value = safe(local.value.text, max_cells=_VALUE_CELLS)
        yield f"        {safe(local.name)} = {value}"
