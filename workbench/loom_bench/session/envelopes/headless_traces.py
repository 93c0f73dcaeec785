"""Traces for commands and scripts, with no session round them."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue

from loom_bench.protocol.frames import Load
from loom_bench.session.live.hosts import Hosts, NoLines
from loom_bench.session.load_deadline import LOOK_INTERVAL_S
from loom_bench.session.tracing.states import StateReader
from loom_bench.session.tracing.trace_side import TraceRequest, TraceSide
from loom_bench.session.tracing.value import TracingView
from loom_runtime.tracing.shown import EditedMessage
from loom_runtime.tracing.trace import SourceRecord


class HeadlessTraces:
    """Traces records in the code on disk. Has a thread of its own.

    Attributes:
        store: The recovery store that keyed steps find their state in; ``None`` for none, then
            every key begins anew.

    Args:
        load: How the code is loaded.
        store: As above.
    """

    def __init__(self, load: Load, store: Path | None = None) -> None:
        self.store = store
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._hosts = Hosts(self._queue.put, NoLines())
        self._states = StateReader(self._queue.put, lambda: store)
        self._side = TraceSide(self._hosts, lambda: (load, 1), self._states.find)
        self._numbers = itertools.count(1)
        self._view = TracingView()
        self._thread = threading.Thread(target=self._run, name="traces", daemon=True)
        self._thread.start()

    @property
    def store_problem(self) -> str:
        """Why the store could not be read; empty when it could."""
        return self._states.problem

    def value(self) -> TracingView:
        """Return the newest traces."""
        return self._view

    def trace_record(
        self,
        record: SourceRecord,
        *,
        start: str | None = None,
        message: EditedMessage | None = None,
    ) -> int:
        """Run a record through the code; return the trace's number."""
        number = next(self._numbers)
        self._queue.put(partial(self._side.trace, TraceRequest(number, record, start, message)))
        return number

    def drop_trace(self, number: int) -> None:
        """Give a trace up, and forget it."""
        self._queue.put(partial(self._side.drop, number))

    def close(self) -> None:
        """End everything; returns when it has ended."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                act = self._queue.get(timeout=LOOK_INTERVAL_S)
            except Empty:
                act = self._side.tick
            if act is None:
                break
            act()
            self._view = TracingView(traces=self._side.views())
        self._side.close()
        self._hosts.close()
