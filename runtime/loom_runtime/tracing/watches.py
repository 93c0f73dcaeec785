"""Looks on while the nodes of a line work, for its recorder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from loom_runtime.execution.keyed import KeyState
from loom_runtime.execution.outcome import Messages, Offsets, Outcome, Pair
from loom_runtime.execution.stages import Stage
from loom_runtime.execution.travel import Stepped
from loom_runtime.execution.watching import Ended
from loom_runtime.message import Message
from loom_runtime.tracing.labels import Label
from loom_runtime.tracing.recorder import Recorder
from loom_runtime.tracing.trace import StopOutcome
from loom_runtime.wire.records import RawRecord, WireFailure

if TYPE_CHECKING:
    from loom_runtime.tracing.line import Line


class NodeWatch:
    """Watches one node. Implements :class:`~loom_runtime.execution.watching.Watcher`.

    Args:
        line: Whose node it is.
        label: The node.
    """

    def __init__(self, line: Line, label: Label) -> None:
        self._line = line
        self._label = label

    def run(self, stage: Stage, offsets: Offsets, messages: Messages, out: Outcome) -> Pair:
        """Run *stage* over a batch."""
        recorder = self._recorder
        stop = recorder.begin(self._label, messages)
        filtered = len(out.filtered)
        result = stage.measured(offsets, messages, out)
        outcome = StopOutcome.PASSED
        if self._label.writes:
            outcome = StopOutcome.WRITTEN
        elif len(out.filtered) > filtered and not recorder.began_since(stop):
            outcome = StopOutcome.FILTERED
        recorder.end(stop, result[1], outcome)
        return result

    def began(self, message: Message[Any]) -> Ended:
        """Take in that a node inside a ``WithAsync`` takes *message*."""
        recorder = self._recorder
        stop = recorder.begin(self._label, (message,))

        def ended(given: Sequence[Message[Any]]) -> None:
            filtered = not given and not self._label.branches
            recorder.end(stop, given, StopOutcome.FILTERED if filtered else StopOutcome.PASSED)

        return ended

    def step(self, state: KeyState, partition: str, offset: int, message: Message[Any]) -> Stepped:
        """Run a keyed step for one record."""
        recorder = self._recorder
        stop = recorder.begin(self._label, (message,))
        before = None if state.discarded else state.save()
        stepped = state.take(partition, offset, message)
        after = None if state.discarded else state.save()
        recorder.state(stop, self._line.key, before, after)
        passed = stepped.outputs or stepped.envelope is not None
        recorder.end(stop, stepped.outputs, StopOutcome.PASSED if passed else StopOutcome.FILTERED)
        return stepped

    def read(
        self,
        records: Sequence[RawRecord],  # noqa: ARG002 - the trace's own record
        decoded: tuple[Offsets, Messages, list[WireFailure]],
        out: Outcome,  # noqa: ARG002
    ) -> tuple[Offsets, Messages, list[WireFailure]]:
        """Take in what the source's record was decoded into."""
        recorder = self._recorder
        if recorder.stops:
            recorder.end(recorder.stops[0], decoded[1], StopOutcome.PASSED)
        return decoded

    @property
    def _recorder(self) -> Recorder:
        recorder = self._line.recorder
        if not isinstance(recorder, Recorder):
            raise TypeError("nobody writes down what this node does")
        return recorder
