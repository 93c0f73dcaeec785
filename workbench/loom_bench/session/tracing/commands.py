"""What can be asked of a session about single records: stop at them, trace them, let them go on."""

from __future__ import annotations

from typing import Protocol

from loom_bench.protocol.tracing import StopAction
from loom_runtime.tracing.shown import EditedMessage
from loom_runtime.tracing.trace import SourceRecord


class TraceCommands(Protocol):
    """Every method returns at once and may be called from any thread; what comes of it shows in
    the next value's ``tracing``."""

    def set_pause_on_error(self, on: bool) -> None:
        """Choose whether the flow stops at a record that fails, before its envelope is written.
        Turned off, the stop that waits goes on."""
        ...

    def set_breakpoint(self, node: str, condition: str | None = None) -> int:
        """Stop before *node* takes a record that fits; return the breakpoint's number.

        Args:
            node: Id of the node.
            condition: Expression over ``payload`` and ``msg`` in the words of routes.
        """
        ...

    def clear_breakpoint(self, number: int) -> None:
        """Forget a breakpoint; a stop that waits at it goes on waiting."""
        ...

    def answer_stop(
        self, stop: int, action: StopAction, message: EditedMessage | None = None
    ) -> None:
        """Have the flow go on from the stop with the number *stop*; of another one nothing comes.

        Args:
            stop: Number of the stop, ``LiveStop.id``.
            action: What becomes of the record.
            message: What the node takes instead, for ``edit``.
        """
        ...

    def trace_record(
        self,
        record: SourceRecord,
        *,
        start: str | None = None,
        message: EditedMessage | None = None,
    ) -> int:
        """Run a record through the newest code that loads, with nothing written; return the
        number of the trace.

        Args:
            record: The source record.
            start: Id of the node to begin at; ``None`` for the source.
            message: What that node takes.
        """
        ...

    def drop_trace(self, number: int) -> None:
        """Give a trace up that is under way, and forget it."""
        ...
