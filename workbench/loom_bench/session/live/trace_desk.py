"""Takes what is asked about single records, on any thread, to the session's thread."""

from __future__ import annotations

import itertools
from functools import partial

from loom_bench.protocol.tracing import StopAction
from loom_bench.session.live.hosts import Post
from loom_bench.session.tracing.stops import Stops
from loom_bench.session.tracing.trace_side import TraceRequest, TraceSide
from loom_bench.session.tracing.value import TracingView
from loom_runtime.tracing.shown import EditedMessage
from loom_runtime.tracing.trace import SourceRecord


class TraceDesk:
    """Implements TraceCommands.

    Args:
        post: Has something done on the session's thread.
        stops: Where the flow stops.
        traces: The session's traces.
    """

    def __init__(self, post: Post, stops: Stops, traces: TraceSide) -> None:
        self._post = post
        self._stops = stops
        self._traces = traces
        self._numbers = itertools.count(1)

    def value(self) -> TracingView:
        """Return everything that is shown."""
        stops = self._stops
        return TracingView(
            pause_on_error=stops.pause_on_error,
            breakpoints=stops.breakpoints,
            stop=stops.stop,
            stops_met=stops.met,
            traces=self._traces.views(),
        )

    def set_pause_on_error(self, on: bool) -> None:
        """Choose whether the flow stops at a record that fails."""
        self._post(partial(self._stops.set_pause_on_error, on))

    def set_breakpoint(self, node: str, condition: str | None = None) -> int:
        """Stop before *node* takes a record that fits; return the breakpoint's number."""
        number = next(self._numbers)
        self._post(partial(self._stops.set_breakpoint, number, node, condition))
        return number

    def clear_breakpoint(self, number: int) -> None:
        """Forget a breakpoint."""
        self._post(partial(self._stops.clear_breakpoint, number))

    def answer_stop(
        self, stop: int, action: StopAction, message: EditedMessage | None = None
    ) -> None:
        """Have the flow go on from a stop."""
        self._post(partial(self._stops.answer, stop, action, message))

    def trace_record(
        self,
        record: SourceRecord,
        *,
        start: str | None = None,
        message: EditedMessage | None = None,
    ) -> int:
        """Run a record through the newest code, with nothing written; return the trace's number."""
        number = next(self._numbers)
        self._post(partial(self._traces.trace, TraceRequest(number, record, start, message)))
        return number

    def drop_trace(self, number: int) -> None:
        """Give a trace up, and forget it."""
        self._post(partial(self._traces.drop, number))
