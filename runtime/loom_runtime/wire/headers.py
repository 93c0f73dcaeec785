"""The record headers that carry metadata, read into message fields and written from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from loom_runtime.errors import ErrorMessageMeta
from loom_runtime.message import MessageMeta

TRACE_ID: Final = "x-trace-id"
PARENT_TRACE_ID: Final = "x-parent-trace-id"
CORRELATION_ID: Final = "x-correlation-id"
CAUSATION_ID: Final = "x-causation-id"
MESSAGE_TYPE: Final = "x-message-type"
MESSAGE_VERSION: Final = "x-message-version"
ERROR_KIND: Final = "x-error-kind"
ERROR_REASON: Final = "x-error-reason"
DLQ_ERROR: Final = "x-dlq-error"
ATTEMPT: Final = "x-loom-attempt"
"""Written by a redrive: how many times the record was tried before."""
FAILED_AS: Final = "x-loom-failed-as"
"""Written by a redrive: fingerprint of the failure that the record had, so that whoever reads the
envelope of the next one can tell whether it is the same."""

FIELD_BY_HEADER: Final[Mapping[str, str]] = {
    TRACE_ID: "trace_id",
    PARENT_TRACE_ID: "parent_trace_id",
    CORRELATION_ID: "correlation_id",
    CAUSATION_ID: "causation_id",
    MESSAGE_TYPE: "message_type",
    MESSAGE_VERSION: "message_version",
}

_NOT_COPIED: Final = frozenset({*FIELD_BY_HEADER, ERROR_KIND, ERROR_REASON, ATTEMPT, FAILED_AS})
"""What an output doesn't inherit from the record it was made of: each speaks of that record."""

_INT_64_DIGITS: Final = 19
"""Fewer digits than this always fit 64 bits, the most that MessagePack can say."""


class HeaderError(ValueError):
    """A header that this runtime reads holds bytes that it cannot."""


def split_headers(
    headers: Iterable[tuple[str, bytes | None]],
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the metadata fields that *headers* carry, and all other headers.

    Of a repeated header the last one counts. A null header that is kept becomes an empty one.

    Raises:
        HeaderError: When a metadata header is not UTF-8, or the version no whole number.
    """
    fields: dict[str, Any] = {}
    rest: dict[str, bytes] = {}
    field_of = FIELD_BY_HEADER.get
    name = ""
    try:
        for name, value in headers:
            field = field_of(name)
            if field is None:
                rest[name] = b"" if value is None else value
            elif value is not None:
                fields[field] = value.decode()
    except UnicodeDecodeError as error:
        raise HeaderError(f"header {name} is not UTF-8: {error}") from error
    if "message_version" in fields:
        fields["message_version"] = _version(fields["message_version"])
    return fields, rest


def salvage_headers(
    headers: Iterable[tuple[str, bytes | None]],
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Do what :func:`split_headers` does, but keep an unreadable metadata header with the rest."""
    fields: dict[str, Any] = {}
    rest: dict[str, bytes] = {}
    for header in headers:
        try:
            more_fields, more_rest = split_headers((header,))
        except HeaderError:
            more_fields, more_rest = {}, {header[0]: header[1] or b""}
        fields.update(more_fields)
        rest.update(more_rest)
    return fields, rest


def context_headers(meta: MessageMeta | ErrorMessageMeta) -> list[tuple[str, bytes]]:
    """Return the headers that carry the trace, correlation and causation of *meta*."""
    headers = []
    if meta.trace_id is not None:
        headers.append((TRACE_ID, meta.trace_id.encode()))
    if meta.parent_trace_id is not None:
        headers.append((PARENT_TRACE_ID, meta.parent_trace_id.encode()))
    if meta.correlation_id is not None:
        headers.append((CORRELATION_ID, meta.correlation_id.encode()))
    if meta.causation_id is not None:
        headers.append((CAUSATION_ID, meta.causation_id.encode()))
    return headers


def add_context(headers: list[tuple[str, bytes]], meta: MessageMeta) -> None:
    """Add to *headers* what an output inherits of the message it was made of.

    Raises:
        HeaderError: When a header's name is no text or its value neither bytes nor text.
    """
    if (
        meta.trace_id is not None
        or meta.correlation_id is not None
        or meta.causation_id is not None
        or meta.parent_trace_id is not None
    ):
        headers += context_headers(meta)
    for name, value in meta.headers.items():
        if type(value) is not bytes or type(name) is not str:
            headers.append(_checked(name, value))
        elif name not in _NOT_COPIED:
            headers.append((name, value))


def attempt_number(headers: Mapping[str, bytes]) -> int:
    """Return 1, or one more than the attempts that a redrive noted."""
    noted = headers.get(ATTEMPT)
    return int(noted) + 1 if noted is not None and noted.isdigit() and len(noted) < 10 else 1


def _version(text: str) -> int:
    if text.isdecimal() and text.isascii() and len(text) < _INT_64_DIGITS:
        return int(text)
    raise HeaderError(f"header {MESSAGE_VERSION} is {text[:40]!r}; it must be a whole number")


def _checked(name: object, value: object) -> tuple[str, bytes]:
    if not isinstance(name, str):
        raise HeaderError(f"a header's name is {name!r}; it must be a str")
    if isinstance(value, str):
        return name, value.encode()
    if isinstance(value, bytes | bytearray | memoryview):
        return name, bytes(value)
    raise HeaderError(f"header {name} is a {type(value).__qualname__}; it must be bytes")
