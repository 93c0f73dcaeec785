"""What travels between the operators of a running flow. Everything here can be pickled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from loom_runtime.errors import ErrorEnvelope
from loom_runtime.ledger import Receipt
from loom_runtime.message import Message
from loom_runtime.wire.records import RawRecord


def partition_key(topic: str, partition: int) -> str:
    """Return ``topic:partition``, the durable key of a partition's state."""
    return f"{topic}:{partition}"


@dataclass(slots=True)
class SourceBatch:
    """Records of one partition as they were read, in order."""

    topic: str
    partition: int
    records: Sequence[RawRecord]

    def __len__(self) -> int:
        return len(self.records)


@dataclass(slots=True)
class DecodedBatch:
    """Records of one partition that need no decoding, as a test hands them in."""

    topic: str
    partition: int
    offsets: list[int]
    messages: list[Message[Any]]

    def __len__(self) -> int:
        return len(self.offsets)


@dataclass(slots=True)
class Flush:
    """A request to hand on everything held, one level of holding nodes at a time.

    Attributes:
        partition: Key of the source partition.
        level: How many holding nodes a record met before the one that is meant.
        windows: Whether open windows are handed on too, or batches only.
    """

    partition: str
    level: int
    windows: bool


@dataclass(slots=True)
class Batch:
    """Records of one source partition on their way from one node to the next.

    Attributes:
        partition: Key of the source partition.
        offsets: Source offset of each record; one offset stands several times after a fan-out.
        messages: The records.
    """

    partition: str
    offsets: list[int]
    messages: list[Message[Any]]


@dataclass(slots=True)
class Stepped:
    """One record after a keyed step.

    Attributes:
        partition: Key of the source partition.
        offset: Source offset of the record.
        outputs: What the step gave.
        envelope: Its failure, when it failed.
    """

    partition: str
    offset: int
    outputs: Sequence[Message[Any]] = ()
    envelope: ErrorEnvelope[Any] | None = None


@dataclass(slots=True)
class Collected:
    """What a holding node handed on or took in.

    Attributes:
        partition: Key of the source partition.
        batches: Batches to be handed on, each ``(offsets, messages)``.
        late: Records that came too late for their window, ``(offsets, messages)``.
        untimed: Records without the event time that their window needs.
        held: Offsets that the node began to hold.
        released: Offsets that it let go.
    """

    partition: str
    batches: list[tuple[list[int], list[Message[Any]]]] = field(default_factory=list)
    late: tuple[list[int], list[Message[Any]]] = field(default_factory=lambda: ([], []))
    untimed: tuple[list[int], list[Message[Any]]] = field(default_factory=lambda: ([], []))
    held: list[int] = field(default_factory=list)
    released: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Parcel:
    """What one run of a segment sends to the sink.

    Attributes:
        writes: ``(port, offsets, outputs)``, one output an offset.
        receipt: What happened to the segment's records.
    """

    writes: list[tuple[int, list[int], list[Any]]]
    receipt: Receipt
