"""The traces of a session: asked for, under way one at a time, kept for a while."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.protocol.frames import Load
from loom_bench.protocol.tracing import (
    TRACE_TIME_LIMIT_MS,
    KnownState,
    StateGiven,
    StateWanted,
    Traced,
    TraceProgress,
    TraceRecord,
)
from loom_bench.session.host_process import HostNews
from loom_bench.session.live.hosts import Hosts
from loom_bench.session.tracing.code_host import CodeHost
from loom_bench.session.tracing.value import TraceState, TraceView
from loom_runtime.tracing.failure import TracedFrame
from loom_runtime.tracing.shown import EditedMessage
from loom_runtime.tracing.trace import SourceRecord, StopOutcome, Trace, TraceOutcome

KEPT_TRACES: Final = 8

_PRINTED_WITHIN_S: Final = 1.0
"""How long after its end a trace is waited for what its code printed: the code may have closed its
output."""

Code = tuple[Load, int]
"""How to load the code on disk, and the number of its revision."""

FindState = Callable[[str, str, Callable[[bytes | None], None]], None]
"""Called with a state id, a key, and what takes the state, on the session's thread."""


@dataclass(frozen=True)
class TraceRequest:
    """A trace that was asked for.

    Attributes:
        number: Its number.
        record: The source record.
        start: Id of the node to begin at; ``None`` for the source.
        message: What that node takes.
        then: Called, on the session's thread, with the view whenever it changes.
        time_limit_ms: How long it may take.
    """

    number: int
    record: SourceRecord
    start: str | None = None
    message: EditedMessage | None = None
    then: Callable[[TraceView], None] | None = None
    time_limit_ms: int = TRACE_TIME_LIMIT_MS


