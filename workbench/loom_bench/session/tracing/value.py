"""What a session shows of traces, breakpoints and the stop that its flow waits at.

Texts in it come from outside as they are: whoever shows them makes them safe.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from loom_bench.protocol.tracing import LiveStop, StopAction
from loom_runtime.tracing.trace import Trace


class BreakpointView(msgspec.Struct, frozen=True, kw_only=True):
    """A breakpoint.

    Attributes:
        number: Its number in the session.
        node: Id of the node that it stands before.
        condition: Which records stop there; ``None`` for all.
        hits: How often it was met.
        problem: Why it is not set in the flow that runs; ``None`` when it is, or nothing runs.
    """

    number: int
    node: str
    condition: str | None = None
    hits: int = 0
    problem: str | None = None


class LiveStopView(msgspec.Struct, frozen=True, kw_only=True):
    """The record at which the live flow has stopped.

    Attributes:
        stop: The stop: node, record, the record's way so far.
        revision: Number of the revision that runs.
        answer: What was answered and has not happened yet; ``None`` while it waits for the user.
        problem: Why the last answer could not be used.
    """

    stop: LiveStop
    revision: int
    answer: StopAction | None = None
    problem: str | None = None


class TraceState(StrEnum):
    """How far a trace is.

    ``waiting``: its host still loads. ``running``: its record is under way. ``done``: it is
    complete, or was cut off, as its outcome says. ``refused``: it could not begin.
    """

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"


class TraceView(msgspec.Struct, frozen=True, kw_only=True):
    """A trace that was asked for.

    Attributes:
        number: What :meth:`TraceCommands.trace_record` returned.
        revision: Number of the revision that it runs through.
        state: How far it is.
        trace: The trace, as far as it is known.
        printed: What the code printed meanwhile, oldest first; of very much the first and last.
        printed_left_out: Lines that are not in ``printed``.
        problem: Why it could not begin.
    """

    number: int
    revision: int
    state: TraceState
    trace: Trace
    printed: tuple[str, ...] = ()
    printed_left_out: int = 0
    problem: str | None = None


class TracingView(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about traces and stops.

    Attributes:
        pause_on_error: Whether the flow stops at a record that fails.
        breakpoints: Breakpoints, the oldest first.
        stop: Where the flow has stopped; ``None`` while it has not.
        stops_met: Stops since the session began.
        traces: The newest traces, newest last.
    """

    pause_on_error: bool = False
    breakpoints: tuple[BreakpointView, ...] = ()
    stop: LiveStopView | None = None
    stops_met: int = 0
    traces: tuple[TraceView, ...] = ()
