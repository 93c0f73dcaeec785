"""The sink operator: writes, flushes at the epoch's end, settles the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from loom_runtime.engine.context import EngineContext
from loom_runtime.execution.layout import Port
from loom_runtime.execution.travel import Parcel
from loom_runtime.failures import DeliveryError
from loom_runtime.ledger import Fate
from loom_runtime.transport import Undelivered


class PartitionSink(StatefulSinkPartition[Parcel, bytes | None]):
    """Everything that became of one source partition's records.

    It lives in the process that reads the partition, so that the commit knows what is held and
    the ledger has one place.
    """

    def __init__(self, context: EngineContext, key: str, resume_state: bytes | None) -> None:
        self._context = context
        self._key = key
        self._persistent = context.persistent
        self._ports = context.layout.ports
        self._writer = context.transport.writer()
        self._ledger = ledger = context.ledgers[key]
        self._pending: list[tuple[int, list[int], list[Any]]] = []
        self._held_back: list[tuple[int, list[int], list[Any]]] | None = None
        self._begin_epoch()
        if resume_state is not None:
            ledger.load(resume_state)

    def write_batch(self, items: list[Parcel]) -> None:
        """Hand outputs to the writer; they count when the epoch's flush has delivered them."""
        for parcel in items:
            self._ledger.apply(parcel.receipt)
            if self._held_back is None:
                self._write(parcel.writes)
            else:
                self._held_back += parcel.writes

    def snapshot(self) -> bytes | None:
        """Flush, settle every write's fate and close the ledger's epoch."""
        if self._held_back:
            self._write(self._held_back)
        self._begin_epoch()
        self._writer.flush()
        for port, offsets, outputs in self._pending:
            undelivered = self._writer.claim(port, outputs)
            fate = Fate.WRITTEN if self._ports[port].error_kind is None else Fate.ERRORED
            delivered = offsets
            if undelivered:
                delivered = self._dead_letter(offsets, outputs, undelivered)
            self._ledger.delivered(delivered, fate)
        self._pending.clear()
        self._ledger.close_epoch()
        return self._ledger.save() if self._persistent else None

    def _write(self, writes: Sequence[tuple[int, list[int], list[Any]]]) -> None:
        sampler, capture = self._context.output_sampler, self._context.capture
        for write in writes:
            self._writer.write(write[0], write[2])
            if capture is not None:
                capture.wrote(self._key, *write)
            if sampler is not None:
                sampler.wrote(write[0], write[2])
            self._pending.append(write)

    def _begin_epoch(self) -> None:
        """Choose whether what the epoch writes is kept to its end: while the run may stop at a
        record it is, so that a run that is ended there has written nothing of the epoch."""
        gate = self._context.gate
        if gate is not None:
            self._held_back = [] if gate.wanted else None
            gate.holds(self._key, holding=self._held_back is not None)

    def _dead_letter(
        self, offsets: Sequence[int], outputs: Sequence[Any], undelivered: list[Undelivered]
    ) -> list[int]:
        """Write dead letters and return the offsets of what was delivered after all."""
        lost = self._writer.dead_letter(undelivered)
        if lost:
            raise _not_delivered(self._ports[lost[0].port], lost)
        failed = {id(item.output) for item in undelivered}
        dead: list[int] = []
        delivered: list[int] = []
        for offset, output in zip(offsets, outputs, strict=True):
            (dead if id(output) in failed else delivered).append(offset)
        self._ledger.delivered(dead, Fate.DEAD_LETTERED)
        return delivered


class PartitionedSink(FixedPartitionedSink[Parcel, bytes | None]):
    """One part for each source partition of the process."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context

    def list_parts(self) -> list[str]:
        """Return the keys of the process's source partitions."""
        return self._context.partition_keys

    def part_fn(self, item_key: str) -> int:
        """Return the part's index among the parts of all processes, which Bytewax sorts."""
        return self._context.part_index[item_key]

    def build_part(
        self,
        step_id: str,  # noqa: ARG002 - there is one sink
        for_part: str,
        resume_state: bytes | None,
    ) -> PartitionSink:
        """Make one part."""
        return PartitionSink(self._context, for_part, resume_state)


def _not_delivered(port: Port, lost: Sequence[Undelivered]) -> DeliveryError:
    topic = port.sink.topic if port.sink else "a registered sink"
    has_dlq = port.sink is not None and port.sink.dlq_topic is not None
    return DeliveryError(
        f"{len(lost)} record(s) could not be delivered to {topic}: {lost[0].reason}",
        where=f"sink {port.sink.name if port.sink else port.error_kind}",
        what_next="check the broker and the topic; nothing was committed past these records"
        + ("" if has_dlq else f". IntoTopic({topic!r}, dlq=...) would keep them aside instead"),
    )
