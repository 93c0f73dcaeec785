"""Writes down the stops of one trace while its record goes through the nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Final

from loom_runtime.errors import ErrorEnvelope, ErrorMessageMeta
from loom_runtime.message import Message
from loom_runtime.tracing.failure import TracedFailure
from loom_runtime.tracing.failures import FailureNotes
from loom_runtime.tracing.labels import Label
from loom_runtime.tracing.putting_down import Notebook
from loom_runtime.tracing.shown import ShownValue, TracedMessage
from loom_runtime.tracing.trace import SourceRecord, StopOutcome, TraceStop
from loom_runtime.wire.error_text import clean_text
from loom_runtime.wire.state import read_state

MAX_MESSAGES: Final = 20
"""Messages that one stop shows of what it takes, and of what it gives."""

MAX_STOPS: Final = 2_000
"""Stops of one trace: a record that becomes thousands in a keyed step makes as many."""

MAX_STATE_KEY_CHARS: Final = 1_000

OnStop = Callable[[TraceStop], None]


@dataclass
class OpenStop:
    """A stop that is being written."""

    label: Label
    number: int
    messages: Sequence[Message[Any]]
    takes: tuple[TracedMessage, ...]
    began_s: float = 0.0
    cost_before_s: float = 0.0
    duration_ms: float | None = None
    gives: tuple[TracedMessage, ...] = ()
    given: int = 0
    outcome: StopOutcome = StopOutcome.RUNNING
    branches: tuple[str, ...] = ()
    state_key: str | None = None
    state_before: ShownValue | None = None
    state_after: ShownValue | None = None
    failures: list[TracedFailure] = field(default_factory=list)

    def done(self) -> TraceStop:
        """Return the stop as it is now."""
        label = self.label
        return TraceStop(
            number=self.number,
            node=label.node,
            name=label.name,
            kind=label.kind,
            path=label.path,
            takes=self.takes,
            gives=self.gives,
            takes_left_out=max(0, len(self.messages) - len(self.takes)) if self.messages else 0,
            gives_left_out=self.given - len(self.gives),
            outcome=StopOutcome.FAILED if self.failures else self.outcome,
            branches=self.branches,
            duration_ms=self.duration_ms,
            state_key=self.state_key,
            state_before=self.state_before,
            state_after=self.state_after,
            failures=tuple(self.failures),
        )


class Recorder:
    """The stops of one trace.

    Attributes:
        stops: What was written so far, in the order in which nodes began.

    Args:
        failures: Puts failures down.
        on_stop: Told when a node begins, ends, or is found to have failed; ``None`` for nobody.
    """

    def __init__(self, failures: FailureNotes, on_stop: OnStop | None = None) -> None:
        self.stops: list[OpenStop] = []
        self._notebook = Notebook()
        self._failures = failures
        self._on_stop = on_stop
        self._cost_s = 0.0

    @property
    def notebook(self) -> Notebook:
        """What values are put down in."""
        return self._notebook

    def begin(self, label: Label, messages: Sequence[Message[Any]]) -> OpenStop:
        """A node takes *messages*."""
        started_s = perf_counter()
        takes = tuple(map(self._notebook.message, messages[:MAX_MESSAGES]))
        return self._open(OpenStop(label, len(self.stops), messages, takes), started_s)

    def begin_at_source(self, label: Label, record: SourceRecord) -> OpenStop:
        """The source takes *record*."""
        started_s = perf_counter()
        meta = ErrorMessageMeta(
            message_id=f"{record.topic}:{record.partition}:{record.offset}",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            key=record.key,
        )
        raw = TracedMessage(payload_type="", value=self._notebook.raw(record.value), meta=meta)
        return self._open(OpenStop(label, len(self.stops), (), (raw,)), started_s)

    def end(
        self,
        stop: OpenStop,
        gives: Sequence[Message[Any]],
        outcome: StopOutcome = StopOutcome.PASSED,
    ) -> None:
        """A node gives *gives*.

        Args:
            stop: What :meth:`begin` returned.
            gives: What goes on.
            outcome: What became of what it took, failures apart.
        """
        ended_s = perf_counter()
        seconds = ended_s - stop.began_s - (self._cost_s - stop.cost_before_s)
        stop.duration_ms = max(0.0, seconds * 1000)
        stop.gives = tuple(map(self._notebook.message, gives[:MAX_MESSAGES]))
        stop.given = len(gives)
        stop.branches = tuple(dict.fromkeys(self._inside(stop)))
        stop.outcome = outcome
        self._tell(stop)
        self._cost_s += perf_counter() - ended_s

    def state(self, stop: OpenStop, key: str, before: bytes | None, after: bytes | None) -> None:
        """The stop worked on the state of *key*; blobs of the recovery store."""
        stop.state_key = clean_text(key[:MAX_STATE_KEY_CHARS])
        stop.state_before = self._state(before)
        stop.state_after = self._state(after)

    def began_since(self, stop: OpenStop) -> bool:
        """Return whether another node has begun since *stop* did."""
        return len(self.stops) > stop.number + 1

    def failed(
        self,
        label: Label | None,
        envelope: ErrorEnvelope[Any],
        message: Message[Any] | None,
        error: BaseException,
    ) -> None:
        """A record became an envelope at the node with this label; ``None`` for the source."""
        stop = self._stop_of(label, message)
        if stop is None:
            return
        taken = next((i for i, each in enumerate(stop.messages) if each is message), None)
        stop.failures.append(self._failures.failure(envelope, error, taken))
        self._tell(stop)

    def _stop_of(self, label: Label | None, message: Message[Any] | None) -> OpenStop | None:
        """Return the stop where *message* failed; one that nobody watched is made."""
        if label is None:
            return self.stops[0] if self.stops else None
        same = [each for each in self.stops if each.label.path == label.path]
        for stop in reversed(same):
            if any(each is message for each in stop.messages):
                return stop
        if same:
            return same[-1]
        stop = self.begin(label, () if message is None else (message,))
        self.end(stop, ())
        return stop

    def _open(self, stop: OpenStop, started_s: float) -> OpenStop:
        if len(self.stops) < MAX_STOPS:
            self.stops.append(stop)
        self._tell(stop)
        self._cost_s += perf_counter() - started_s
        stop.cost_before_s, stop.began_s = self._cost_s, perf_counter()
        return stop

    def _tell(self, stop: OpenStop) -> None:
        if self._on_stop is not None and stop.number < len(self.stops):
            self._on_stop(stop.done())

    def _inside(self, stop: OpenStop) -> list[str]:
        """Return the branch of every stop that began inside *stop*'s node."""
        path, depth = stop.label.path, len(stop.label.path)
        if not stop.label.branches:
            return []
        return [
            stop.label.branches.get(each.label.path[depth], "")
            for each in self.stops[stop.number + 1 :]
            if len(each.label.path) > depth and each.label.path[:depth] == path
        ]

    def _state(self, blob: bytes | None) -> ShownValue | None:
        return None if blob is None else self._notebook.payload(read_state(blob))


class FailuresOnly:
    """Keeps the first failure of a record and nothing else: for proofs of many.

    Attributes:
        first: The first failure's envelope; ``None`` before one.
    """

    def __init__(self) -> None:
        self.first: ErrorEnvelope[Any] | None = None

    def failed(
        self,
        label: Label | None,  # noqa: ARG002 - the envelope tells the node
        envelope: ErrorEnvelope[Any],
        message: Message[Any] | None,  # noqa: ARG002
        error: BaseException,  # noqa: ARG002
    ) -> None:
        """A record became an envelope."""
        if self.first is None:
            self.first = envelope
