"""The source operator: reads partitions, commits at the epoch barrier, drains when asked."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta
from time import time

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from loom_runtime.engine.context import EngineContext
from loom_runtime.engine_control import StopMode
from loom_runtime.execution.travel import DecodedBatch, Flush, SourceBatch, partition_key
from loom_runtime.recovery.positions import decode_position, encode_position

_SHORTEST_WAIT_S = 0.001
_LONGEST_WAIT_BEFORE_COMMIT_S = 0.002
"""The same while records wait for the epoch's end, so that their commit follows it closely."""

_KEPT_ENDS = 8
"""Positions of epochs' ends that are kept: one or two epochs may be closed and not written yet."""

Item = SourceBatch | DecodedBatch | Flush


class PartitionSource(StatefulSourcePartition[Item, bytes]):
    """One partition.

    After ``snapshot`` has closed an epoch Bytewax calls ``next_batch`` again only when every
    worker has finished every write of that epoch, so that call commits.
    """

    def __init__(
        self, context: EngineContext, topic: str, partition: int, resume_state: bytes | None
    ) -> None:
        self._context = context
        self._key = partition_key(topic, partition)
        self._ledger = context.ledgers[self._key]
        snapshot = None if resume_state is None else decode_position(resume_state)
        self._reader = context.transport.open_reader(
            topic, partition, None if snapshot is None else snapshot.offset
        )
        self._batch_size = context.layout.plan.source.settings.batch_size
        self._at_most_once = context.layout.plan.source.settings.delivery == "at_most_once"
        self._epoch = 0
        self._epoch_closed = False
        self._snapshot_position = self._reader.position
        self._wait_s = 0.0
        self._stopping: list[Flush] | None = None
        self._ended = False
        self._ends: deque[tuple[int, int]] = deque(maxlen=_KEPT_ENDS)
        context.committers.append(self._commit_epoch)

    def next_batch(self) -> list[Item]:
        """Return what is there; commit first when an epoch has ended."""
        at_barrier = self._epoch_closed
        if at_barrier:
            self._epoch_closed = False
            self._context.completed_epoch = max(self._context.completed_epoch, self._epoch)
        stop = self._context.control.stop
        if stop is not None:
            return self._stop(stop, at_barrier=at_barrier)
        if at_barrier:
            self._commit(wait=False)
        return self._read()

    def next_awake(self) -> datetime:
        """Return when to look again: at once after records, later after none."""
        return datetime.now(UTC) + timedelta(seconds=self._wait_s)

    def snapshot(self) -> bytes:
        """Close the epoch and return the position."""
        self._epoch += 1
        self._epoch_closed = True
        self._snapshot_position = self._reader.position
        self._ends.append((self._epoch, self._snapshot_position))
        return encode_position(
            self._snapshot_position,
            at_ms=int(time() * 1000),
            revision=self._context.revision,
            epoch=self._epoch,
        )

    def _read(self) -> list[Item]:
        control = self._context.control
        if not control.may_read(self._key):
            self._wait_s = control.longest_wait_s()
            return []
        granted = control.grant(self._batch_size)
        batch = self._reader.read(granted) if granted else None
        read = 0 if batch is None else len(batch)
        control.note_read(self._key, granted=granted, read=read, at_end=self._reader.at_end)
        if batch is None:
            self._wait_s = min(max(self._wait_s * 2, _SHORTEST_WAIT_S), self._longest_wait_s())
            return []
        self._wait_s = 0.0
        return [batch]

    def _longest_wait_s(self) -> float:
        uncommitted = self._reader.position != self._snapshot_position
        longest_s = self._context.control.longest_wait_s()
        return min(longest_s, _LONGEST_WAIT_BEFORE_COMMIT_S) if uncommitted else longest_s

    def _stop(self, stop: StopMode, *, at_barrier: bool) -> list[Item]:
        """Hand on what is held, level by level, a barrier between; then commit and end."""
        self._wait_s = _SHORTEST_WAIT_S
        if self._stopping is None:
            self._stopping = self._flushes(stop)
            self._epoch_closed = False
            if at_barrier:
                self._commit(wait=False)
            return []
        if not at_barrier:
            return []
        if self._stopping:
            self._commit(wait=False)
            return [self._stopping.pop(0)]
        self._ended = True
        self._commit(wait=True)
        raise StopIteration

    def _flushes(self, stop: StopMode) -> list[Flush]:
        """Return a request a level of holding nodes.

        A drain keeps windows, and batches too where a recovery store keeps them.
        """
        if stop is StopMode.DRAIN and self._context.persistent:
            return []
        windows = stop is StopMode.FINISH
        levels = self._context.layout.levels
        return [Flush(self._key, level, windows) for level in range(1, levels + 1)]

    def _commit_epoch(self, epoch: int) -> None:
        """Commit what was read by the end of *epoch*; of a later one nothing is written."""
        position = next((end for number, end in reversed(self._ends) if number <= epoch), None)
        if position is not None:
            self._reader.commit(self._not_held(position), wait=True)

    def _not_held(self, position: int) -> int:
        held = None if self._context.persistent else self._ledger.hold_back()
        return position if held is None else min(position, held)

    def _commit(self, *, wait: bool) -> None:
        self._reader.commit(self._not_held(self._snapshot_position), wait=wait)
        row = self._ledger.row(
            position=self._snapshot_position,
            committed=self._reader.committed,
            end_offset=self._reader.end_offset,
        )
        self._context.partition_closed(self._key, self._epoch, row, ended=self._ended)


class PartitionedSource(FixedPartitionedSource[Item, bytes]):
    """Every partition of the process."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context

    def list_parts(self) -> list[str]:
        """Return the keys of the process's partitions."""
        return self._context.partition_keys

    def build_part(
        self,
        step_id: str,  # noqa: ARG002 - there is one source
        for_part: str,
        resume_state: bytes | None,
    ) -> PartitionSource:
        """Open one partition."""
        topic, _, partition = for_part.rpartition(":")
        return PartitionSource(self._context, topic, int(partition), resume_state)
