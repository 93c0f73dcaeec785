"""Makes an error envelope smaller, step by step, until it can be written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from loom_runtime.errors import ErrorEnvelope, ErrorKind, ErrorMessageMeta

SHOWN_PAYLOAD_CHARS: Final = 2_000
"""Most of an unencodable payload's repr that a note shows."""

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
        reason=clean_text(envelope.reason) or "",
        payload_type=clean_text(envelope.payload_type),
        original_message=original,
        flow=clean_text(envelope.flow),
        revision=clean_text(envelope.revision),
        node=clean_text(envelope.node),
        node_path=tuple(part for part in envelope.node_path if _int(part) is not None),
        exception_type=clean_text(envelope.exception_type),
        traceback=clean_text(envelope.traceback),
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
        note = f"the payload cannot be encoded ({problem}): {_shown(original.payload)}"
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
        reason=_cut(envelope.reason, SHORT_TEXT_CHARS) + " [traceback and headers are left out]",
        traceback=None,
        transport=transport,
    )


def bare(envelope: ErrorEnvelope[Any]) -> ErrorEnvelope[Any]:
    """Return what is left when even key or trace are too large: kind, reason, node and place."""
    transport = envelope.transport
    if transport is not None:
        transport = ErrorMessageMeta(
            message_id=_cut(transport.message_id, BARE_TEXT_CHARS),
            produced_at_ms=transport.produced_at_ms,
            topic=_brief(transport.topic),
            partition=transport.partition,
            offset=transport.offset,
        )
    return ErrorEnvelope(
        kind=envelope.kind,
        reason=_cut(envelope.reason, BARE_TEXT_CHARS) + " [the key and the trace are left out]",
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
    return f"{meta.topic}[{meta.partition}]@{meta.offset}"


def clean_text(value: object) -> str | None:
    """Return *value* as text that encodes, whatever it is."""
    if value is None:
        return None
    if not isinstance(value, str):
        value = _shown(value)
    return value.encode("utf-8", "backslashreplace").decode()


def problem_text(error: BaseException) -> str:
    """Return the name and the text of *error*, whatever its ``__str__`` does."""
    if isinstance(error, RecursionError):
        return "nested too deeply, or it contains itself"
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - the error may be the user's
        text = "its text could not be made"
    return f"{type(error).__qualname__}: {clean_text(text)}"


def _clean_meta(meta: ErrorMessageMeta) -> ErrorMessageMeta:
    headers = meta.headers if isinstance(meta.headers, dict) else {}
    return ErrorMessageMeta(
        message_id=clean_text(meta.message_id) or "",
        correlation_id=clean_text(meta.correlation_id),
        trace_id=clean_text(meta.trace_id),
        parent_trace_id=clean_text(meta.parent_trace_id),
        causation_id=clean_text(meta.causation_id),
        produced_at_ms=_int(meta.produced_at_ms),
        message_type=clean_text(meta.message_type),
        message_version=_int(meta.message_version),
        topic=clean_text(meta.topic),
        partition=_int(meta.partition),
        offset=_int(meta.offset),
        key=_bytes(meta.key),
        headers={clean_text(name) or "": _bytes(value) or b"" for name, value in headers.items()},
    )


def _int(value: object) -> int | None:
    return value if isinstance(value, int) and -_INT_64 <= value < _INT_64 else None


def _bytes(value: object) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    return (clean_text(value) or "").encode()


def _shown(value: object) -> str:
    try:
        shown = repr(value)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a payload's repr is user code
        shown = f"<{type(value).__qualname__} whose repr raised {type(error).__qualname__}>"
    shown = _cut(shown, SHOWN_PAYLOAD_CHARS)
    return shown.encode("utf-8", "backslashreplace").decode()


def _brief(text: str | None) -> str | None:
    return None if text is None else _cut(text, BARE_TEXT_CHARS)


def _cut(text: str, limit_chars: int) -> str:
    """Cut from the middle: a reason's beginning says what, its end holds the notes."""
    if len(text) <= limit_chars:
        return text
    half = limit_chars // 2
    return f"{text[:half]} … {text[-half:]}"
