"""An envelope as it was read from its topic: what failed, and where that record lies."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

import msgspec

from loom_bench.broker.place import RecordPlace
from loom_bench.broker.reading import TopicRecord
from loom_bench.session.envelopes.foreign import ForeignFailure, foreign_failure
from loom_bench.session.envelopes.terms import Origin
from loom_runtime.errors import ErrorEnvelope, ErrorMessageMeta
from loom_runtime.execution.sampling import key_text
from loom_runtime.tracing.fingerprint import fingerprint
from loom_runtime.wire.envelopes import EnvelopeDecodeError, decode_envelope
from loom_runtime.wire.headers import DLQ_ERROR, ERROR_KIND, FAILED_AS

MAX_REASON: Final = 500
"""Longest reason that is kept of an envelope, in characters; opened, it is read again in full."""

_SEARCHED_BYTES: Final = 400
"""How much of a value is searched."""

_JAVA_FRAMES: Final = 3
"""Stack frames of a foreign failure that tell its group: the innermost."""

_JAVA_FRAME: Final = re.compile(r"^\s*at ([^(\s]+)", re.MULTILINE)


class Envelope(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the inbox keeps of one envelope.

    Attributes:
        id: Its identity in commands.
        place: Where it lies; ``None`` when it was imported.
        origin: Who wrote it.
        fingerprint: Its group.
        at_ms: When it was written, milliseconds since the Unix epoch; 0 when that is not known.
        source: Where the record lies that failed.
        carries_record: Whether its own key and value are those of the record that failed.
        key: Key of that record, shown form.
        kind: Error kind; empty for a foreign one.
        node: Node that failed, or the foreign place.
        exception_type: Type of the exception.
        reason: Its text, of bounded length.
        traceback: Its frames.
        revision: Revision of the code that failed, as the envelope tells it.
        attempt: 1 for a record's first failure.
        again: Whether the record was redriven after a failure of the same group.
        searched: What a search looks through, in lower case.
    """

    id: str
    origin: Origin
    fingerprint: str
    place: RecordPlace | None = None
    at_ms: int = 0
    source: RecordPlace | None = None
    carries_record: bool = False
    key: str = ""
    kind: str = ""
    node: str = ""
    exception_type: str = ""
    reason: str = ""
    traceback: str | None = None
    revision: str = ""
    attempt: int = 1
    again: bool = False
    searched: str = ""


def read_envelope(record: TopicRecord, identity: str | None = None) -> Envelope | None:
    """Return the envelope that *record* is; ``None`` when it is of no kind that is known.

    Never raises, whatever the record holds.

    Args:
        record: A record of an error or dead-letter topic.
        identity: Its identity when it does not lie on a topic here.
    """
    if record.headers and all(name != ERROR_KIND for name, _ in record.headers):
        foreign = foreign_failure(record.headers)
        if foreign is not None:
            return _of_foreign(record, foreign, identity)
        if any(name == DLQ_ERROR for name, _ in record.headers):
            return _of_dead_letter(record, identity)
    decoded = decoded_envelope(record)
    return None if decoded is None else _of_ours(record, decoded, identity)


def decoded_envelope(record: TopicRecord) -> ErrorEnvelope[Any] | None:
    """Return the error envelope, ours or loom-kernel's, in *record*; ``None`` when it has none."""
    try:
        return decode_envelope(record.value, record.headers)
    except EnvelopeDecodeError:
        return None


def _of_ours(record: TopicRecord, decoded: ErrorEnvelope[Any], identity: str | None) -> Envelope:
    original = decoded.original_message
    meta = decoded.transport if original is None else original.meta
    kind, node = decoded.kind.value, decoded.node or ""
    exception_type = decoded.exception_type or ""
    group = _fingerprint(kind, node, exception_type, decoded.traceback, decoded.reason)
    place = RecordPlace(record.topic, record.partition, record.offset)
    key = key_text(record.key if meta is None or meta.key is None else meta.key)
    value = b"" if original is None else _json(original.payload)
    failed_as = b"" if meta is None else meta.headers.get(FAILED_AS, b"")
    return Envelope(
        id=identity or str(place),
        place=None if identity else place,
        # The peer's envelopes do not name their flow.
        origin=Origin.LOOM_KERNEL if decoded.flow is None else Origin.LOOM,
        fingerprint=group,
        at_ms=max(0, record.timestamp_ms),
        source=_source(meta),
        key=key,
        kind=kind,
        node=node,
        exception_type=exception_type,
        reason=decoded.reason[:MAX_REASON],
        traceback=decoded.traceback,
        revision=decoded.revision or "",
        attempt=decoded.attempt,
        again=failed_as == group.encode(),
        searched=_searched(decoded.reason, exception_type, key, value or decoded.raw or b""),
    )


def _of_foreign(record: TopicRecord, failure: ForeignFailure, identity: str | None) -> Envelope:
    origin = failure.origin
    frames = _JAVA_FRAME.findall(failure.traceback or "")[:_JAVA_FRAMES]
    group = _fingerprint(
        origin.value,
        failure.node,
        failure.exception_type,
        None,
        " ".join(frames) or failure.reason,
    )
    place = RecordPlace(record.topic, record.partition, record.offset)
    key = key_text(record.key)
    return Envelope(
        id=identity or str(place),
        place=None if identity else place,
        origin=origin,
        fingerprint=group,
        at_ms=max(0, record.timestamp_ms),
        source=failure.source,
        carries_record=True,
        key=key,
        node=failure.node,
        exception_type=failure.exception_type,
        reason=failure.reason[:MAX_REASON],
        traceback=failure.traceback,
        searched=_searched(failure.reason, failure.exception_type, key, record.value or b""),
    )


def _of_dead_letter(record: TopicRecord, identity: str | None) -> Envelope:
    said = next((value for name, value in reversed(record.headers) if name == DLQ_ERROR), None)
    reason = (said or b"").decode("utf-8", "replace")
    place = RecordPlace(record.topic, record.partition, record.offset)
    key = key_text(record.key)
    return Envelope(
        id=identity or str(place),
        place=None if identity else place,
        origin=Origin.DEAD_LETTER,
        fingerprint=_fingerprint(Origin.DEAD_LETTER.value, record.topic, "", None, reason),
        at_ms=max(0, record.timestamp_ms),
        key=key,
        node=record.topic,
        reason=reason[:MAX_REASON],
        searched=_searched(reason, "", key, record.value or b""),
    )


@lru_cache(maxsize=4096)
def _fingerprint(
    kind: str, node: str, exception_type: str, traceback: str | None, reason: str
) -> str:
    return fingerprint(
        kind=kind,
        node=node,
        exception_type=exception_type,
        traceback=traceback,
        reason="" if traceback else reason,
    )


def _source(meta: ErrorMessageMeta | None) -> RecordPlace | None:
    if meta is None or not meta.topic or meta.partition is None or meta.offset is None:
        return None
    if not (0 <= meta.partition < 1 << 31 and meta.offset >= 0):
        return None
    return RecordPlace(meta.topic, meta.partition, meta.offset)


def _json(payload: Any) -> bytes:
    try:
        return msgspec.json.encode(payload)
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError):  # odd keys of a map
        return b""


def _searched(reason: str, exception_type: str, key: str, value: bytes) -> str:
    text = value[:_SEARCHED_BYTES].decode("utf-8", "replace")
    return f"{reason[:MAX_REASON]}\n{exception_type}\n{key[:MAX_REASON]}\n{text}".lower()
