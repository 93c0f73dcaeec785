"""A segment runs the nodes between two exchanges over whole batches, and accounts for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from time import perf_counter
from typing import Any, TypeVar

from loom_runtime.compiler.plan import CompiledNode, NodeKind
from loom_runtime.errors import ErrorEnvelope, ErrorKind
from loom_runtime.execution.layout import EXCHANGED, Exchange, Layout
from loom_runtime.execution.outcome import Messages, Offsets, Outcome
from loom_runtime.execution.stages import run_path
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
from loom_runtime.execution.worker import Worker
from loom_runtime.failures import UnroutedErrorError
from loom_runtime.flow.scopes import ResourceScope
from loom_runtime.ledger import Receipt, token_changes
from loom_runtime.places import place_text
from loom_runtime.wire.decoding import build_decoder

TO_SINK = -1
"""Destination of what a segment sends to the sink; exchanges have their own index."""

Sent = tuple[int, str, Any]
"""``(destination, key, item)``."""

_STRETCH_RECORDS = 128
"""How many records of a batch go through a segment at once, decoding and encoding included. What
they become then stays in the processor's caches, and the memory of one stretch serves the next:
decoding, one step and encoding take 1.6 µs a record in stretches of 64, 1.9 of 250, 2.9 of 2,000.
"""

T = TypeVar("T")


class LateRecordError(Exception):
    """A record came later than its window's allowed lateness."""


class UntimedRecordError(Exception):
    """A record has no time, so it belongs to no window."""


