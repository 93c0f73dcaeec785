"""Redrives records straight through the flow: traced in the code on disk, the outputs written."""

from __future__ import annotations

import time
from typing import Final, Self

from loom_bench.broker.rewriting import Rewritten
from loom_bench.protocol.frames import Load
from loom_bench.session.envelopes.headless_traces import HeadlessTraces
from loom_bench.session.tracing.value import TraceState
from loom_runtime.tracing.outputs import MAX_OUTPUTS
from loom_runtime.tracing.shown import ShownValue, ValueForm
from loom_runtime.tracing.trace import OutputKind, SourceRecord, Trace, TraceOutcome

_LOOK_S: Final = 0.002


class FlowPassage:
    """Passes records through the flow. A context manager.

    Args:
        load: How the code is loaded.
    """

    def __init__(self, load: Load) -> None:
        self._traces = HeadlessTraces(load)

    def outputs(self, record: SourceRecord) -> tuple[Rewritten, ...] | str:
        """Return what the flow writes for *record*, or why that is not to be written."""
        number = self._traces.trace_record(record)
        while True:
            views = self._traces.value().traces
            view = next((each for each in views if each.number == number), None)
            if view is not None and view.state is TraceState.REFUSED:
                return view.problem or "it could not be run"
            if view is not None and view.state is TraceState.DONE:
                return outputs_of(view.trace)
            time.sleep(_LOOK_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._traces.close()


def outputs_of(trace: Trace) -> tuple[Rewritten, ...] | str:
    """Return the records that a trace would have written, or why they are not to be."""
    if trace.failures:
        return f"it fails again: {trace.failures[0].reason}"
    if trace.outcome not in (TraceOutcome.WRITTEN, TraceOutcome.FILTERED):
        return trace.problem or f"the flow would not write it: {trace.outcome.value}"
    if trace.states:
        return "it changes state, which only the flow itself can"
    if len(trace.outputs) >= MAX_OUTPUTS:
        return f"it becomes {MAX_OUTPUTS} records or more"
    records = []
    for output in trace.outputs:
        if output.kind is not OutputKind.RECORD or not output.value.complete:
            return "what it becomes is too large to be passed on"
        records.append(
            Rewritten(
                topic=output.topic,
                partition=None,
                key=output.key,
                value=_bytes(output.value),
                headers=output.headers,
            )
        )
    return tuple(records)


def _bytes(value: ShownValue) -> bytes | None:
    if value.form is ValueForm.RAW:
        return value.raw
    return None if value.type_name == "None" else value.text.encode()
