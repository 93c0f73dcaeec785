"""Decodes whole batches of records into messages; what does not decode is set apart."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import msgspec

from loom_runtime.config.kafka import WireFormat
from loom_runtime.message import Message, MessageMeta
from loom_runtime.wire.dispatch import (
    DecoderFactory,
    PayloadDecoder,
    TypeTable,
    flattened,
    is_error_envelope,
    json_decoder,
    msgpack_decoder,
    type_name,
)
from loom_runtime.wire.failing import FailureMaker
from loom_runtime.wire.headers import ERROR_KIND, split_headers
from loom_runtime.wire.loom_envelope import ERROR_TYPE_PREFIX, ReadEnvelope
from loom_runtime.wire.records import RawRecord, WireFailure

Decoded = tuple[list[int], list[Message[Any]], list[WireFailure]]
"""Offsets and messages side by side, and the failures; each list in the order of the records."""

_CAUGHT = (Exception, SystemExit)
"""A payload's ``__post_init__`` is user code: whatever it raises fails one record."""


class Decoder(ABC):
    """Decodes the records of one source.

    Args:
        failures: Makes the failures.
    """

    __slots__ = ("_failures",)

    def __init__(self, failures: FailureMaker) -> None:
        self._failures = failures

    @abstractmethod
    def decode(self, topic: str, partition: int, records: Sequence[RawRecord]) -> Decoded:
        """Decode a batch of one partition. Never raises because of what a record holds."""


class SingleTypeDecoder(Decoder):
    """Payload as the value, metadata as headers, one payload type.

    Args:
        payload_type: The type.
        factory: Makes its decoder.
        failures: Makes the failures.
    """

    __slots__ = ("_decode", "_message_type")

    def __init__(self, payload_type: Any, factory: DecoderFactory, failures: FailureMaker) -> None:
        super().__init__(failures)
        self._decode: PayloadDecoder = factory(payload_type)
        self._message_type = type_name(payload_type)

    def decode(self, topic: str, partition: int, records: Sequence[RawRecord]) -> Decoded:
        """Decode a batch of one partition. Never raises because of what a record holds."""
        messages: list[Message[Any]] = []
        failures: list[WireFailure] = []
        place = f"{topic}:{partition}:"
        decode = self._decode
        message_type = self._message_type
        append = messages.append
        for offset, key, value, headers, timestamp_ms in records:
            try:
                if headers:
                    payload = decode(value)
                    meta = self._meta(topic, partition, (offset, key, value, headers, timestamp_ms))
                    append(Message(payload=payload, meta=meta))
                    continue
                # An empty dict of headers for each record: a step may write into it, and a shared
                # one would carry that into other records. It costs 0.05 µs.
                append(
                    Message(
                        payload=decode(value),
                        meta=MessageMeta(
                            message_id=place + str(offset),
                            produced_at_ms=timestamp_ms if timestamp_ms > 0 else None,
                            message_type=message_type,
                            topic=topic,
                            partition=partition,
                            offset=offset,
                            key=key,
                        ),
                    )
                )
            except _CAUGHT as error:
                record = offset, key, value, headers, timestamp_ms
                failures.append(self._failures.failure(topic, partition, record, error))
        offsets = [record[0] for record in records]
        if failures:
            failed = {failure.offset for failure in failures}
            offsets = [offset for offset in offsets if offset not in failed]
        return offsets, messages, failures

    def _meta(self, topic: str, partition: int, record: RawRecord) -> MessageMeta:
        """Return the metadata of a record that has headers."""
        offset, key, _, headers, timestamp_ms = record
        fields, rest = split_headers(headers or ())
        field = fields.get
        # One by one: to pass them on as **fields takes twice as long.
        return MessageMeta(
            message_id=f"{topic}:{partition}:{offset}",
            correlation_id=field("correlation_id"),
            trace_id=field("trace_id"),
            parent_trace_id=field("parent_trace_id"),
            causation_id=field("causation_id"),
            produced_at_ms=timestamp_ms if timestamp_ms > 0 else None,
            message_type=field("message_type", self._message_type),
            message_version=field("message_version"),
            topic=topic,
            partition=partition,
            offset=offset,
            key=key,
            headers=rest,
        )


