"""Encodes whole batches of messages into records, and marks records as dead letters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from loom_runtime.config.kafka import WireFormat
from loom_runtime.errors import ErrorEnvelope
from loom_runtime.message import Message, MessageMeta
from loom_runtime.wire.error_text import header_text, problem_text
from loom_runtime.wire.headers import (
    DLQ_ERROR,
    ERROR_KIND,
    MESSAGE_TYPE,
    MESSAGE_VERSION,
    add_context,
)
from loom_runtime.wire.loom_envelope import (
    Descriptor,
    MessageEnvelope,
    error_payload,
    error_type,
    loom_meta,
)
from loom_runtime.wire.records import OutputRecord

FIRST_VERSION = 1
"""Version of a payload that doesn't say; the ``loom`` format demands one."""

_DESCRIPTORS_KEPT = 1024
"""Bound of the cache: message versions may come from outside."""


class EncodingError(ValueError):
    """A message cannot be written in the topic's format."""


class Encoder(ABC):
    """Encodes the records of one sink.

    An output's message type is that of its payload's class. The version is the message's own when
    the message already had that type: the version of what a record was made of says nothing of
    the output.
    """

    __slots__ = ()

    def encode(
        self, messages: Sequence[Message[Any]], keys: Sequence[bytes | None] | None = None
    ) -> list[OutputRecord]:
        """Encode a batch.

        Args:
            messages: The messages.
            keys: Key of each; without, each keeps the key in its metadata.

        Raises:
            EncodingError: When one of them does not encode; nothing of the batch is returned.
        """
        records: list[OutputRecord] = []
        try:
            self._encode_into(records, messages, keys)
        except (Exception, SystemExit) as error:
            raise _refusal(messages[len(records)], error) from error
        return records

    def encode_one(self, message: Message[Any]) -> OutputRecord:
        """Encode one message.

        Raises:
            EncodingError: When it does not encode.
        """
        return self.encode((message,))[0]

    @abstractmethod
    def _encode_into(
        self,
        records: list[OutputRecord],
        messages: Sequence[Message[Any]],
        keys: Sequence[bytes | None] | None,
    ) -> None:
        """Append one record a message."""


class _TypeNames(dict[type, str]):
    """Message types by payload class; filled as classes are met."""

    def __missing__(self, payload_class: type) -> str:
        name_of = getattr(payload_class, "loom_message_type", None)
        if name_of is None:
            raise TypeError(
                "a payload must be a LoomStruct or a LoomFrozenStruct, "
                f"not a {payload_class.__qualname__}"
            )
        name = self[payload_class] = str(name_of())
        return name

    def of(self, payload: Any) -> str:
        """Return the message type of *payload*; that of an envelope says its kind."""
        if payload.__class__ is ErrorEnvelope:
            return error_type(payload.kind)
        return self[payload.__class__]


class HeaderEncoder(Encoder):
    """Payload as the value, metadata as headers.

    Args:
        encode_payload: Makes the value.
        message_type_header: Whether every record says its message type.
    """

    __slots__ = ("_encode_payload", "_names", "_type_header")

    def __init__(
        self, encode_payload: Callable[[Any], bytes], *, message_type_header: bool
    ) -> None:
        self._encode_payload = encode_payload
        self._type_header = message_type_header
        self._names = _TypeNames()

    def _encode_into(
        self,
        records: list[OutputRecord],
        messages: Sequence[Message[Any]],
        keys: Sequence[bytes | None] | None,
    ) -> None:
        encode_payload = self._encode_payload
        type_header = self._type_header
        append = records.append
        for message in messages:
            payload, meta = message.payload, message.meta
            key = meta.key if keys is None else keys[len(records)]
            if key.__class__ is not bytes and key is not None:
                key = _key_bytes(key)
            # Told here and not in a function: most records have none of these.
            if (
                type_header
                or meta.headers
                or meta.trace_id is not None
                or meta.correlation_id is not None
                or meta.causation_id is not None
                or meta.parent_trace_id is not None
                or payload.__class__ is ErrorEnvelope
            ):
                append((key, encode_payload(payload), self._headers(payload, meta)))
            else:
                append((key, encode_payload(payload), None))

    def _headers(self, payload: Any, meta: MessageMeta) -> list[tuple[str, bytes]] | None:
        headers = self._type_headers(payload, meta) if self._type_header else []
        if payload.__class__ is ErrorEnvelope:
            headers.append((ERROR_KIND, payload.kind.encode()))
        add_context(headers, meta)
        return headers or None

    def _type_headers(self, payload: Any, meta: MessageMeta) -> list[tuple[str, bytes]]:
        name = self._names.of(payload)
        if meta.message_version is not None and meta.message_type in (None, name):
            version = str(meta.message_version).encode()
            return [(MESSAGE_TYPE, name.encode()), (MESSAGE_VERSION, version)]
        return [(MESSAGE_TYPE, name.encode())]


