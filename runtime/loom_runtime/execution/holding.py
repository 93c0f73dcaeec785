"""A CollectBatch at work on one source partition: what comes in, what goes out, and its counts."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from loom_runtime.execution.collecting import Collector, collector, restored_collector
from loom_runtime.execution.statistics import NodeStatistics
from loom_runtime.execution.travel import Batch, Collected, Flush
from loom_runtime.flow.shapes import CollectBatch, WindowStrategy


class Holding:
    """What one node holds for one source partition, timed and counted.

    Args:
        declaration: The node's declaration.
        statistics: Counters of the node.
        blob: What :meth:`save` returned before; ``None`` for an empty one.

    Raises:
        msgspec.DecodeError: When *blob* is none.
        LookupError: When the class of a held payload is not there any more.
    """

    def __init__(
        self, declaration: CollectBatch, statistics: NodeStatistics, blob: bytes | None = None
    ) -> None:
        self._declaration = declaration
        self._statistics = statistics
        self._collector: Collector | None = None
        if blob is not None:
            self._collector = restored_collector(blob, declaration)
            statistics.held += self._collector.held

    @property
    def held(self) -> int:
        """Records held now."""
        return 0 if self._collector is None else self._collector.held

    def take(self, item: Batch | Flush, now_ms: int) -> list[Collected]:
        """Take records in and hand on what is complete, or hand on everything when asked."""
        if self._collector is None:
            self._collector = collector(item.partition, self._declaration)
        held = self._collector
        if isinstance(item, Batch):
            batch = item
            self._sample(batch)
            return [
                self._timed(
                    len(batch.offsets), lambda: held.take(batch.offsets, batch.messages, now_ms)
                )
            ]
        if item.windows or self._declaration.window is WindowStrategy.COLLECT:
            return [self._timed(0, held.release_all)]
        return []

    def expire(self, now_ms: int) -> list[Collected]:
        """Hand on what the clock completed."""
        if self._collector is None:
            return []
        held = self._collector
        return [self._timed(0, lambda: held.expire(now_ms))]

    def due_ms(self) -> int | None:
        """Return when :meth:`expire` is next needed, or ``None``."""
        return None if self._collector is None else self._collector.due_ms()

    def save(self) -> bytes | None:
        """Return what is held as a self-describing MessagePack blob; ``None`` before any."""
        return None if self._collector is None else self._collector.save()

    def _sample(self, item: Batch) -> None:
        """Put down what comes in; what goes out is the same, later."""
        sampler = self._statistics.sampler
        taking = None if sampler is None else sampler.taken(item.offsets, item.messages)
        if taking is not None:
            taking.give((), ())

    def _timed(self, records_in: int, action: Callable[[], Collected]) -> Collected:
        started = perf_counter()
        collected = action()
        statistics = self._statistics
        out = sum(len(offsets) for offsets, _ in collected.batches)
        statistics.held += len(collected.held) - len(collected.released)
        if records_in:
            statistics.ran(records_in, out, perf_counter() - started)
        else:
            statistics.records_out += out
        return collected
