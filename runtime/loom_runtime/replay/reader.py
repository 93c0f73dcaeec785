"""Reads a partition again: up to its end, at the replay's pace, and never commits."""

from __future__ import annotations

from loom_runtime.execution.travel import DecodedBatch, SourceBatch, partition_key
from loom_runtime.replay.steering import ReplaySteering
from loom_runtime.transport import PartitionReader
from loom_runtime.wire.records import RawRecord


class ReplayReader:
    """A reader around another, whose commits it keeps to itself.

    Args:
        inner: Reads the partition.
        topic: Its topic.
        partition: Its number.
        steering: Lets records go.
    """

    def __init__(
        self, inner: PartitionReader, topic: str, partition: int, steering: ReplaySteering
    ) -> None:
        self._inner = inner
        self._topic, self._partition = topic, partition
        self._key = partition_key(topic, partition)
        self._steering = steering
        self._end = steering.ends.get(self._key)
        self._waiting: list[RawRecord] = []
        self._position = inner.position
        steering.opened(self._key, self._position)

    @property
    def position(self) -> int:
        """Next offset to read."""
        return self._position

    @property
    def committed(self) -> int | None:
        """What the group had committed; a replay does not move it."""
        return self._inner.committed

    @property
    def end_offset(self) -> int | None:
        """Where this replay ends."""
        return self._end if self._end is not None else self._inner.end_offset

    @property
    def at_end(self) -> bool:
        """Whether everything up to the end was read."""
        if self._waiting:
            return False
        if self._end is not None:
            return self._position >= self._end
        return self._inner.at_end

    def read(self, limit: int) -> SourceBatch | DecodedBatch | None:
        """Return what may go now, at most *limit* records."""
        if not self._waiting:
            self._fetch(limit)
        if self.at_end:
            self._steering.at_end(self._key)
            return None
        if self._steering.record_by_record:
            limit = 1
        count = self._steering.grant(self._key, self._waiting[:limit])
        if not count:
            return None
        records, self._waiting = self._waiting[:count], self._waiting[count:]
        self._position = records[-1][0] + 1
        self._skip_gap()
        return SourceBatch(self._topic, self._partition, records)

    def commit(self, offset: int, *, wait: bool) -> None:  # noqa: ARG002
        """Commit nothing; the epoch that it was for is over."""
        self._steering.closed_epoch()

    def close(self) -> None:
        """Release the reader."""
        self._inner.close()

    def _fetch(self, limit: int) -> None:
        if self._end is not None and self._position >= self._end:
            return
        batch = self._inner.read(limit)
        if isinstance(batch, SourceBatch):
            end = self._end
            self._waiting = [record for record in batch.records if end is None or record[0] < end]
        self._skip_gap()

    def _skip_gap(self) -> None:
        """Move over offsets that hold no record for us, as the reader did, but not past the end."""
        if not self._waiting:
            reached = self._inner.position
            if self._end is not None:
                reached = min(reached, self._end)
            self._position = max(self._position, reached)
