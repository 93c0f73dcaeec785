"""A layout made ready for single records: the engine's own segments, with sinks captured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from time import time
from typing import Any

from loom_runtime.async_bridge import AsyncBridge
from loom_runtime.compiler.plan import CompiledNode, CompiledPlan, NodeKind
from loom_runtime.errors import ErrorEnvelope, ErrorKind
from loom_runtime.execution.holding import Holding
from loom_runtime.execution.keyed import KeyState
from loom_runtime.execution.layout import Exchange, lay_out
from loom_runtime.execution.segments import TO_SINK, ExchangeSegment, Sent, SourceSegment
from loom_runtime.execution.terminal import EnvelopeWriterEncoder
from loom_runtime.execution.topic_encoders import PassEnvelope, envelope_encoder, topic_encoder
from loom_runtime.execution.travel import (
    Batch,
    Collected,
    DecodedBatch,
    Flush,
    Parcel,
    SourceBatch,
    Stepped,
    partition_key,
)
from loom_runtime.execution.worker import Surroundings, Worker
from loom_runtime.message import Message
from loom_runtime.tracing.labels import Label, labels_of
from loom_runtime.tracing.recorder import FailuresOnly, Recorder
from loom_runtime.tracing.trace import StateChange, StopOutcome
from loom_runtime.tracing.watches import NodeWatch

UNROUTED_PORT = -1
"""Port of envelopes of an error kind that the flow has no topic for."""

MAX_STATE_BYTES = 64 * 1024

StateOf = Callable[[str, str], bytes | None]
"""Returns the state of a step id and a key as the recovery store has it; ``None`` for none."""


@dataclass
class Passage:
    """One record on its way through a line.

    Attributes:
        recorder: What writes down its stops, or its first failure only.
        state_of: Where states come from.
        parcels: What segments sent to the sink.
        states: State of every key that it met, by exchange.
        before: Those states as they were.
        holdings: What nodes hold, by exchange.
    """

    recorder: Recorder | FailuresOnly
    state_of: StateOf
    parcels: list[Parcel] = field(default_factory=list)
    states: dict[tuple[int, str], KeyState] = field(default_factory=dict)
    before: dict[tuple[int, str], bytes | None] = field(default_factory=dict)
    holdings: dict[int, Holding] = field(default_factory=dict)


class Line:
    """Takes one record at a time, on the thread that made it.

    Args:
        plan: The plan, or one that begins at one of its nodes.
        registered: Error kinds that a registered sink takes.
        bridge: Returns the event loop.
        revision: Revision of the flow's code.

    Raises:
        Exception: Whatever the constructor of a step raises.
    """

    def __init__(
        self,
        plan: CompiledPlan,
        registered: Iterable[ErrorKind],
        bridge: Callable[[], AsyncBridge],
        revision: str | None,
    ) -> None:
        self.layout = lay_out(plan, registered)
        self.labels = labels_of(self.layout)
        self.key = ""
        self._passage: Passage | None = None
        self._watched = False
        self._worker = Worker(
            Surroundings(
                layout=self.layout,
                record_encoder=lambda port: topic_encoder(self.layout, port),
                envelope_encoder=self._envelope_encoder,
                bridge=bridge,
                revision=revision,
                listener=self._failed,
            )
        )
        self._source = SourceSegment(self._worker)
        self._segments = [ExchangeSegment(self._worker, each) for each in self.layout.exchanges]
        self._keyed_steps = {
            each.index: self._worker.keyed_step(each.node)
            for each in self.layout.exchanges
            if each.node.kind is NodeKind.STATEFUL_STEP
        }

    @property
    def recorder(self) -> Recorder | FailuresOnly | None:
        """What writes down the record that is on its way."""
        return None if self._passage is None else self._passage.recorder

    def run(
        self,
        item: SourceBatch | DecodedBatch,
        recorder: Recorder | FailuresOnly,
        state_of: StateOf,
        *,
        flush: bool,
    ) -> Passage:
        """Take one record through; return what came of it.

        Raises:
            RunError: When a run would have failed.
        """
        self._watch(isinstance(recorder, Recorder))
        passage = self._passage = Passage(recorder, state_of)
        try:
            self._settle(self._source.run([item]))
            levels = self.layout.levels if flush else 0
            key = partition_key(item.topic, item.partition)
            for level in range(1, levels + 1):
                self._settle(self._source.run([Flush(key, level, windows=True)]))
        finally:
            self._passage = None
        return passage

    def state_changes(self, passage: Passage) -> Iterator[StateChange]:
        """Yield what became of every state that *passage* met."""
        for (index, key), state in passage.states.items():
            before = passage.before[index, key]
            after = None if state.discarded else state.save()
            if max(len(key), len(before or b""), len(after or b"")) <= MAX_STATE_BYTES:
                yield StateChange(
                    state_id=self.layout.exchanges[index].step_id,
                    key=key,
                    before=before,
                    after=after,
                )

    def close(self) -> None:
        """Close what scopes opened."""
        self._worker.close()

    def _settle(self, sent: Iterable[Sent]) -> None:
        """Take what segments send to where it goes, until nothing is on its way."""
        arrived: dict[int, list[tuple[str, Any]]] = {}
        self._sort(sent, arrived)
        while arrived:
            index = min(arrived)
            items = arrived.pop(index)
            results = list(self._cross(self.layout.exchanges[index], items))
            self._sort(self._segments[index].run(results), arrived)

    def _sort(self, sent: Iterable[Sent], arrived: dict[int, list[tuple[str, Any]]]) -> None:
        for destination, key, item in sent:
            if destination == TO_SINK:
                self._now.parcels.append(item)
            else:
                arrived.setdefault(destination, []).append((key, item))

    def _cross(
        self, exchange: Exchange, items: list[tuple[str, Any]]
    ) -> Iterator[tuple[str, Stepped | Collected]]:
        if exchange.node.kind is NodeKind.STATEFUL_STEP:
            for key, record in items:
                self.key = key
                for stepped in self._state(exchange, key).take_all([record]):
                    yield key, stepped
        else:
            for key, item in items:
                for collected in self._hold(exchange, item):
                    yield key, collected

    def _state(self, exchange: Exchange, key: str) -> KeyState:
        states = self._now.states
        found = states.get((exchange.index, key))
        if found is None:
            blob = self._now.state_of(exchange.step_id, key)
            self._now.before[exchange.index, key] = blob
            found = KeyState(self._keyed_steps[exchange.index], blob)
            states[exchange.index, key] = found
        return found

    def _hold(self, exchange: Exchange, item: Batch | Flush) -> list[Collected]:
        node, now_ms = exchange.node, int(time() * 1000)
        holding = self._now.holdings.get(exchange.index)
        if holding is None:
            holding = Holding(node.node, self._worker.statistics_of(node.path))
            self._now.holdings[exchange.index] = holding
        recorder = self._now.recorder
        if not isinstance(recorder, Recorder):
            return holding.take(item, now_ms)
        taken: Sequence[Message[Any]] = item.messages if isinstance(item, Batch) else ()
        if isinstance(item, Flush) and not holding.held:
            return []
        stop = recorder.begin(self.labels[node.path], taken)
        collected = holding.take(item, now_ms)
        given = [m for each in collected for _, messages in each.batches for m in messages]
        recorder.end(stop, given, _holding_outcome(collected, given))
        return collected

    @property
    def _now(self) -> Passage:
        if self._passage is None:
            raise RuntimeError("no record is on its way")
        return self._passage

    def _watch(self, watched: bool) -> None:
        if watched != self._watched:
            self._watched = watched
            for path, statistics in self._worker.statistics.items():
                label = self.labels.get(path)
                if label is not None:
                    statistics.watcher = NodeWatch(self, label) if watched else None

    def _failed(
        self,
        envelope: ErrorEnvelope[Any],
        message: Message[Any] | None,
        node: CompiledNode | None,
        error: BaseException,
    ) -> None:
        label: Label | None = None if node is None else self.labels.get(node.path)
        self._now.recorder.failed(label, envelope, message, error)

    def _envelope_encoder(self, kind: ErrorKind) -> tuple[int, EnvelopeWriterEncoder]:
        found = envelope_encoder(self.layout, kind)
        return (UNROUTED_PORT, PassEnvelope()) if found is None else found


def _holding_outcome(collected: list[Collected], given: Sequence[Message[Any]]) -> StopOutcome:
    if any(each.late[0] or each.untimed[0] for each in collected):
        return StopOutcome.LATE
    if any(each.held for each in collected):
        return StopOutcome.HELD
    return StopOutcome.PASSED if given else StopOutcome.HELD
