"""Error envelopes on the wire: never lost, whatever their payload holds, and never too large."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Final

import msgspec

from loom_runtime.config.kafka import WireFormat
from loom_runtime.errors import ErrorEnvelope, ErrorMessageMeta
from loom_runtime.wire.dispatch import error_envelope_type, json_decoder, msgpack_decoder
from loom_runtime.wire.encoding import FIRST_VERSION
from loom_runtime.wire.envelope_fitting import (
    bare,
    cleaned,
    shortened,
    without_payload,
)
from loom_runtime.wire.error_text import header_text, problem_text
from loom_runtime.wire.headers import (
    ERROR_KIND,
    ERROR_REASON,
    MESSAGE_TYPE,
    context_headers,
)
from loom_runtime.wire.loom_envelope import (
    WIRE_ERROR_TYPE,
    Descriptor,
    MessageEnvelope,
    ReadMeta,
    WireErrorPayload,
    envelope_of,
    error_payload,
    error_type,
    loom_meta,
)
from loom_runtime.wire.records import OutputRecord

ENVELOPE_LIMIT_BYTES: Final = 900_000
"""Default bound of a written envelope: a broker takes 1,048,588 bytes (``message.max.bytes``),
key, headers and batch overhead included."""

_NO_META: Final = ErrorMessageMeta(message_id="")
_NO_RECORD: Final[OutputRecord] = (None, None, None)


class EnvelopeDecodeError(ValueError):
    """A record holds no error envelope, or one whose payload doesn't fit the given type."""


class EnvelopeEncoder:
    """Writes error envelopes.

    An envelope that does not encode, or is larger than *limit_bytes*, is written without its
    payload: ``original_message`` and ``raw`` are empty, ``transport`` says where the record lies,
    and ``reason`` ends with a note on what was left out, its size and its place. A payload is
    never cut in part: whoever redrives it would take it for the whole. When that is not enough,
    traceback and headers go too, at last the key.

    The kind is in the headers ``x-error-kind`` and ``x-message-type``; ``x-error-reason`` is the
    reason on one line, at most 512 bytes.

    Args:
        format: Wire format of the topic.
        limit_bytes: Most bytes of key, value and headers together.
    """

    __slots__ = ("_encode", "_format", "_limit_bytes")

    def __init__(
        self,
        format: WireFormat,  # noqa: A002 - the word of the configuration
        limit_bytes: int = ENVELOPE_LIMIT_BYTES,
    ) -> None:
        self._format = format
        self._limit_bytes = limit_bytes
        self._encode: Callable[[Any], bytes] = (
            msgspec.json.Encoder().encode
            if format is WireFormat.JSON
            else msgspec.msgpack.Encoder().encode
        )

    def encode(self, envelope: ErrorEnvelope[Any]) -> OutputRecord:
        """Return the record of *envelope*, with the key of the record that failed. Never raises."""
        record, problem = self._attempt(envelope)
        if problem:
            envelope = cleaned(envelope)
            record, problem = self._attempt(envelope)
        if self._is_done(record, problem):
            return record
        envelope = without_payload(envelope, problem, self._limit_bytes, self._encode)
        record, problem = self._attempt(cleaned(envelope))
        for reduced in (shortened, bare):
            if self._is_done(record, problem):
                break
            envelope = reduced(cleaned(envelope))
            record, problem = self._attempt(envelope)
        return record

    def _is_done(self, record: OutputRecord, problem: str) -> bool:
        key, value, headers = record
        size_bytes = len(key or b"") + len(value or b"")
        size_bytes += sum(len(name) + len(content) for name, content in headers or ())
        return not problem and size_bytes <= self._limit_bytes

    def _attempt(self, envelope: ErrorEnvelope[Any]) -> tuple[OutputRecord, str]:
        """Return the record, or why there is none."""
        try:
            return self._record(envelope), ""
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a payload's fields are user code
            return _NO_RECORD, problem_text(error)

    def _record(self, envelope: ErrorEnvelope[Any]) -> OutputRecord:
        meta = _meta_of(envelope)
        if not _is_typed(meta):
            raise TypeError("the key and the headers must be bytes")
        message_type = error_type(envelope.kind)
        headers = [
            (ERROR_KIND, envelope.kind.encode()),
            (ERROR_REASON, header_text(envelope.reason)),
            *context_headers(meta),
        ]
        if self._format is WireFormat.LOOM:
            lineage = loom_meta(Descriptor(message_type, FIRST_VERSION), meta)
            value = self._encode(MessageEnvelope(lineage, error_payload(envelope)))
        else:
            headers.append((MESSAGE_TYPE, message_type.encode()))
            value = self._encode(envelope)
        return meta.key, value, headers


def decode_envelope(
    value: bytes | None,
    headers: Iterable[tuple[str, bytes | None]] | None,
    payload_type: Any = None,
) -> ErrorEnvelope[Any]:
    """Read an error envelope of any format, this library's or loom-kernel's.

    Args:
        value: The record's value.
        headers: The record's headers.
        payload_type: Type of the payload that failed; ``None`` gives it as plain data.

    Raises:
        EnvelopeDecodeError: When the record holds no envelope, or its payload is no *payload_type*.
    """
    wanted = _PLAIN if payload_type is None else error_envelope_type(payload_type)
    if value is None:
        raise EnvelopeDecodeError("the record has no value (a tombstone)")
    try:
        if value.lstrip()[:1] == b"{":
            return _json(wanted)(value)  # type: ignore[no-any-return]
        return _of_msgpack(value, wanted)
    except (Exception, SystemExit) as error:
        said = any(name == ERROR_KIND for name, _ in headers or ())
        hint = "" if said else f"; it has no {ERROR_KIND} header, so it may be no envelope at all"
        raise EnvelopeDecodeError(f"the record holds no error envelope: {error}{hint}") from error


class _Outline(msgspec.Struct):
    """Tells a ``loom`` record, which has both fields, from a bare envelope."""

    meta: ReadMeta | None = None
    payload: msgspec.Raw = msgspec.Raw()


def _of_msgpack(value: bytes, wanted: Any) -> ErrorEnvelope[Any]:
    outline = _OUTLINE(value)
    if outline.meta is None:
        return _msgpack(wanted)(value)  # type: ignore[no-any-return]
    if outline.meta.descriptor.message_type == WIRE_ERROR_TYPE:
        return envelope_of(_WIRE_ERROR(outline.payload))
    return _msgpack(wanted)(outline.payload)  # type: ignore[no-any-return]


def _is_typed(meta: ErrorMessageMeta) -> bool:
    """Whether a reader gets *meta* back: steps may put anything into headers."""
    if meta.key is not None and type(meta.key) is not bytes:
        return False
    return all(type(value) is bytes for value in meta.headers.values())


def _meta_of(envelope: ErrorEnvelope[Any]) -> ErrorMessageMeta:
    if envelope.original_message is not None:
        return envelope.original_message.meta
    return envelope.transport or _NO_META


_PLAIN: Final = error_envelope_type(Any)
_OUTLINE: Final = msgpack_decoder(_Outline)
_WIRE_ERROR: Final = msgpack_decoder(WireErrorPayload)
_json = lru_cache(maxsize=256)(json_decoder)
_msgpack = lru_cache(maxsize=256)(msgpack_decoder)
