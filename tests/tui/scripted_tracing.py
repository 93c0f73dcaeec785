"""A session's traces, faked: they write down what they are asked for."""

from __future__ import annotations

import itertools
from typing import Any

from loom_bench.protocol.tracing import StopAction
from loom_runtime.tracing.shown import EditedMessage
from loom_runtime.tracing.trace import SourceRecord


class ScriptedTracing:
    """Fakes a session's traces: it writes down what it is asked for.

    Args:
        calls: Where.
    """

    def __init__(self, calls: list[tuple[Any, ...]]) -> None:
        self._calls = calls
        self._numbers = itertools.count(1)

    def set_pause_on_error(self, on: bool) -> None:
        self._calls.append(("set_pause_on_error", on))

    def set_breakpoint(self, node: str, condition: str | None = None) -> int:
        self._calls.append(("set_breakpoint", node, condition))
        return next(self._numbers)

    def clear_breakpoint(self, number: int) -> None:
        self._calls.append(("clear_breakpoint", number))

    def answer_stop(
        self, stop: int, action: StopAction, message: EditedMessage | None = None
    ) -> None:
        self._calls.append(("answer_stop", stop, action, message))

    def trace_record(
        self,
        record: SourceRecord,
        *,
        start: str | None = None,
        message: EditedMessage | None = None,
    ) -> int:
        self._calls.append(("trace_record", record, start, message))
        return next(self._numbers)

    def drop_trace(self, number: int) -> None:
        self._calls.append(("drop_trace", number))