class TraceSide:
    """Traces records in a host that is kept loaded with the newest code. On the session's thread.

    Args:
        hosts: Starts and ends hosts.
        code: Returns how to load the newest code; ``None`` while there is none.
        find_state: Finds the state of a key, as the flow has it.
    """

    def __init__(
        self, hosts: Hosts, code: Callable[[], Code | None], find_state: FindState
    ) -> None:
        self._code = code
        self._find_state = find_state
        self._views: dict[int, TraceView] = {}
        self._asked: deque[TraceRequest] = deque()
        self._now: TraceRequest | None = None
        self._revision = 0
        self._ending: tuple[Trace, float] | None = None
        self._stale = self._used = False
        self._host = CodeHost(hosts, self._advance, self._take, self._lost)

    def views(self) -> tuple[TraceView, ...]:
        """Return the newest traces, newest last."""
        return tuple(self._views.values())

    def trace(self, request: TraceRequest) -> None:
        """Trace a record, after those that were asked for before."""
        trace = Trace(
            flow="",
            record=request.record,
            start=request.start or "",
            outcome=TraceOutcome.UNDER_WAY,
        )
        view = TraceView(number=request.number, revision=0, state=TraceState.WAITING, trace=trace)
        self._used = True
        self._asked.append(request)
        self._show(request, view)
        self._advance()

    def drop(self, number: int) -> None:
        """Give a trace up and forget it."""
        self._asked = deque(each for each in self._asked if each.number != number)
        self._views.pop(number, None)
        if self._now is not None and self._now.number == number:
            self._now = self._ending = None
            self._host.drop()
            self._advance()

    def code_changed(self) -> None:
        """Take in that there is other code: the next trace runs through it."""
        self._stale = True
        if self._now is None:
            self._host.drop()
            self._advance()

    def keep_warm(self) -> None:
        """Have the newest code loaded before it is asked for, once traces are asked for at all."""
        if self._used and self._now is None and not self._host.there:
            self._load()

    def tick(self) -> None:
        """Give up on what takes too long; a few times a second."""
        self._end_when_printed()
        self._host.tick()

    def close(self) -> None:
        """Trace nothing more."""
        self._asked.clear()
        self._now = self._ending = None
        self._host.drop()

    def _load(self) -> bool:
        code = self._code()
        if code is None:
            return False
        command, self._revision = code
        self._stale = False
        try:
            self._host.begin(command)
        except OSError as error:
            self._refuse_all(f"no process can be started: {error}")
        return True

    def _advance(self) -> None:
        if self._now is not None or not self._asked:
            return
        if self._stale:
            self._host.drop()
        if not self._host.there and not self._load():
            self._refuse_all("there is no code that could be loaded yet")
        if self._host.loaded is None:
            return
        request = self._now = self._asked.popleft()
        self._host.printed.begin(request.number)
        self._change(request, state=TraceState.RUNNING, revision=self._revision)
        self._host.send(
            TraceRecord(
                id=request.number,
                record=request.record,
                start=request.start,
                message=request.message,
                ask_for_states=True,
                time_limit_ms=request.time_limit_ms,
            ),
            request.time_limit_ms,
        )

    def _take(self, news: HostNews) -> None:
        request = self._now
        if request is None:
            return
        match news:
            case TraceProgress(id=request.number):
                self._progress(request, news)
            case StateWanted(id=request.number):
                self._find_state(news.state_id, news.key, self._given(news))
            case Traced(id=request.number):
                self._host.rest()
                self._ending = news.trace, time.monotonic() + _PRINTED_WITHIN_S
                self._end_when_printed()

    def _given(self, wanted: StateWanted) -> Callable[[bytes | None], None]:
        def give(blob: bytes | None) -> None:
            if self._now is not None and self._now.number == wanted.id:
                known = KnownState(state_id=wanted.state_id, key=wanted.key, blob=blob)
                self._host.send(StateGiven(known))

        return give

    def _progress(self, request: TraceRequest, news: TraceProgress) -> None:
        view = self._views.get(request.number)
        if view is None:
            return
        stops = {each.number: each for each in view.trace.stops}
        stops[news.stop.number] = news.stop
        ordered = tuple(stops[number] for number in sorted(stops))
        self._change(request, trace=msgspec.structs.replace(view.trace, stops=ordered))

    def _end_when_printed(self) -> None:
        """End the trace that was told when everything has come that its code printed."""
        request, ending = self._now, self._ending
        if request is None or ending is None:
            return
        trace, until_s = ending
        if self._host.printed.ended or time.monotonic() > until_s:
            self._done(request, trace)

    def _done(self, request: TraceRequest, trace: Trace) -> None:
        self._now = self._ending = None
        self._change(request, state=TraceState.DONE, trace=trace)
        self._advance()

    def _lost(self, problem: Diagnosis) -> None:
        """Take in that the host is gone: it never loaded, or was cut off."""
        request = self._now
        if request is None:
            self._refuse_all(problem.message)
            return
        view = self._views.get(request.number)
        if self._ending is not None:
            self._done(request, self._ending[0])
        elif view is not None:
            self._done(request, _cut(view.trace, problem))
        else:
            self._now = None
            self._advance()

    def _refuse_all(self, problem: str) -> None:
        asked, self._asked = self._asked, deque()
        for request in asked:
            self._change(request, state=TraceState.REFUSED, problem=problem)

    def _change(self, request: TraceRequest, **changes: object) -> None:
        view = self._views.get(request.number)
        if view is not None:
            printed, left_out = self._host.printed.shown()
            if self._now is not request and view.state is not TraceState.RUNNING:
                printed, left_out = (), 0
            self._show(
                request,
                msgspec.structs.replace(
                    view, printed=printed, printed_left_out=left_out, **changes
                ),
            )

    def _show(self, request: TraceRequest, view: TraceView) -> None:
        self._views[request.number] = view
        while len(self._views) > KEPT_TRACES:
            del self._views[next(iter(self._views))]
        if request.then is not None:
            request.then(view)


def _cut(trace: Trace, problem: Diagnosis) -> Trace:
    """Return *trace* as far as it went, with why and where it was cut off."""
    stack = tuple(
        TracedFrame(
            file=frame.file,
            line=frame.line,
            function=frame.function,
            first_line=frame.line,
            source=(frame.source.strip(),) if frame.source else (),
        )
        for frame in problem.frames
    )
    stops = tuple(
        msgspec.structs.replace(stop, outcome=StopOutcome.CUT_OFF)
        if stop.outcome is StopOutcome.RUNNING
        else stop
        for stop in trace.stops
    )
    return msgspec.structs.replace(
        trace,
        stops=stops,
        outcome=TraceOutcome.CUT_OFF,
        problem=problem.message,
        hint=problem.hint or "",
        stack=stack,
        failures=tuple(f for stop in trace.stops for f in stop.failures),
    )
