"""The record that failed: carried by its envelope, or fetched from where it lies."""

from __future__ import annotations

from loom_bench.broker.reading import TopicRecord
from loom_bench.session.envelopes.envelope import Envelope, decoded_envelope
from loom_bench.session.envelopes.foreign import foreign_failure, without_foreign
from loom_runtime.tracing.trace import SourceRecord
from loom_runtime.wire.headers import context_headers


def carried(envelope: Envelope, record: TopicRecord) -> SourceRecord | None:
    """Return the record that failed as far as *record*, its envelope, carries it whole.

    Foreign dead letters are that record; of ours those carry it that did not decode.
    """
    place = envelope.source
    if place is None:
        return None
    if envelope.carries_record:
        failure = foreign_failure(record.headers)
        told_ms = None if failure is None else failure.source_timestamp_ms
        return SourceRecord(
            topic=place.topic,
            partition=place.partition,
            offset=place.offset,
            key=record.key,
            value=record.value,
            headers=without_foreign(record.headers),
            timestamp_ms=-1 if told_ms is None else told_ms,
        )
    decoded = decoded_envelope(record)
    if decoded is None or decoded.raw is None or decoded.transport is None:
        return None
    meta = decoded.transport
    return SourceRecord(
        topic=place.topic,
        partition=place.partition,
        offset=place.offset,
        key=meta.key,
        value=decoded.raw,
        headers=(*context_headers(meta), *meta.headers.items()),
        timestamp_ms=meta.produced_at_ms or -1,
    )


def as_source(record: TopicRecord) -> SourceRecord:
    """Return a record that was read from its topic as a trace takes it."""
    return SourceRecord(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=record.key,
        value=record.value,
        headers=record.headers,
        timestamp_ms=record.timestamp_ms,
    )
