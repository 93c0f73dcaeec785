"""The traces of a session: asked for, under way, kept for a while."""

from __future__ import annotations

from typing import Final

import msgspec

from loom_bench.session.tracing.value import TraceState, TraceView
from loom_runtime.tracing.shown import EditedMessage
from loom_runtime.tracing.trace import SourceRecord, Trace, TraceOutcome

KEPT_TRACES: Final = 5


class Traces:
    """The newest traces."""

    def __init__(self) -> None:
        self._views: dict[int, TraceView] = {}

    def views(self) -> tuple[TraceView, ...]:
        """Return the newest, newest last."""
        return tuple(self._views.values())

    def begin(
        self, number: int, record: SourceRecord, start: str | None, message: EditedMessage | None
    ) -> None:
        """Trace *record*."""
        del message
        trace = Trace(flow="", record=record, start=start or "", outcome=TraceOutcome.CUT_OFF)
        self._keep(
            TraceView(
                number=number,
                revision=0,
                state=TraceState.REFUSED,
                trace=trace,
                problem="this session has no host for traces",
            )
        )

    def drop(self, number: int) -> None:
        """Give a trace up and forget it."""
        self._views.pop(number, None)

    def _keep(self, view: TraceView, **changes: object) -> None:
        self._views[view.number] = msgspec.structs.replace(view, **changes)
        while len(self._views) > KEPT_TRACES:
            del self._views[next(iter(self._views))]
