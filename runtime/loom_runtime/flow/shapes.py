"""Shapes of a stream and the nodes that change them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from loom_runtime.declaration import Declared
from loom_runtime.flow.boundary import IntoTopic


class StreamShape(StrEnum):
    """What travels on an edge: single records, batches of them, or nothing."""

    RECORD = "record"
    BATCH = "batch"
    NONE = "none"


class WindowStrategy(StrEnum):
    """How :class:`CollectBatch` groups records.

    ``collect``: by count and waiting time. ``tumbling``: windows of one length, aligned to the
    Unix epoch. ``session``: windows that a gap without records ends.
    """

    COLLECT = "collect"
    TUMBLING = "tumbling"
    SESSION = "session"


@dataclass(frozen=True)
class CollectBatch(Declared):
    """Record to batch, kept apart per source partition.

    A record without ``produced_at_ms`` belongs to no event-time window: it is a ``routing`` error.

    Attributes:
        max_records: A batch is handed on when it has this many records. A window that fills up is
            handed on in several batches.
        timeout_ms: ``collect``: how long the first record waits at most. ``tumbling``: length of
            the window. ``session``: the gap that ends a session.
        window: How records are grouped.
        event_time: Whether windows follow ``meta.produced_at_ms`` (the watermark is the largest
            value seen on the partition) rather than the clock of the machine.
        allowed_lateness_ms: How far behind the watermark a record may come and still be taken in;
            a window closes when the watermark is this far past its end.
        late: Sink of records that came later than that. Without one they become ``routing``
            envelopes.

    Raises:
        ValueError: When a number is below its least value (1, 1, 0), or event time or lateness is
            asked of ``collect``.
    """

    max_records: int
    timeout_ms: int
    window: WindowStrategy = WindowStrategy.COLLECT
    event_time: bool = False
    allowed_lateness_ms: int = 0
    late: IntoTopic[object] | None = None  # type: ignore[type-var]

    def __post_init__(self) -> None:
        """Refuse numbers and combinations that mean nothing."""
        if self.max_records < 1:
            raise ValueError(f"CollectBatch.max_records is {self.max_records}; the least is 1")
        if self.timeout_ms < 1:
            raise ValueError(f"CollectBatch.timeout_ms is {self.timeout_ms}; the least is 1")
        if self.allowed_lateness_ms < 0:
            raise ValueError("CollectBatch.allowed_lateness_ms must not be negative")
        if self.window is WindowStrategy.COLLECT and (
            self.event_time or self.allowed_lateness_ms or self.late is not None
        ):
            raise ValueError(
                "event_time, allowed_lateness_ms and late belong to windows: "
                "choose WindowStrategy.TUMBLING or WindowStrategy.SESSION"
            )
        if (self.allowed_lateness_ms or self.late is not None) and not self.event_time:
            raise ValueError("allowed_lateness_ms and late need event_time=True")


@dataclass(frozen=True)
class ForEach(Declared):
    """Batch to record."""


@dataclass(frozen=True)
class Drain(Declared):
    """Record to nothing: an explicit end of the path."""
