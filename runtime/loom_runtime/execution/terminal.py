"""Stages that call no user code: a write, a drop, a pass, a hand-over to another worker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from loom_runtime.errors import ErrorEnvelope
from loom_runtime.execution.boundary import CAUGHT, ErrorBoundary
from loom_runtime.execution.outcome import Messages, Offsets, Outcome, Pair
from loom_runtime.execution.stages import EMPTY, Stage
from loom_runtime.execution.statistics import NodeStatistics
from loom_runtime.flow.boundary import PartitionPolicy
from loom_runtime.message import Message


class RecordEncoder(Protocol):
    """Makes what a port's writer takes out of messages."""

    def encode(
        self, messages: Sequence[Message[Any]], keys: Sequence[bytes | None] | None = None
    ) -> list[Any]:
        """Return one output a message; raises when any of them does not encode."""
        ...


class EnvelopeWriterEncoder(Protocol):
    """Makes what an error port's writer takes out of envelopes."""

    def encode(self, envelope: ErrorEnvelope[Any]) -> Any:
        """Return the output of one envelope; never raises."""
        ...


class WriteStage(Stage):
    """Encodes records for a port."""

    __slots__ = ("_encoder", "_policy", "_port")

    def __init__(
        self,
        port: int,
        encoder: RecordEncoder,
        policy: PartitionPolicy[Any] | None,
        statistics: NodeStatistics,
        boundary: ErrorBoundary,
    ) -> None:
        super().__init__(statistics, boundary)
        self._port = port
        self._encoder = encoder
        self._policy = policy

    def process(self, offsets: Offsets, messages: Messages, out: Outcome) -> Pair:
        """Encode the batch; what cannot be encoded fails alone."""
        try:
            outputs = self._encoder.encode(messages, self._keys(messages))
        except CAUGHT:
            offsets, outputs = self._one_by_one(offsets, messages, out)
        if outputs:
            out.writes.append((self._port, offsets, outputs))
            self.statistics.records_out += len(outputs)
        return EMPTY

    def _one_by_one(
        self, offsets: Offsets, messages: Messages, out: Outcome
    ) -> tuple[Offsets, list[Any]]:
        kept: Offsets = []
        outputs: list[Any] = []
        for offset, message in zip(offsets, messages, strict=True):
            try:
                outputs += self._encoder.encode([message], self._keys([message]))
                kept.append(offset)
            except CAUGHT as error:
                self.boundary.fail(offset, message, error, out)
        return kept, outputs

    def _keys(self, messages: Messages) -> list[bytes | None] | None:
        policy = self._policy
        if policy is None:
            return None
        keys: list[bytes | None] = []
        for message in messages:
            key = message.meta.key
            if key is None or policy.allow_repartition:
                key = policy.strategy.partition_key(message)
            keys.append(key.encode() if isinstance(key, str) else key)
        return keys


class DropStage(Stage):
    """Ends every record without an output."""

    __slots__ = ()

    def process(self, offsets: Offsets, messages: Messages, out: Outcome) -> Pair:  # noqa: ARG002
        """Count the records as filtered."""
        out.filtered += offsets
        self.statistics.filtered += len(offsets)
        return EMPTY


class PassStage(Stage):
    """Batch to record: the records go on as they are."""

    __slots__ = ()

    def process(self, offsets: Offsets, messages: Messages, out: Outcome) -> Pair:  # noqa: ARG002
        """Return the records."""
        return offsets, messages


class ForwardStage(Stage):
    """Hands records over to an exchange, whose own worker counts them."""

    __slots__ = ("_exchange",)

    def __init__(self, exchange: int, statistics: NodeStatistics, boundary: ErrorBoundary) -> None:
        super().__init__(statistics, boundary)
        self._exchange = exchange

    def run(self, offsets: Offsets, messages: Messages, out: Outcome) -> Pair:
        """Hand the batch over, uncounted."""
        return self.process(offsets, messages, out)

    def process(self, offsets: Offsets, messages: Messages, out: Outcome) -> Pair:
        """Hand the batch over."""
        out.forwards.append((self._exchange, offsets, messages))
        return EMPTY
