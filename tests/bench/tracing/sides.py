"""The trace and proof sides of a session, with real hosts and a thread of the test's own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue

from loom_bench.protocol.frames import Load
from loom_bench.session.live.hosts import Hosts
from loom_bench.session.live.log_ring import LogRing
from loom_bench.session.tracing.trace_side import Code, TraceRequest, TraceSide
from loom_bench.session.tracing.value import TraceState, TraceView
from loom_runtime.tracing.shown import EditedMessage
from loom_runtime.tracing.trace import SourceRecord
from loom_runtime.wire.state import encode_state
from tests.bench.tracing.tracing_flow import Count

FLOW = Path(__file__).with_name("tracing_flow.py")
LIMIT_S = 60.0


class Sides:
    """What a session has of traces, pumped by the test."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.posted: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self.hosts = Hosts(self.posted.put, LogRing(10))
        self.asked_states: list[tuple[str, str]] = []
        self.traces = TraceSide(self.hosts, self.code, self._find_state)
        self._number = 0

    def code(self) -> Code | None:
        return Load(target=str(self.target), bootstrap="127.0.0.1:1", to_run=True), 1

    def until(self, wanted: Callable[[], bool]) -> None:
        """Do what is posted until *wanted* is so."""
        deadline_s = time.monotonic() + LIMIT_S
        while not wanted():
            assert time.monotonic() < deadline_s
            try:
                self.posted.get(timeout=0.05)()
            except Empty:
                self.traces.tick()

    def trace(
        self,
        record: SourceRecord,
        *,
        start: str | None = None,
        message: EditedMessage | None = None,
        time_limit_ms: int = 10_000,
    ) -> TraceView:
        """Trace *record* and return the view when it is done."""
        self._number += 1
        views: list[TraceView] = []
        self.traces.trace(
            TraceRequest(
                self._number,
                record,
                start,
                message,
                then=views.append,
                time_limit_ms=time_limit_ms,
            )
        )
        self.until(lambda: views[-1].state in (TraceState.DONE, TraceState.REFUSED))
        return views[-1]

    def _find_state(self, state_id: str, key: str, then: Callable[[bytes | None], None]) -> None:
        self.asked_states.append((state_id, key))
        then(encode_state(Count(41), "Count") if key == "known" else None)


@contextmanager
def open_sides(target: Path = FLOW) -> Iterator[Sides]:
    sides = Sides(target)
    try:
        yield sides
    finally:
        sides.traces.close()
        sides.hosts.close()


def record(value: str, offset: int = 0) -> SourceRecord:
    return SourceRecord(topic="jobs", partition=0, offset=offset, value=value.encode())


def job(do: str, key: str = "k", offset: int = 0) -> SourceRecord:
    return record(f'{{"key":"{key}","do":"{do}"}}', offset)