class DispatchingDecoder(Decoder):
    """Payload as the value, metadata as headers, several payload types.

    Args:
        table: The types.
        failures: Makes the failures.
    """

    __slots__ = ("_table",)

    def __init__(self, table: TypeTable, failures: FailureMaker) -> None:
        super().__init__(failures)
        self._table = table

    def decode(self, topic: str, partition: int, records: Sequence[RawRecord]) -> Decoded:
        """Decode a batch of one partition. Never raises because of what a record holds."""
        offsets: list[int] = []
        messages: list[Message[Any]] = []
        failures: list[WireFailure] = []
        for record in records:
            try:
                message = self._message(topic, partition, record)
            except _CAUGHT as error:
                failures.append(self._failures.failure(topic, partition, record, error))
                continue
            messages.append(message)
            offsets.append(record[0])
        return offsets, messages, failures

    def _message(self, topic: str, partition: int, record: RawRecord) -> Message[Any]:
        offset, key, value, headers, timestamp_ms = record
        fields, rest = split_headers(headers) if headers else ({}, {})
        message_type = fields.get("message_type")
        if message_type is None and ERROR_KIND in rest:
            message_type = ERROR_TYPE_PREFIX + rest[ERROR_KIND].decode("utf-8", "replace")
            fields["message_type"] = message_type
        return Message(
            payload=self._table.decode(message_type, value),
            meta=MessageMeta(
                message_id=f"{topic}:{partition}:{offset}",
                produced_at_ms=timestamp_ms if timestamp_ms > 0 else None,
                topic=topic,
                partition=partition,
                offset=offset,
                key=key,
                headers=rest,
                **fields,
            ),
        )


class LoomDecoder(Decoder):
    """The ``loom`` envelope. What it leaves empty is taken from the headers and the record.

    Args:
        decode: Decodes the envelope, payload included unless there is a table.
        table: The types that the payload may have; ``None`` when it has one type only.
        failures: Makes the failures.
    """

    __slots__ = ("_decode", "_table")

    def __init__(
        self, decode: PayloadDecoder, table: TypeTable | None, failures: FailureMaker
    ) -> None:
        super().__init__(failures)
        self._decode = decode
        self._table = table

    def decode(self, topic: str, partition: int, records: Sequence[RawRecord]) -> Decoded:
        """Decode a batch of one partition. Never raises because of what a record holds."""
        offsets: list[int] = []
        messages: list[Message[Any]] = []
        failures: list[WireFailure] = []
        place = f"{topic}:{partition}:"
        decode = self._decode
        table = self._table
        for record in records:
            offset, key, value, headers, timestamp_ms = record
            try:
                envelope = decode(value)
                payload, sent = envelope.payload, envelope.meta
                descriptor = sent.descriptor
                if table is not None:
                    payload = table.decode(descriptor.message_type, payload)
                fields, rest = split_headers(headers) if headers else (_NO_FIELDS, {})
                produced_at_ms = sent.produced_at_ms
                if produced_at_ms is None and timestamp_ms > 0:
                    produced_at_ms = timestamp_ms
                meta = MessageMeta(
                    message_id=place + str(offset),
                    correlation_id=sent.correlation_id or fields.get("correlation_id"),
                    trace_id=sent.trace_id or fields.get("trace_id"),
                    parent_trace_id=sent.parent_trace_id or fields.get("parent_trace_id"),
                    causation_id=sent.causation_id or fields.get("causation_id"),
                    produced_at_ms=produced_at_ms,
                    message_type=descriptor.message_type,
                    message_version=descriptor.message_version,
                    topic=topic,
                    partition=partition,
                    offset=offset,
                    key=key,
                    headers=rest,
                )
            except _CAUGHT as error:
                failures.append(self._failures.failure(topic, partition, record, error))
                continue
            messages.append(Message(payload=payload, meta=meta))
            offsets.append(offset)
        return offsets, messages, failures


_NO_FIELDS: dict[str, Any] = {}


def build_decoder(
    format: WireFormat,  # noqa: A002 - the word of the configuration
    payload_types: tuple[Any, ...],
    flow: str | None = None,
    revision: str | None = None,
) -> Decoder:
    """Return the decoder of a source.

    Args:
        format: Wire format of its topics.
        payload_types: What its records may hold; generic aliases such as ``ErrorEnvelope[T]`` and
            unions included. Several are told apart by message type.
        flow: Name of the flow, for the envelopes of wire failures.
        revision: Revision of the flow's code, likewise.

    Raises:
        ValueError: When no type is given.
        TypeError: When a type cannot be decoded into, as msgspec says.
    """
    kinds = flattened(payload_types)
    if not kinds:
        raise ValueError("a source needs a payload type")
    only = kinds[0] if len(kinds) == 1 else None
    failures = FailureMaker(flow, revision, None if only is None else type_name(only))
    if format is WireFormat.LOOM:
        if only is not None and not is_error_envelope(only):
            return LoomDecoder(msgpack_decoder(_read_envelope(only)), None, failures)
        table = TypeTable(kinds, msgpack_decoder, wire_errors_nested=True)
        return LoomDecoder(msgpack_decoder(_read_envelope(msgspec.Raw)), table, failures)
    factory = json_decoder if format is WireFormat.JSON else msgpack_decoder
    if only is not None:
        return SingleTypeDecoder(only, factory, failures)
    return DispatchingDecoder(TypeTable(kinds, factory), failures)


def _read_envelope(payload_type: Any) -> Any:
    return ReadEnvelope[payload_type]
