"""Dead letters of Kafka Connect, Kafka Streams and Spring, told by their headers.

Each of them writes the record that failed as it was read, key and value untouched, and adds headers
that say where it lay and why it failed. Of a repeated header the last one counts, as for them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from loom_bench.broker.place import RecordPlace
from loom_bench.broker.reading import Headers
from loom_bench.session.envelopes.terms import Origin

CONNECT_PREFIX = "__connect.errors."
STREAMS_PREFIX = "__streams.errors."
SPRING_PREFIX = "kafka_dlt-"

_MAX_TEXT = 20_000
"""Longest text of a header, in characters: a stack trace of a hundred frames has half of it."""

_MAX_TOPIC = 249
"""Longest name of a topic that Kafka takes."""

_MAX_TOLD = 2_000


class ForeignFailure(NamedTuple):
    """What the headers of a foreign dead letter tell.

    Attributes:
        origin: Who wrote it.
        source: Where the record lay; ``None`` when that is not told, or in no form that is known.
        node: What failed: connector and stage, or consumer group; empty when it is not told.
        exception_type: Class of the exception.
        reason: Its text.
        traceback: The stack trace.
        source_timestamp_ms: Time of the record; ``None`` when it is not told.
        told: Every header of theirs as text, their prefix left out.
    """

    origin: Origin
    source: RecordPlace | None
    node: str
    exception_type: str
    reason: str
    traceback: str | None
    source_timestamp_ms: int | None
    told: tuple[tuple[str, str], ...]


_Values = Mapping[str, bytes]


def foreign_failure(headers: Headers) -> ForeignFailure | None:
    """Return what *headers* tell; ``None`` when they are of none of the three. Never raises."""
    for prefix, read in _READERS.items():
        values = {
            name[len(prefix) :]: value or b"" for name, value in headers if name.startswith(prefix)
        }
        if values:
            return read(values)
    return None


def without_foreign(headers: Headers) -> Headers:
    """Return *headers* as the record had them that failed."""
    return tuple(each for each in headers if not each[0].startswith(tuple(_READERS)))


def _connect(values: _Values) -> ForeignFailure:
    stage, connector = _text(values, "stage"), _text(values, "connector.name")
    return ForeignFailure(
        origin=Origin.KAFKA_CONNECT,
        source=_place(values, "topic", "partition", "offset", _decimal),
        node=" ".join(each for each in (connector, stage) if each),
        exception_type=_text(values, "exception.class.name"),
        reason=_text(values, "exception.message"),
        traceback=_text(values, "exception.stacktrace") or None,
        source_timestamp_ms=None,
        told=_told(values),
    )


def _streams(values: _Values) -> ForeignFailure:
    return ForeignFailure(
        origin=Origin.KAFKA_STREAMS,
        source=_place(values, "topic", "partition", "offset", _decimal),
        node="",
        # Kafka 4.0 writes the exception's toString here, later ones its class.
        exception_type=_text(values, "exception").partition(":")[0],
        reason=_text(values, "message"),
        traceback=_text(values, "stacktrace") or None,
        source_timestamp_ms=None,
        told=_told(values),
    )


def _spring(values: _Values) -> ForeignFailure:
    # A key that did not decode has headers of its own, beside those of a value that did not.
    about = (
        "exception-" if any(each.startswith("exception-") for each in values) else "key-exception-"
    )
    cause = _text(values, about + "cause-fqcn")
    return ForeignFailure(
        origin=Origin.SPRING,
        source=_place(
            values, "original-topic", "original-partition", "original-offset", _big_endian
        ),
        node=_text(values, "original-consumer-group"),
        # The exception itself is nearly always the listener container's wrapper.
        exception_type=cause or _text(values, about + "fqcn"),
        reason=_text(values, about + "message"),
        traceback=_text(values, about + "stacktrace") or None,
        source_timestamp_ms=_big_endian(values.get("original-timestamp", b"")),
        told=_told(values),
    )


_READERS: Mapping[str, Callable[[_Values], ForeignFailure]] = {
    CONNECT_PREFIX: _connect,
    STREAMS_PREFIX: _streams,
    SPRING_PREFIX: _spring,
}


def _place(
    values: _Values,
    topic: str,
    partition: str,
    offset: str,
    number: Callable[[bytes], int | None],
) -> RecordPlace | None:
    name = _text(values, topic)
    partition_number = number(values.get(partition, b""))
    offset_number = number(values.get(offset, b""))
    if not 0 < len(name) <= _MAX_TOPIC or partition_number is None or offset_number is None:
        return None
    if partition_number >= 1 << 31:
        return None
    return RecordPlace(name, partition_number, offset_number)


def _decimal(value: bytes) -> int | None:
    """Return a number written as text; ``None`` for anything else, and for a negative one."""
    text = value.strip()
    if not text.isdigit() or len(text) > 19:
        return None
    number = int(text)
    return number if number < 1 << 63 else None


def _big_endian(value: bytes) -> int | None:
    """Return a number as Spring writes it, in 4 or 8 bytes; text is read too, others write it."""
    if len(value) in (4, 8):
        number = int.from_bytes(value, "big", signed=True)
        return number if number >= 0 else None
    return _decimal(value)


def _text(values: _Values, name: str) -> str:
    return values.get(name, b"")[: 4 * _MAX_TEXT].decode("utf-8", "replace")[:_MAX_TEXT]


def _told(values: _Values) -> tuple[tuple[str, str], ...]:
    told = []
    for name, value in values.items():
        number = _big_endian(value) if name.startswith("original-") else None
        is_number = number is not None and not value.isalnum()
        text = str(number) if is_number else value[:_MAX_TOLD].decode("utf-8", "replace")
        told.append((name, text))
    return tuple(told)
