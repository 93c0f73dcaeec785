"""The thread of the inbox: does what is posted, publishes a value, looks after things."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from loom_bench.session.envelopes.flow_view import InboxFlow, load_of
from loom_bench.session.envelopes.giving_way import Way
from loom_bench.session.envelopes.notices import Notices
from loom_bench.session.envelopes.value import InboxValue
from loom_bench.session.posted import Act, run_posted
from loom_bench.session.tracing.value import TracingView

if TYPE_CHECKING:
    from loom_bench.session.envelopes.desk import FlowDesk
    from loom_bench.session.envelopes.opening import Tracer

StorePath = Callable[[InboxFlow], Path | None]


class InboxThread:
    """Owns the desk of the flow that runs, if any.

    Attributes:
        value: The newest value.
        way: Asked for by whoever must not wait for a flood of envelopes.

    Args:
        tracer: Traces records; ``None`` when nothing is to be traced.
        traces: Returns the session's traces.
        store_path: Where the triage states of a flow are kept; ``None`` in memory.
        time_limit_ms: Longest time that importing and compiling may take.
    """

    def __init__(
        self,
        tracer: Tracer | None,
        traces: Callable[[], TracingView],
        store_path: StorePath,
        time_limit_ms: int,
    ) -> None:
        self.value = InboxValue()
        self.way = Way()
        self._tracer = tracer
        self._traces = traces
        self._store_path = store_path
        self._time_limit_ms = time_limit_ms
        self._queue: SimpleQueue[Act | None] = SimpleQueue()
        self._notices = Notices()
        self._desk: FlowDesk | None = None
        self._thread = threading.Thread(target=self._run, name="inbox", daemon=True)
        self._thread.start()

    def flow_runs(self, flow: InboxFlow) -> None:
        """Take in that a revision of a flow runs."""
        self._queue.put(partial(self._flow_runs, flow))

    def leave_flow(self) -> None:
        """Forget the flow."""
        self._queue.put(self._leave_flow)

    def ask(self, what: Callable[[FlowDesk], None]) -> None:
        """Have something done at the desk."""
        self._queue.put(partial(self._do_at_desk, what))

    def close(self) -> None:
        """End everything that was started; returns when it has ended. May be called twice."""
        self._queue.put(None)
        self._thread.join()

    def _do_at_desk(self, what: Callable[[FlowDesk], None]) -> None:
        if self._desk is None:
            self._notices.tell("there are no envelopes before a flow has run", "warning")
            self.value = InboxValue(number=self.value.number + 1, notices=self._notices.shown())
            return
        what(self._desk)
        self.value = self._desk.value(self.value.number + 1)  # whoever asked waits for it

    def _flow_runs(self, flow: InboxFlow) -> None:
        desk = self._desk
        if desk is not None and _same(desk.flow, flow):
            desk.runs(flow, load_of(flow, self._time_limit_ms))
            return
        self._leave_flow()
        # The graph is on the screen before the Kafka client and SQLite are there.
        from loom_bench.session.envelopes.desk import FlowDesk  # noqa: PLC0415

        self._desk = FlowDesk(
            flow,
            self._store_path(flow),
            self._queue.put,
            self._tracer,
            self._traces,
            self._notices,
            self.way,
        )

    def _leave_flow(self) -> None:
        desk, self._desk = self._desk, None
        if desk is not None:
            desk.close()
            self.value = InboxValue(number=self.value.number + 1, notices=self._notices.shown())

    def _run(self) -> None:
        """Do what is posted, publish, look after things; on the inbox's own thread."""
        try:
            run_posted(self._queue, self._do, tick=self._tick, publish=self._publish)
        finally:
            if self._desk is not None:
                self._desk.close()
                self._desk = None

    def _tick(self) -> None:
        if self._desk is not None:
            self._desk.tick()

    def _publish(self) -> None:
        if self._desk is not None and self._desk.dirty:
            self.value = self._desk.value(self.value.number + 1)

    def _do(self, act: Act) -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001 - a fault of ours must not end the inbox unseen
            self._notices.tell(
                f"the bench failed, and it is not your flow's fault: {type(error).__name__}: "
                f"{error}. Please report it.",
                "error",
            )


def _same(before: InboxFlow, after: InboxFlow) -> bool:
    """Whether the envelopes of both lie in the same place."""
    return (before.target, before.bootstrap) == (after.target, after.bootstrap)