class Segment:
    """What all segments share: running a batch and turning its outcome into what is sent on."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._layout: Layout = worker.surroundings.layout
        self._tracked = self._layout.fans_out
        self._overseer = worker.surroundings.overseer

    def _send(
        self, partition: str, out: Outcome, receipt: Receipt, consumed: Sequence[int] | None
    ) -> Iterator[Sent]:
        """Yield what *out* holds; *consumed* is the tokens that came in, ``None`` from a source."""
        if self._overseer is not None:
            self._overseer.settle(self._worker, out)
        self._write_envelopes(out)
        for exchange, offsets, messages in out.forwards:
            yield exchange, partition, Batch(partition, offsets, messages)
        for exchange, keyed in out.keyed:
            for key, offset, message in keyed:
                yield exchange, key, (partition, offset, message)
        receipt.filtered = len(out.filtered)
        if self._tracked:
            receipt.tokens = self._tokens(out, consumed)
        yield TO_SINK, partition, Parcel(out.writes, receipt)

    def _tokens(self, out: Outcome, consumed: Sequence[int] | None) -> list[tuple[int, int, int]]:
        kept = chain(
            chain.from_iterable(offsets for _, offsets, _ in out.writes),
            chain.from_iterable(offsets for _, offsets, _ in out.forwards),
            (offset for _, keyed in out.keyed for _, offset, _ in keyed),
        )
        from_source = consumed is None
        came_in = self._read if consumed is None else consumed
        return token_changes(came_in, kept, out.filtered, from_source=from_source)

    _read: Sequence[int] = ()

    def _write_envelopes(self, out: Outcome) -> None:
        by_kind: dict[ErrorKind, tuple[Offsets, list[ErrorEnvelope[Any]]]] = {}
        for offset, envelope in out.failures:
            offsets, envelopes = by_kind.setdefault(envelope.kind, ([], []))
            offsets.append(offset)
            envelopes.append(envelope)
        for kind, (offsets, envelopes) in by_kind.items():
            found = self._worker.surroundings.envelope_encoder(kind)
            if found is None:
                raise _unrouted(self._layout, envelopes[0], len(envelopes))
            port, encoder = found
            outputs = [encoder.encode(envelope) for envelope in envelopes]
            out.writes.append((port, offsets, outputs))


class SourceSegment(Segment):
    """The segment that begins at the source: decodes, then runs the first nodes."""

    def __init__(self, worker: Worker) -> None:
        super().__init__(worker)
        layout = self._layout
        source = layout.plan.source
        self._decoder = build_decoder(
            source.settings.format,
            source.payload_types,
            flow=layout.plan.name,
            revision=worker.surroundings.revision,
        )
        self._statistics = worker.statistics_of(())
        self._path = worker.path(layout.plan.process, layout.end)
        self._stretch = None if _sees_batches(layout.plan.process) else _STRETCH_RECORDS

    def run(self, items: Iterable[SourceBatch | DecodedBatch | Flush]) -> Iterator[Sent]:
        """Run batches as they were read."""
        for item in items:
            if isinstance(item, Flush):
                for exchange in self._layout.exchanges:
                    if (
                        exchange.level == item.level
                        and exchange.node.kind is NodeKind.COLLECT_BATCH
                    ):
                        yield exchange.index, item.partition, item
                continue
            yield from self._run_batch(item)

    def _run_batch(self, item: SourceBatch | DecodedBatch) -> Iterator[Sent]:
        out = Outcome()
        if isinstance(item, DecodedBatch):
            self._read = item.offsets
            self._run_decoded(item, out)
        else:
            if self._tracked:
                self._read = [record[0] for record in item.records]
            self._run_raw(item, out)
        out.join()
        receipt = Receipt(consumed=len(item))
        yield from self._send(partition_key(item.topic, item.partition), out, receipt, None)

    def _run_raw(self, item: SourceBatch, out: Outcome) -> None:
        listener = self._worker.surroundings.listener
        statistics = self._statistics
        for records in self._stretches(item.records):
            started = perf_counter()
            decoded = self._decoder.decode(item.topic, item.partition, records)
            if statistics.watcher is not None:
                decoded = statistics.watcher.read(records, decoded, out)
            offsets, messages, failures = decoded
            for failure in failures:
                out.failures.append((failure.offset, failure.envelope))
                statistics.errors[failure.envelope.kind.value] += 1
                if listener is not None:
                    listener(failure.envelope, None, None, failure.error)
            statistics.ran(len(records), len(offsets), perf_counter() - started)
            if statistics.sampler is not None:
                taking = statistics.sampler.taken_raw(records)
                if taking is not None:
                    taking.give(offsets, messages)
            run_path(self._path, offsets, messages, out)

    def _run_decoded(self, item: DecodedBatch, out: Outcome) -> None:
        stretches = zip(self._stretches(item.offsets), self._stretches(item.messages), strict=True)
        for offsets, messages in stretches:
            self._statistics.ran(len(offsets), len(offsets), 0.0)
            run_path(self._path, list(offsets), list(messages), out)

    def _stretches(self, items: Sequence[T]) -> Iterator[Sequence[T]]:
        """Yield *items* in the pieces that go through the segment by themselves."""
        length = self._stretch or len(items)
        if length >= len(items):
            yield items
            return
        for start in range(0, len(items), length):
            yield items[start : start + length]


class ExchangeSegment(Segment):
    """The segment behind an exchange."""

    def __init__(self, worker: Worker, exchange: Exchange) -> None:
        super().__init__(worker)
        node: CompiledNode = exchange.node
        self._path = worker.path(exchange.rest, exchange.end)
        self._statistics = worker.statistics_of(node.path)
        self._boundary = worker.boundary_of(node)
        self._late = (
            None if exchange.late_port is None else worker.write_stage(exchange.late_port, node)
        )

    def run(self, items: Iterable[tuple[str, Stepped | Collected]]) -> Iterator[Sent]:
        """Run what an exchange gave: records one by one, or batches."""
        stepped: dict[str, list[Stepped]] = {}
        for _, item in items:
            if isinstance(item, Stepped):
                of_partition = stepped.get(item.partition)
                if of_partition is None:
                    stepped[item.partition] = [item]
                else:
                    of_partition.append(item)
            else:
                yield from self._run_collected(item)
        for partition, records in stepped.items():
            yield from self._run_stepped(partition, records)

    def _run_stepped(self, partition: str, records: list[Stepped]) -> Iterator[Sent]:
        out = Outcome()
        offsets: Offsets = []
        messages: Messages = []
        for record in records:
            if record.envelope is not None:
                out.failures.append((record.offset, record.envelope))
            elif not record.outputs:
                out.filtered.append(record.offset)
            else:
                offsets += [record.offset] * len(record.outputs)
                messages += record.outputs
        run_path(self._path, offsets, messages, out)
        yield from self._send(partition, out, Receipt(), [record.offset for record in records])

    def _run_collected(self, item: Collected) -> Iterator[Sent]:
        """Run each batch by itself. Records that stay held are no tokens of this segment."""
        receipt = Receipt(held=item.held, released=item.released)
        out = Outcome()
        consumed: Offsets = []
        for offsets, messages in item.batches:
            consumed += offsets
            run_path(self._path, offsets, messages, out)
        offsets, messages = item.late
        if offsets:
            consumed += offsets
            receipt.late = len(offsets)
            self._run_late(offsets, messages, out)
        for offset, message in zip(*item.untimed, strict=True):
            consumed.append(offset)
            untimed = UntimedRecordError("it has no produced_at_ms, so it belongs to no window")
            self._boundary.fail(offset, message, untimed, out, ErrorKind.ROUTING)
        yield from self._send(item.partition, out, receipt, consumed)

    def _run_late(self, offsets: Offsets, messages: Messages, out: Outcome) -> None:
        self._statistics.late += len(offsets)
        if self._late is not None:
            self._late.process(offsets, messages, out)
            return
        for offset, message in zip(offsets, messages, strict=True):
            error = LateRecordError("the record came later than its window's allowed lateness")
            self._boundary.fail(offset, message, error, out, ErrorKind.ROUTING)


def _unrouted(layout: Layout, envelope: ErrorEnvelope[Any], count: int) -> UnroutedErrorError:
    meta = envelope.transport
    if envelope.original_message is not None:
        meta = envelope.original_message.meta
    record = f"record {place_text(meta.topic, meta.partition, meta.offset)}" if meta else "a record"
    more = f" (and {count - 1} more of its batch)" if count > 1 else ""
    return UnroutedErrorError(
        f"{record} failed with a {envelope.kind.value} error{more} and flow "
        f"{layout.plan.name!r} has no topic for such errors: {envelope.reason}",
        where=envelope.node or f"source {layout.plan.source.name}",
        what_next="declare one, as in StreamFlow(..., errors=IntoTopic('"
        f"{layout.plan.name}.errors', payload=ErrorEnvelope[...])); nothing was committed past "
        "the record",
    )


def _sees_batches(nodes: Iterable[CompiledNode]) -> bool:
    """Return whether a node before the first exchange does something once for each batch: opens
    a context, or starts as many tasks at once as the batch allows."""
    for node in nodes:
        if node.kind in EXCHANGED:
            return False
        if node.kind is NodeKind.WITH_ASYNC:
            return True
        if node.kind is NodeKind.WITH and node.node.scope is ResourceScope.BATCH:
            return True
        if any(_sees_batches(branch.nodes) for branch in node.branches):
            return True
    return False
