"""Keyed state: a StatefulStep on one worker, and the state of one of its keys."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from time import perf_counter
from typing import Any, get_origin

from loom_runtime.compiler.plan import CompiledNode
from loom_runtime.execution.boundary import CAUGHT, ErrorBoundary
from loom_runtime.execution.outcome import Messages, Offsets, Outcome, Pair
from loom_runtime.execution.outputs import as_messages
from loom_runtime.execution.stages import EMPTY, Stage
from loom_runtime.execution.statistics import NodeStatistics
from loom_runtime.execution.travel import Stepped
from loom_runtime.message import Message
from loom_runtime.wire.dispatch import type_name
from loom_runtime.wire.error_text import reason_text, shown_value
from loom_runtime.wire.state import StateDecodeError, decode_state, encode_state

Keyed = tuple[str, int, Message[Any]]
"""A record on its way to a keyed step: partition, offset, message."""


class KeyedForwardStage(Stage):
    """Hands records over to a keyed step, each with its key."""

    __slots__ = ("_exchange", "_key")

    def __init__(
        self, exchange: int, step: Any, statistics: NodeStatistics, boundary: ErrorBoundary
    ) -> None:
        super().__init__(statistics, boundary)
        self._exchange = exchange
        self._key = step.key

    def run(self, offsets: Offsets, messages: Messages, out: Outcome) -> Pair:
        """Hand the batch over, uncounted."""
        return self.process(offsets, messages, out)

    def process(self, offsets: Offsets, messages: Messages, out: Outcome) -> Pair:
        """Compute each record's key; a record without one failed."""
        key_of = self._key
        keyed: list[tuple[str, int, Message[Any]]] = []
        for offset, message in zip(offsets, messages, strict=True):
            try:
                key = key_of(message)
                if not isinstance(key, str):
                    raise TypeError(
                        f"key returned a {type(key).__qualname__}; it must return a str"
                    )
                if not key.isascii():
                    key.encode()  # what UTF-8 cannot say cannot travel to the key's worker
            except CAUGHT as error:
                self.boundary.fail(offset, message, error, out)
                continue
            keyed.append((key, offset, message))
        out.keyed.append((self._exchange, keyed))
        return EMPTY


class KeyedStep:
    """A StatefulStep on one worker.

    Args:
        step: The user's step.
        node: Its node in the plan.
        statistics: Counters of the node.
        boundary: Error boundary of the node.
    """

    def __init__(
        self, step: Any, node: CompiledNode, statistics: NodeStatistics, boundary: ErrorBoundary
    ) -> None:
        self.key = step.key
        self.initial = step.initial
        self.execute = step.execute
        self.name = node.name
        self.state_type = node.state_type
        self.state_class: type[Any] = get_origin(node.state_type) or node.state_type
        self.type_name = type_name(node.state_type)
        self.statistics = statistics
        self.boundary = boundary


class KeyState:
    """The state of one key.

    It is kept encoded beside the object itself. So a record that fails leaves the state as it was,
    even when its step had changed it in place; a state that does not encode is the failure of the
    record that made it; and a restored key costs nothing before its first record. Encoding a small
    struct costs 0.2 µs a record, and in general as much as the state is large.

    Args:
        step: The step it belongs to.
        blob: What :meth:`save` returned before; ``None`` for a key that was never seen.
    """

    __slots__ = ("_blob", "_state", "_step")

    def __init__(self, step: KeyedStep, blob: bytes | None) -> None:
        self._step = step
        self._blob = blob
        self._state: Any = None

    @property
    def discarded(self) -> bool:
        """Whether the key has no state: it was never seen, or its step gave the state up."""
        return self._blob is None

    def take(self, partition: str, offset: int, message: Message[Any]) -> Stepped:
        """Run the step for one record. A record that fails leaves the state as it was.

        Raises:
            StateDecodeError: When a restored state does not fit its type.
        """
        step = self._step
        if self._state is None and self._blob is not None:
            self._state = self._decoded(self._blob, message)
        try:
            given = step.initial() if self._blob is None else self._state
            state, values = _pair(step.execute(given, message))
            outputs = as_messages(values, message)
            blob = None
            if state is not None:
                blob = self._encoded(state)
        except CAUGHT as error:
            self._state = None
            return Stepped(partition, offset, (), step.boundary.envelope(message, error))
        self._state, self._blob = state, blob
        if not outputs:
            step.statistics.filtered += 1
        return Stepped(partition, offset, outputs)

    def take_all(self, records: Sequence[Keyed]) -> list[Stepped]:
        """Run, time and count the step for records of the key, in order; raises as :meth:`take`."""
        step = self._step
        sampler, watcher = step.statistics.sampler, step.statistics.watcher
        taking = None
        if sampler is not None:
            taking = sampler.taken([each[1] for each in records], [each[2] for each in records])
        started = perf_counter()
        take = self.take if watcher is None else partial(watcher.step, self)
        results = [take(partition, offset, message) for partition, offset, message in records]
        outputs = sum(len(result.outputs) for result in results)
        step.statistics.ran(len(records), outputs, perf_counter() - started)
        if taking is not None:
            taking.give(
                [result.offset for result in results for _ in result.outputs],
                [message for result in results for message in result.outputs],
            )
        return results

    @property
    def step(self) -> KeyedStep:
        """The step that it belongs to."""
        return self._step

    def save(self) -> bytes:
        """Return the state as a self-describing MessagePack blob.

        Raises:
            ValueError: When the key has no state.
        """
        if self._blob is None:
            raise ValueError("a key without a state cannot be saved")
        return self._blob

    def _encoded(self, state: Any) -> bytes:
        step = self._step
        if not isinstance(state, step.state_class):
            raise TypeError(
                f"the step returned a {type(state).__qualname__} as state; "
                f"it must return a {step.state_class.__qualname__}, or None to drop the key"
            )
        try:
            return encode_state(state, step.type_name)
        except CAUGHT as error:
            raise TypeError(f"the state cannot be kept: {reason_text(error)}") from error

    def _decoded(self, blob: bytes, message: Message[Any]) -> Any:
        step = self._step
        try:
            return decode_state(blob, step.state_type)
        except StateDecodeError as error:
            key = shown_value(step.key(message))
            raise StateDecodeError(
                error.what,
                where=f"{error.where}, key {key} of step {step.name}",
                what_next=error.what_next,
            ) from error


def _pair(returned: Any) -> tuple[Any, Any]:
    if not isinstance(returned, tuple) or len(returned) != 2:
        raise TypeError(
            f"the step returned a {type(returned).__qualname__}; "
            "it must return (state, iterable of outputs)"
        )
    return returned
