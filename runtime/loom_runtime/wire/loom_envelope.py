"""The shapes of the ``loom`` format: a MessagePack map ``{meta, payload}`` and its error payloads.

The loom-kernel library reads and writes the same maps. Fields are encoded in its order.
"""

from __future__ import annotations

from time import time_ns
from typing import Any, Final, Generic, TypeVar

import msgspec

from loom_runtime.errors import ErrorEnvelope, ErrorKind, ErrorMessageMeta
from loom_runtime.message import MessageMeta
from loom_runtime.wire.headers import context_headers, salvage_headers

PayloadT = TypeVar("PayloadT")

ERROR_TYPE_PREFIX: Final = "loom.streaming.error."
"""Message types of error envelopes: this and the error kind."""

WIRE_ERROR_TYPE: Final = ERROR_TYPE_PREFIX + ErrorKind.WIRE.value

MEDIA_TYPE: Final = "application/x-loom-msgpack"


class ContentType(msgspec.Struct, frozen=True):
    """How the payload is encoded."""

    media_type: str = MEDIA_TYPE
    encoding: str | None = None


class Descriptor(msgspec.Struct, frozen=True):
    """What the payload is."""

    message_type: str
    message_version: int
    content_type: ContentType = ContentType()
    schema_ref: None = None


class EnvelopeMeta(msgspec.Struct, gc=False):
    """Metadata as it is written."""

    descriptor: Descriptor
    trace_id: str | None
    parent_trace_id: str | None
    correlation_id: str | None
    causation_id: str | None
    produced_at_ms: int


class MessageEnvelope(msgspec.Struct, gc=False):
    """A record's value as it is written."""

    meta: EnvelopeMeta
    payload: Any


class ReadDescriptor(msgspec.Struct, gc=False):
    """The descriptor as far as it is read."""

    message_type: str
    message_version: int | None = None


class ReadMeta(msgspec.Struct, gc=False):
    """Metadata as it is read: what a foreign writer leaves out is unknown, not wrong."""

    descriptor: ReadDescriptor
    trace_id: str | None = None
    parent_trace_id: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    produced_at_ms: int | None = None


class ReadEnvelope(msgspec.Struct, Generic[PayloadT]):
    """A record's value as it is read."""

    meta: ReadMeta
    payload: PayloadT


class WireErrorPayload(msgspec.Struct, omit_defaults=True):
    """The payload under :data:`WIRE_ERROR_TYPE`: a record that did not decode, and why.

    Attributes:
        error: The envelope, without the record's value.
        raw: The record's value; empty when there is none or it was left out.
        topic: Topic of the record.
        key: Its key.
        headers: Its headers.
        partition: Its partition.
        offset: Its offset.
        timestamp_ms: Its timestamp, milliseconds since the Unix epoch.
        raw_absent: Whether an empty ``raw`` stands for no value.
    """

    error: ErrorEnvelope[Any]
    raw: bytes
    topic: str
    key: bytes | None
    headers: dict[str, bytes]
    partition: int | None
    offset: int | None
    timestamp_ms: int | None
    raw_absent: bool = False


_NO_TRANSPORT: Final = ErrorMessageMeta(message_id="")


def error_type(kind: ErrorKind) -> str:
    """Return the message type of an envelope of *kind*."""
    return ERROR_TYPE_PREFIX + kind.value


def loom_meta(descriptor: Descriptor, meta: MessageMeta | ErrorMessageMeta) -> EnvelopeMeta:
    """Return *meta* as it is written; a message without a time was produced now."""
    produced_at_ms = meta.produced_at_ms
    return EnvelopeMeta(
        descriptor,
        meta.trace_id,
        meta.parent_trace_id,
        meta.correlation_id,
        meta.causation_id,
        time_ns() // 1_000_000 if produced_at_ms is None else produced_at_ms,
    )


def error_payload(envelope: ErrorEnvelope[Any]) -> ErrorEnvelope[Any] | WireErrorPayload:
    """Return what stands in the payload of a ``loom`` record for *envelope*."""
    if envelope.kind is not ErrorKind.WIRE:
        return envelope
    transport = envelope.transport or _NO_TRANSPORT
    return WireErrorPayload(
        error=msgspec.structs.replace(envelope, raw=None),
        raw=envelope.raw or b"",
        topic=transport.topic or "",
        key=transport.key,
        headers={**dict(context_headers(transport)), **transport.headers},
        partition=transport.partition,
        offset=transport.offset,
        timestamp_ms=transport.produced_at_ms,
        raw_absent=envelope.raw is None,
    )


def envelope_of(wire_error: WireErrorPayload) -> ErrorEnvelope[Any]:
    """Return the envelope that *wire_error* stands for, whichever library wrote it."""
    raw = None if wire_error.raw_absent else wire_error.raw
    transport = wire_error.error.transport
    if transport is None and wire_error.topic:
        place = f"{wire_error.topic}:{wire_error.partition}:{wire_error.offset}"
        fields, rest = salvage_headers(wire_error.headers.items())
        transport = ErrorMessageMeta(
            message_id=place,
            produced_at_ms=wire_error.timestamp_ms,
            topic=wire_error.topic,
            partition=wire_error.partition,
            offset=wire_error.offset,
            key=wire_error.key,
            headers=rest,
            **fields,
        )
    return msgspec.structs.replace(wire_error.error, raw=raw, transport=transport)
