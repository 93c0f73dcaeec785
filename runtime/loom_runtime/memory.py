"""A transport for unit tests: records come from a list, outputs go to lists."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from loom_runtime.errors import ErrorEnvelope
from loom_runtime.execution.terminal import RecordEncoder
from loom_runtime.execution.travel import DecodedBatch, SourceBatch
from loom_runtime.message import Message
from loom_runtime.transport import Undelivered
from loom_runtime.wire.records import RawRecord

GivenRecord = Message[Any] | RawRecord
"""A decoded message, or a record as a broker would give it."""


CommitListener = Callable[[str, int, int, str | None], None]
"""Called with topic, partition, offset and what went wrong."""


class InMemoryReader:
    """Reads a list once, as partition 0 of its topic."""

    def __init__(
        self,
        topic: str,
        records: Sequence[GivenRecord],
        start: int,
        on_commit: CommitListener | None = None,
    ) -> None:
        self._topic = topic
        self._records = records
        self._position = start
        self._on_commit = on_commit
        self._committed: int | None = None

    @property
    def position(self) -> int:
        """Next index to read."""
        return self._position

    @property
    def committed(self) -> int | None:
        """Last committed index."""
        return self._committed

    @property
    def end_offset(self) -> int | None:
        """Length of the list."""
        return len(self._records)

    @property
    def at_end(self) -> bool:
        """Whether the list was read."""
        return self._position >= len(self._records)

    def read(self, limit: int) -> SourceBatch | DecodedBatch | None:
        """Return the next records of one kind, decoded or raw."""
        taken: list[Any] = []
        decoded = None
        for record in self._records[self._position : self._position + limit]:
            is_message = isinstance(record, Message)
            if decoded is not None and is_message is not decoded:
                break
            decoded = is_message
            taken.append(record)
        if decoded is None:
            return None
        offsets = list(range(self._position, self._position + len(taken)))
        self._position += len(taken)
        if decoded:
            return DecodedBatch(self._topic, 0, offsets, taken)
        return SourceBatch(
            self._topic, 0, [(offset, *raw[1:]) for offset, raw in zip(offsets, taken, strict=True)]
        )

    def commit(self, offset: int, *, wait: bool) -> None:  # noqa: ARG002
        """Note the commit."""
        if offset != self._committed:
            self._committed = offset
            if self._on_commit is not None:
                self._on_commit(self._topic, 0, offset, None)

    def close(self) -> None:
        """Nothing to release."""


class InMemoryWriter:
    """Keeps outputs by port, in the order in which they were written."""

    def __init__(self) -> None:
        self.written: list[tuple[int, Any]] = []

    def write(self, port: int, outputs: Sequence[Any]) -> None:
        """Keep outputs."""
        self.written += [(port, output) for output in outputs]

    def flush(self) -> None:
        """Everything is delivered."""

    def claim(self, port: int, outputs: Sequence[Any]) -> list[Undelivered]:  # noqa: ARG002
        """Nothing was refused."""
        return []

    def dead_letter(self, undelivered: Sequence[Undelivered]) -> list[Undelivered]:
        """Nothing is ever refused, so nothing comes here."""
        return list(undelivered)

    def close(self) -> None:
        """Nothing to release."""


class InMemoryTransport:
    """One partition of given records.

    Args:
        topic: Name of the source topic.
        records: What is read.
        on_commit: Told of every commit.
    """

    def __init__(
        self,
        topic: str,
        records: Sequence[GivenRecord],
        on_commit: CommitListener | None = None,
    ) -> None:
        self._topic = topic
        self._records = records
        self._on_commit = on_commit
        self._writer = InMemoryWriter()

    def partitions(self) -> Sequence[tuple[str, int]]:
        """Return the one partition."""
        return [(self._topic, 0)]

    def every_partition(self) -> Sequence[tuple[str, int]]:
        """Return the one partition."""
        return self.partitions()

    def open_reader(
        self,
        topic: str,
        partition: int,  # noqa: ARG002 - there is one
        snapshot_offset: int | None,
    ) -> InMemoryReader:
        """Return a reader of the list."""
        return InMemoryReader(topic, self._records, snapshot_offset or 0, self._on_commit)

    def writer(self) -> InMemoryWriter:
        """Return the writer."""
        return self._writer

    def close(self) -> None:
        """Nothing to release."""


class CapturedMessages:
    """Encodes as a topic's encoder would, so that what cannot be encoded fails, and keeps messages.

    Args:
        encoder: The topic's encoder.
    """

    def __init__(self, encoder: RecordEncoder) -> None:
        self._encoder = encoder

    def encode(
        self, messages: Sequence[Message[Any]], keys: Sequence[bytes | None] | None = None
    ) -> list[Any]:
        """Return the messages, with the keys that they would be written with."""
        self._encoder.encode(messages, keys)
        if keys is None:
            return list(messages)
        return [
            Message(payload=message.payload, meta=msgspec.structs.replace(message.meta, key=key))
            for message, key in zip(messages, keys, strict=True)
        ]


class CapturedEnvelopes:
    """Keeps envelopes as they are."""

    def encode(self, envelope: ErrorEnvelope[Any]) -> ErrorEnvelope[Any]:
        """Return the envelope."""
        return envelope
