"""Looks on while a node works in a run that may stop, and does what is decided at a stop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from loom_runtime.errors import ErrorEnvelope, ErrorKind
from loom_runtime.execution.concurrent import ConcurrentStage
from loom_runtime.execution.keyed import KeyState
from loom_runtime.execution.outcome import Messages, Offsets, Outcome, Pair
from loom_runtime.execution.stages import Stage
from loom_runtime.execution.travel import Stepped
from loom_runtime.execution.watching import Ended
from loom_runtime.message import Message
from loom_runtime.tracing.labels import Label
from loom_runtime.tracing.way import Failed, Station, Way
from loom_runtime.wire.records import RawRecord, WireFailure

if TYPE_CHECKING:
    from loom_runtime.tracing.gate import Gate


class PutAsideError(Exception):
    """A record was put aside by hand at a breakpoint."""


class GateWatch:
    """Watches one node of one worker. Implements
    :class:`~loom_runtime.execution.watching.Watcher`.

    Args:
        gate: Decides.
        label: The node.
        way: The batch that the worker has on its way.
    """

    def __init__(self, gate: Gate, label: Label, way: Way) -> None:
        self._gate = gate
        self._label = label
        self._way = way

    def run(self, stage: Stage, offsets: Offsets, messages: Messages, out: Outcome) -> Pair:
        """Run *stage* over a batch."""
        gate = self._gate
        if not gate.armed:
            return stage.measured(offsets, messages, out)
        if gate.breakpoints.stand_at(self._label.path):
            offsets, messages = self._stop_before(stage, offsets, messages, out)
            if not offsets:
                return [], []
        return self._run(stage, offsets, messages, out, ())

    def began(self, message: Message[Any]) -> Ended:
        """Take in that a node inside a ``WithAsync`` takes *message*."""
        station = self._way.begin(self._label, (message,)) if self._gate.armed else None

        def ended(given: Sequence[Message[Any]]) -> None:
            if station is not None:
                station.gives = given

        return ended

    def step(self, state: KeyState, partition: str, offset: int, message: Message[Any]) -> Stepped:
        """Run a keyed step for one record."""
        gate = self._gate
        if not gate.armed:
            return state.take(partition, offset, message)
        met = gate.breakpoints.met(self._label.path, message)
        if met is not None:
            self._way.begin(self._label, (message,))
            decision = gate.ask(
                self._way,
                self._label,
                _place(message),
                message=message,
                met=met,
                refuse=_other_key(state, message),
            )
            if decision.action == "skip":
                return Stepped(partition, offset)
            if decision.action == "dead_letter":
                aside = PutAsideError("put aside by hand at a breakpoint")
                envelope = state.step.boundary.envelope(message, aside, ErrorKind.ROUTING)
                gate.decided(envelope)
                return Stepped(partition, offset, (), envelope)
            message = decision.message or message
        return self._step(state, partition, offset, message)

    def read(
        self,
        records: Sequence[RawRecord],
        decoded: tuple[Offsets, Messages, list[WireFailure]],
        out: Outcome,
    ) -> tuple[Offsets, Messages, list[WireFailure]]:
        """Take in what the source's records were decoded into."""
        gate, way = self._gate, self._way
        if not gate.armed:
            return decoded
        way.raw += records
        offsets, messages, failures = decoded
        way.stations.append(Station(self._label, (), messages))
        if gate.pause_on_error and failures:
            offsets, messages, failures = self._unreadable(offsets, messages, failures, out)
        if gate.breakpoints.stand_at(self._label.path):
            offsets, messages = self._stop_before(None, offsets, messages, out)
        return offsets, messages, failures

    def _run(
        self,
        stage: Stage,
        offsets: Offsets,
        messages: Messages,
        out: Outcome,
        start: tuple[int, ...],
    ) -> Pair:
        already = len(out.failures)
        station = self._way.begin(self._label, messages)
        if start and isinstance(stage, ConcurrentStage):
            result = stage.resume(start, offsets, messages, out)
        else:
            result = stage.measured(offsets, messages, out)
        station.gives = result[1]
        if self._gate.pause_on_error and len(out.failures) > already:
            result = self._decide(stage, result, out, already)
        return result

    def _decide(self, stage: Stage, result: Pair, out: Outcome, already: int) -> Pair:
        """Ask about every failure that nobody was asked about yet."""
        failures = out.failures[already:]
        del out.failures[already:]
        for number, (offset, envelope) in enumerate(failures):
            failed = self._gate.failure(envelope)
            if failed is None or failed.message is None or not self._can_run(stage, failed):
                out.failures.append((offset, envelope))
                continue
            decision = self._gate.ask(
                self._way,
                failed.label or self._label,
                _place(failed.message),
                message=failed.message,
                failed=failed,
                waiting=len(failures) - number - 1,
            )
            self._gate.decided(envelope)
            match decision.action:
                case "skip":
                    out.filtered.append(offset)
                    stage.statistics.filtered += 1
                case "edit" | "run_again" if decision.message is not None:
                    start = self._inside(failed)
                    again = self._run(stage, [offset], [decision.message], out, start)
                    result = _joined(result, again)
                case _:
                    out.failures.append((offset, envelope))
        return result

    def _can_run(self, stage: Stage, failed: Failed) -> bool:
        """Whether what failed can be run again by *stage*: at its own node or within its scope."""
        return not self._inside(failed) or isinstance(stage, ConcurrentStage)

    def _inside(self, failed: Failed) -> tuple[int, ...]:
        """Return the address, within the scope, of the node that failed; empty for the scope."""
        own, label = self._label.path, failed.label
        if label is None or label.path == own:
            return ()
        return label.path[len(own) + 1 :]

    def _stop_before(
        self, stage: Stage | None, offsets: Offsets, messages: Messages, out: Outcome
    ) -> Pair:
        kept: Offsets = []
        results: Messages = []
        for offset, message in zip(offsets, messages, strict=True):
            met = self._gate.breakpoints.met(self._label.path, message)
            if met is None:
                kept.append(offset)
                results.append(message)
                continue
            self._way.begin(self._label, (message,))
            decision = self._gate.ask(
                self._way, self._label, _place(message), message=message, met=met
            )
            self._way.stations.pop()
            if decision.action == "skip" or (decision.action == "dead_letter" and stage is None):
                out.filtered.append(offset)
            elif decision.action == "dead_letter" and stage is not None:
                aside = PutAsideError("put aside by hand at a breakpoint")
                envelope = stage.boundary.envelope(message, aside, ErrorKind.ROUTING)
                self._gate.decided(envelope)
                out.failures.append((offset, envelope))
            else:
                kept.append(offset)
                results.append(decision.message or message)
        return kept, results

    def _step(self, state: KeyState, partition: str, offset: int, message: Message[Any]) -> Stepped:
        while True:
            station = self._way.begin(self._label, (message,))
            before = None if state.discarded else state.save()
            stepped = state.take(partition, offset, message)
            after = None if state.discarded else state.save()
            station.gives, station.state = stepped.outputs, (_key(state, message), before, after)
            failed = self._undecided(stepped.envelope)
            if failed is None:
                return stepped
            decision = self._gate.ask(
                self._way,
                self._label,
                _place(message),
                message=message,
                failed=failed,
                refuse=_other_key(state, message),
            )
            self._gate.decided(failed.envelope)
            if decision.action == "skip":
                return Stepped(partition, offset)
            if decision.message is None or decision.action not in ("edit", "run_again"):
                return stepped
            message = decision.message

    def _undecided(self, envelope: ErrorEnvelope[Any] | None) -> Failed | None:
        if envelope is None or not self._gate.pause_on_error:
            return None
        return self._gate.failure(envelope)

    def _unreadable(
        self, offsets: Offsets, messages: Messages, failures: list[WireFailure], out: Outcome
    ) -> tuple[Offsets, Messages, list[WireFailure]]:
        """Ask about records that did not decode."""
        result: Pair = (offsets, messages)
        kept: list[WireFailure] = []
        for number, failure in enumerate(failures):
            meta = failure.envelope.transport
            topic, partition = ("", 0) if meta is None else (meta.topic or "", meta.partition or 0)
            decision = self._gate.ask(
                self._way,
                self._label,
                (topic, partition, failure.offset),
                failed=Failed(failure.envelope, None, None, failure.error),
                waiting=len(failures) - number - 1,
            )
            if decision.action == "skip":
                out.filtered.append(failure.offset)
            elif decision.action == "edit" and decision.message is not None:
                result = _joined(result, ([failure.offset], [decision.message]))
            else:
                kept.append(failure)
        return (*result, kept)


def _joined(result: Pair, again: Pair) -> Pair:
    """Return *result* with *again*, of one source record, at its place."""
    offsets, messages = result
    if not again[0]:
        return result
    first = again[0][0]
    at = next((i for i, each in enumerate(offsets) if each > first), len(offsets))
    return (
        [*offsets[:at], *again[0], *offsets[at:]],
        [*messages[:at], *again[1], *messages[at:]],
    )


def _place(message: Message[Any]) -> tuple[str, int, int]:
    meta = message.meta
    return meta.topic or "", meta.partition or 0, meta.offset or 0


def _key(state: KeyState, message: Message[Any]) -> str:
    key: str = state.step.key(message)
    return key


def _other_key(state: KeyState, taken: Message[Any]) -> Any:
    def refuse(message: Message[Any] | None) -> str | None:
        try:
            same = message is not None and state.step.key(message) == state.step.key(taken)
        except Exception as error:  # noqa: BLE001 - key() is the user's
            return f"its key cannot be told: {type(error).__name__}"
        return None if same else "it has another key, whose state another worker may have"

    return refuse
