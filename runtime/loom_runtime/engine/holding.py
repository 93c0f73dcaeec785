"""The keyed operators: state of a StatefulStep's key, records held by a CollectBatch."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from time import perf_counter, time
from typing import Any

from bytewax.operators import StatefulBatchLogic

from loom_runtime.engine.context import EngineContext
from loom_runtime.execution.collecting import Collector, collector, restored_collector
from loom_runtime.execution.keyed import KeyedStep, KeyState
from loom_runtime.execution.layout import Exchange
from loom_runtime.execution.statistics import NodeStatistics
from loom_runtime.execution.travel import Batch, Collected, Flush, Stepped
from loom_runtime.flow.shapes import CollectBatch, WindowStrategy
from loom_runtime.message import Message

Keyed = tuple[str, int, Message[Any]]
"""A record on its way to a keyed step: partition, offset, message."""


class KeyLogic(StatefulBatchLogic[Keyed, Stepped, bytes]):
    """One key of a StatefulStep."""

    __slots__ = ("_state", "_step")

    def __init__(self, step: KeyedStep, resume_state: bytes | None) -> None:
        self._step = step
        self._state = KeyState(step, resume_state)

    def on_batch(self, values: list[Keyed]) -> tuple[list[Stepped], bool]:
        """Run the step for each record, in order."""
        sampler = self._step.statistics.sampler
        taking = None
        if sampler is not None:
            taking = sampler.taken([each[1] for each in values], [each[2] for each in values])
        started = perf_counter()
        take = self._state.take
        results = [take(partition, offset, message) for partition, offset, message in values]
        outputs = sum(len(result.outputs) for result in results)
        self._step.statistics.ran(len(values), outputs, perf_counter() - started)
        if taking is not None:
            taking.give(
                [result.offset for result in results for _ in result.outputs],
                [message for result in results for message in result.outputs],
            )
        return results, self._state.discarded

    def on_eof(self) -> tuple[list[Stepped], bool]:
        """Keep the state: the end of reading is not the end of the key."""
        return [], False

    def snapshot(self) -> bytes:
        """Return the key's state."""
        return self._state.save()


class CollectLogic(StatefulBatchLogic[Batch | Flush, Collected, "bytes | None"]):
    """What a CollectBatch holds for one source partition."""

    def __init__(
        self,
        declaration: CollectBatch,
        statistics: NodeStatistics,
        resume_state: bytes | None,
        *,
        persistent: bool,
    ) -> None:
        self._declaration = declaration
        self._statistics = statistics
        self._persistent = persistent
        self._collector: Collector | None = None
        if resume_state is not None:
            self._collector = restored_collector(resume_state, declaration)
            statistics.held += self._collector.held

    def on_batch(self, values: list[Batch | Flush]) -> tuple[list[Collected], bool]:
        """Take records in, hand on what is complete, or everything when asked."""
        results = []
        for item in values:
            if self._collector is None:
                self._collector = collector(item.partition, self._declaration)
            held = self._collector
            if isinstance(item, Batch):
                self._sample(item)
                results.append(
                    self._timed(
                        len(item.offsets),
                        lambda held=held, item=item: held.take(  # type: ignore[misc]
                            item.offsets, item.messages, _now_ms()
                        ),
                    )
                )
            elif item.windows or self._declaration.window is WindowStrategy.COLLECT:
                results.append(self._timed(0, held.release_all))
        return results, False

    def on_notify(self) -> tuple[list[Collected], bool]:
        """Hand on what the clock completed."""
        if self._collector is None:
            return [], False
        held = self._collector
        return [self._timed(0, lambda: held.expire(_now_ms()))], False

    def notify_at(self) -> datetime | None:
        """Return when the clock next completes something."""
        due_ms = None if self._collector is None else self._collector.due_ms()
        return None if due_ms is None else datetime.fromtimestamp(due_ms / 1000, UTC)

    def on_eof(self) -> tuple[list[Collected], bool]:
        """Keep what is held: a drain is no reason to hand on an open window."""
        return [], False

    def snapshot(self) -> bytes | None:
        """Return what is held, for the recovery store."""
        if not self._persistent or self._collector is None:
            return None
        return self._collector.save()

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


def key_logic(context: EngineContext, exchange: Exchange) -> Callable[[Any], KeyLogic]:
    """Return what makes the logic of one key of *exchange*'s step, on the calling worker."""

    def build(resume_state: bytes | None) -> KeyLogic:
        return KeyLogic(context.keyed_step(exchange), resume_state)

    return build


def collect_logic(context: EngineContext, exchange: Exchange) -> Callable[[Any], CollectLogic]:
    """Return what makes the logic of one partition of *exchange*'s node."""

    def build(resume_state: bytes | None) -> CollectLogic:
        node = exchange.node
        return CollectLogic(
            node.node,
            context.worker().statistics_of(node.path),
            resume_state,
            persistent=context.persistent,
        )

    return build


def _now_ms() -> int:
    return int(time() * 1000)
