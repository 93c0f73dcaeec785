"""Makes an error envelope smaller, step by step, until it can be written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from loom_runtime.errors import ErrorEnvelope, ErrorKind, ErrorMessageMeta
from loom_runtime.places import place_text
from loom_runtime.wire.error_text import clean_text, cut_text, shown_value

SHORT_TEXT_CHARS: Final = 2_000
"""Longest reason of a shortened envelope."""

BARE_TEXT_CHARS: Final = 300
"""Longest text of a bare envelope; a topic's name has at most 249 characters."""

_INT_64: Final = 1 << 63


def cleaned(envelope: ErrorEnvelope[Any]) -> ErrorEnvelope[Any]:
    """Return *envelope* with every text valid UTF-8 and every field of its declared type."""
    original = envelope.original_message
    if original is not None:
        original = msgspec.structs.replace(original, meta=_clean_meta(original.meta))
    transport = envelope.transport
    return ErrorEnvelope(
        kind=envelope.kind if isinstance(envelope.kind, ErrorKind) else ErrorKind.TASK,
        reason=_text(envelope.reason) or "",
        payload_type=_text(envelope.payload_type),
        original_message=original,
        flow=_text(envelope.flow),
        revision=_text(envelope.revision),
        node=_text(envelope.node),
        node_path=tuple(part for part in envelope.node_path if _int(part) is not None),
        exception_type=_text(envelope.exception_type),
        traceback=_text(envelope.traceback),
        attempt=_int(envelope.attempt) or 1,
        raw=_bytes(envelope.raw),
        transport=None if transport is None else _clean_meta(transport),
    )


def without_payload(
    envelope: ErrorEnvelope[Any], problem: str, limit_bytes: int, encode: Callable[[Any], bytes]
) -> ErrorEnvelope[Any]:
    """Return *envelope* without its payload or raw value, and with a note about it.

    Args:
        envelope: The envelope.
        problem: Why the payload does not encode; empty when it is too large.
        limit_bytes: What an envelope may take.
        encode: Encodes a payload, to tell its size.
    """
    original, transport = envelope.original_message, envelope.transport
    if original is not None:
        transport = original.meta
    if problem and original is not None:
        note = f"the payload cannot be encoded ({problem}): {shown_value(original.payload)}"
    elif original is not None or envelope.raw is not None:
        content = envelope.raw if original is None else encode(original.payload)
        note = (
            f"the payload of {len(content or b''):,} bytes is left out: an envelope may take "
            f"{limit_bytes:,} bytes"
        )
    else:
        return envelope
    place = place_of(transport)
    if place:
        note += f"; the record is {place}"
    return msgspec.structs.replace(
        envelope,
        reason=f"{envelope.reason} [{note}]",
        original_message=None,
        raw=None,
        transport=transport,
    )


def shortened(envelope: ErrorEnvelope[Any]) -> ErrorEnvelope[Any]:
    """Return *envelope* without traceback and headers, its reason cut from the middle."""
    transport = envelope.transport
    if transport is not None:
        transport = msgspec.structs.replace(transport, headers={})
    return msgspec.structs.replace(
        envelope,
        reason=cut_text(envelope.reason, SHORT_TEXT_CHARS)
        + " [traceback and headers are left out]",
        traceback=None,
        transport=transport,
    )


def bare(envelope: ErrorEnvelope[Any]) -> ErrorEnvelope[Any]:
    """Return what is left when even key or trace are too large: kind, reason, node and place."""
    transport = envelope.transport
    if transport is not None:
        transport = ErrorMessageMeta(
            message_id=cut_text(transport.message_id, BARE_TEXT_CHARS),
            produced_at_ms=transport.produced_at_ms,
            topic=_brief(transport.topic),
            partition=transport.partition,
            offset=transport.offset,
        )
    return ErrorEnvelope(
        kind=envelope.kind,
        reason=cut_text(envelope.reason, BARE_TEXT_CHARS) + " [the key and the trace are left out]",
        payload_type=_brief(envelope.payload_type),
        flow=_brief(envelope.flow),
        revision=_brief(envelope.revision),
        node=_brief(envelope.node),
        node_path=envelope.node_path[:BARE_TEXT_CHARS],
        exception_type=_brief(envelope.exception_type),
        attempt=envelope.attempt,
        transport=transport,
    )


def place_of(meta: ErrorMessageMeta | None) -> str:
    """Return ``topic[partition]@offset``; empty when the place is unknown."""
    if meta is None or meta.topic is None:
        return ""
    return place_text(meta.topic, meta.partition, meta.offset)


def _clean_meta(meta: ErrorMessageMeta) -> ErrorMessageMeta:
    headers = meta.headers if isinstance(meta.headers, dict) else {}
    return ErrorMessageMeta(
        message_id=_text(meta.message_id) or "",
        correlation_id=_text(meta.correlation_id),
        trace_id=_text(meta.trace_id),
        parent_trace_id=_text(meta.parent_trace_id),
        causation_id=_text(meta.causation_id),
        produced_at_ms=_int(meta.produced_at_ms),
        message_type=_text(meta.message_type),
        message_version=_int(meta.message_version),
        topic=_text(meta.topic),
        partition=_int(meta.partition),
        offset=_int(meta.offset),
        key=_bytes(meta.key),
        headers={_text(name) or "": _bytes(value) or b"" for name, value in headers.items()},
    )


def _text(value: object) -> str | None:
    if value is None:
        return None
    return clean_text(value) if isinstance(value, str) else shown_value(value)


def _int(value: object) -> int | None:
    return value if isinstance(value, int) and -_INT_64 <= value < _INT_64 else None


def _bytes(value: object) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    return (_text(value) or "").encode()


def _brief(text: str | None) -> str | None:
    return None if text is None else cut_text(text, BARE_TEXT_CHARS)