class LoomEncoder(Encoder):
    """The ``loom`` envelope. Trace and correlation are headers too, as its other writers do it."""

    __slots__ = ("_descriptors", "_encode", "_names")

    def __init__(self) -> None:
        self._encode = msgspec.msgpack.Encoder().encode
        self._names = _TypeNames()
        self._descriptors: dict[tuple[str, int], Descriptor] = {}

    def _encode_into(
        self,
        records: list[OutputRecord],
        messages: Sequence[Message[Any]],
        keys: Sequence[bytes | None] | None,
    ) -> None:
        for message in messages:
            payload, meta = message.payload, message.meta
            key = meta.key if keys is None else keys[len(records)]
            if key.__class__ is not bytes and key is not None:
                key = _key_bytes(key)
            if payload.__class__ is ErrorEnvelope:
                body, headers = error_payload(payload), [(ERROR_KIND, payload.kind.encode())]
            else:
                body, headers = payload, []
            add_context(headers, meta)
            envelope = MessageEnvelope(loom_meta(self._descriptor(payload, meta), meta), body)
            records.append((key, self._encode(envelope), headers or None))

    def _descriptor(self, payload: Any, meta: MessageMeta) -> Descriptor:
        name = self._names.of(payload)
        version = meta.message_version
        if version is None or meta.message_type not in (None, name):
            version = FIRST_VERSION
        descriptor = self._descriptors.get((name, version))
        if descriptor is None:
            descriptor = Descriptor(name, version)
            if len(self._descriptors) < _DESCRIPTORS_KEPT:
                self._descriptors[name, version] = descriptor
        return descriptor


def build_encoder(
    format: WireFormat,  # noqa: A002 - the word of the configuration
    payload_type: Any = None,  # noqa: ARG001 - a schema registry will need it
    *,
    message_type_header: bool = True,
) -> Encoder:
    """Return the encoder of a sink.

    Args:
        format: Wire format of its topic.
        payload_type: What is written, when it was declared. Each payload is encoded as what it is.
        message_type_header: Whether each ``json`` or ``msgpack`` record says its message type. A
            reader of one type doesn't need it, and each header costs the client 1.6 µs a record.
    """
    if format is WireFormat.LOOM:
        return LoomEncoder()
    encode_payload = (
        msgspec.json.Encoder().encode
        if format is WireFormat.JSON
        else msgspec.msgpack.Encoder().encode
    )
    return HeaderEncoder(encode_payload, message_type_header=message_type_header)


def dead_letter(record: OutputRecord, error: str) -> OutputRecord:
    """Return *record* as it goes to a dead-letter topic: with ``x-dlq-error``, its only one.

    Args:
        record: The record that was not delivered.
        error: What the broker or the client said.
    """
    key, value, headers = record
    kept = [header for header in headers or () if header[0] != DLQ_ERROR]
    return key, value, [*kept, (DLQ_ERROR, header_text(error))]


def _key_bytes(key: object) -> bytes:
    if isinstance(key, str):
        return key.encode()
    if isinstance(key, bytes | bytearray | memoryview):
        return bytes(key)
    raise TypeError(f"the key is a {type(key).__qualname__}; it must be bytes or str")


def _refusal(message: Message[Any], error: BaseException) -> EncodingError:
    payload_class = type(message.payload).__qualname__
    return EncodingError(
        f"the {payload_class} of message {message.meta.message_id} cannot be written: "
        f"{problem_text(error)}"
    )
