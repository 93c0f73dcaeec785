"""Keyed state: a StatefulStep on one worker, and the state of one of its keys."""

from __future__ import annotations

from typing import Any

from loom_runtime.execution.boundary import CAUGHT, ErrorBoundary
from loom_runtime.execution.outcome import Messages, Offsets, Outcome, Pair
from loom_runtime.execution.stages import EMPTY, Stage, as_message
from loom_runtime.execution.statistics import NodeStatistics
from loom_runtime.execution.travel import Stepped
from loom_runtime.message import Message
from loom_runtime.model import message_type_of
from loom_runtime.wire.state import decode_state, encode_state


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
        state_type: Type of its state.
        statistics: Counters of the node.
        boundary: Error boundary of the node.
    """

    def __init__(
        self,
        step: Any,
        state_type: type[Any],
        statistics: NodeStatistics,
        boundary: ErrorBoundary,
    ) -> None:
        self.initial = step.initial
        self.execute = step.execute
        self.state_type = state_type
        self.type_name = message_type_of(state_type)
        self.statistics = statistics
        self.boundary = boundary


class KeyState:
    """The state of one key.

    Args:
        step: The step it belongs to.
        blob: What :meth:`save` returned before; ``None`` for a key that was never seen.
    """

    __slots__ = ("_present", "_state", "_step")

    def __init__(self, step: KeyedStep, blob: bytes | None) -> None:
        self._step = step
        self._present = blob is not None
        self._state = None if blob is None else decode_state(blob, step.state_type)

    @property
    def discarded(self) -> bool:
        """Whether the step gave the key's state up by returning ``None`` for it."""
        return not self._present

    def take(self, partition: str, offset: int, message: Message[Any]) -> Stepped:
        """Run the step for one record. A record that fails leaves the state as it was."""
        step = self._step
        try:
            state = self._state if self._present else step.initial()
            new_state, values = step.execute(state, message)
            outputs = [as_message(value, message) for value in values]
            if new_state is not None and not isinstance(new_state, step.state_type):
                raise TypeError(
                    f"the step returned a {type(new_state).__qualname__} as state; "
                    f"it must return a {step.state_type.__qualname__}, or None to drop the key"
                )
        except CAUGHT as error:
            return Stepped(partition, offset, (), step.boundary.envelope(message, error))
        self._state, self._present = new_state, new_state is not None
        return Stepped(partition, offset, outputs)

    def save(self) -> bytes:
        """Return the state as a self-describing MessagePack blob."""
        return encode_state(self._state, self._step.type_name)
