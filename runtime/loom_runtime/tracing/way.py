"""What the nodes took and gave on the way of a batch, kept by reference until the batch is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from loom_runtime.errors import ErrorEnvelope
from loom_runtime.message import Message
from loom_runtime.tracing.failures import FailureNotes
from loom_runtime.tracing.labels import Label
from loom_runtime.tracing.recorder import Recorder
from loom_runtime.tracing.trace import SourceRecord, StopOutcome, TraceStop
from loom_runtime.wire.records import RawRecord


@dataclass
class Station:
    """One node at work on a batch."""

    label: Label
    takes: Sequence[Message[Any]]
    gives: Sequence[Message[Any]] = ()
    state: tuple[str, bytes | None, bytes | None] | None = None


@dataclass
class Failed:
    """A record that failed."""

    envelope: ErrorEnvelope[Any]
    message: Message[Any] | None
    label: Label | None
    error: BaseException


@dataclass
class Way:
    """The batch that one worker has on its way.

    Attributes:
        stations: Nodes in the order in which they began.
        raw: The records as they were read, when the source has just read them.
    """

    stations: list[Station] = field(default_factory=list)
    raw: list[RawRecord] = field(default_factory=list)

    def begin(self, label: Label, takes: Sequence[Message[Any]]) -> Station:
        """A node begins."""
        station = Station(label, takes)
        self.stations.append(station)
        return station

    def clear(self) -> None:
        """The batch is done."""
        self.stations.clear()
        self.raw.clear()

    def record(self, topic: str, partition: int, offset: int) -> SourceRecord:
        """Return the source record, without a value when it was read in another batch."""
        for found, key, value, headers, timestamp_ms in self.raw:
            if found == offset:
                return SourceRecord(
                    topic=topic,
                    partition=partition,
                    offset=offset,
                    key=key,
                    value=value,
                    headers=tuple(headers or ()),
                    timestamp_ms=timestamp_ms,
                )
        return SourceRecord(topic=topic, partition=partition, offset=offset)

    def stops(
        self, source: Label, record: SourceRecord, notes: FailureNotes, failed: Failed | None
    ) -> tuple[TraceStop, ...]:
        """Return the way of one record so far; the last stop is where it is."""
        recorder = Recorder(notes)
        place = record.topic, record.partition, record.offset
        for station in self.stations:
            takes = [each for each in station.takes if _place(each) == place]
            gives = [each for each in station.gives if _place(each) == place]
            if station.label.path == source.path and not station.takes:
                stop = recorder.begin_at_source(source, record)
            elif takes:
                stop = recorder.begin(station.label, takes)
            else:
                continue
            if station.state is not None:
                recorder.state(stop, *station.state)
            recorder.end(stop, gives, StopOutcome.PASSED)
            stop.duration_ms = None
        if failed is not None:
            recorder.failed(failed.label, failed.envelope, failed.message, failed.error)
        elif recorder.stops:
            recorder.stops[-1].outcome = StopOutcome.RUNNING
        return tuple(stop.done() for stop in recorder.stops)


def _place(message: Message[Any]) -> tuple[str | None, int | None, int | None]:
    return message.meta.topic, message.meta.partition, message.meta.offset
