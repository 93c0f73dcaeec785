"""Whatever a record holds, decoding it ends in a wire failure and never in an exception."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loom_runtime.config.kafka import WireFormat
from loom_runtime.errors import ErrorEnvelope, ErrorKind
from loom_runtime.wire.decoding import build_decoder
from tests.wire.samples import FORMATS, Order, Picky, Refund, Tree, payload_bytes, refused

TYPES: list[tuple[Any, ...]] = [(Order,), (Order, Refund), (Order, ErrorEnvelope[Order])]


def deep(wire_format: WireFormat, levels: int) -> bytes:
    """Return a value that nests *levels* deep."""
    if wire_format is WireFormat.JSON:
        return b'{"children":[' * levels + b"]}" * levels
    inner = b"\x81\xa8children\x91" * levels + b"\x80"
    if wire_format is WireFormat.MSGPACK:
        return inner
    return payload_bytes(wire_format, {})[:-1] + inner


@pytest.mark.parametrize("wire_format", FORMATS)
def test_the_failure_carries_everything_there_was(wire_format: WireFormat) -> None:
    headers: list[tuple[str, bytes | None]] = [
        ("x-trace-id", b"t"),
        ("x-message-type", b"shop.order"),
        ("tenant", b"north"),
        ("x-loom-attempt", b"2"),
    ]
    value = payload_bytes(wire_format, {"order_id": "a", "amount": "dear"})
    envelope = refused(wire_format, (Order,), (41, b"k", value, headers, 1_234)).envelope

    assert envelope.kind is ErrorKind.WIRE
    assert "Expected `float`, got `str`" in envelope.reason
    assert ".amount`" in envelope.reason
    assert envelope.exception_type == "msgspec.ValidationError"
    assert (envelope.flow, envelope.revision, envelope.attempt) == ("orders-flow", "r1", 3)
    assert envelope.payload_type == "shop.order"
    assert envelope.original_message is None
    assert envelope.raw == value
    meta = envelope.transport
    assert meta is not None
    assert (meta.message_id, meta.topic, meta.partition, meta.offset) == (
        "orders:2:41",
        "orders",
        2,
        41,
    )
    assert (meta.key, meta.produced_at_ms, meta.trace_id) == (b"k", 1_234, "t")
    assert meta.headers == {"tenant": b"north", "x-loom-attempt": b"2"}


@pytest.mark.parametrize("types", TYPES)
@pytest.mark.parametrize("wire_format", FORMATS)
def test_a_tombstone(wire_format: WireFormat, types: tuple[Any, ...]) -> None:
    headers: list[tuple[str, bytes | None]] = [("x-message-type", b"shop.order")]
    envelope = refused(wire_format, types, (1, b"k", None, headers, 5)).envelope
    assert "tombstone" in envelope.reason
    assert envelope.raw is None


@pytest.mark.parametrize("wire_format", FORMATS)
def test_text_that_is_not_utf8(wire_format: WireFormat) -> None:
    value = payload_bytes(wire_format, {"order_id": "abc", "amount": 1}).replace(
        b"abc", b"\xff" * 3
    )
    envelope = refused(wire_format, (Order,), (1, None, value, None, 5)).envelope
    assert "utf-8" in envelope.reason.lower()


@pytest.mark.parametrize("wire_format", FORMATS)
def test_a_value_cut_anywhere(wire_format: WireFormat) -> None:
    value = payload_bytes(wire_format, {"order_id": "abc", "amount": 1})
    for length in range(len(value)):
        assert refused(wire_format, (Order,), (1, None, value[:length], None, 5)).envelope.reason


@pytest.mark.parametrize("wire_format", FORMATS)
def test_deep_nesting(wire_format: WireFormat) -> None:
    value = deep(wire_format, 100_000)
    envelope = refused(wire_format, (Tree,), (1, None, value, None, 5)).envelope
    assert envelope.exception_type == "builtins.RecursionError"
    assert "nested too deeply" in envelope.reason


@pytest.mark.parametrize("wire_format", FORMATS)
def test_ten_megabytes_that_end_wrongly(wire_format: WireFormat) -> None:
    good = payload_bytes(wire_format, {"order_id": "x" * 10_000_000, "amount": 1})
    value = good[:-1]
    records = [(1, None, value, None, 5), (2, None, good, None, 5)]
    offsets, _, failures = build_decoder(wire_format, (Order,)).decode("t", 0, records)
    assert offsets == [2]
    assert failures[0].envelope.raw == value


@pytest.mark.parametrize("raises", ["key", "zero", "exit"])
@pytest.mark.parametrize("wire_format", FORMATS)
def test_whatever_a_payload_raises_of_itself(wire_format: WireFormat, raises: str) -> None:
    value = payload_bytes(wire_format, {"raises": raises})
    failure = refused(wire_format, (Picky,), (1, None, value, None, 5))
    assert failure.envelope.kind is ErrorKind.WIRE


@pytest.mark.parametrize("name", ["x-trace-id", "x-correlation-id", "x-message-type"])
@pytest.mark.parametrize("types", TYPES)
@pytest.mark.parametrize("wire_format", FORMATS)
def test_a_metadata_header_that_is_not_utf8(
    wire_format: WireFormat, types: tuple[Any, ...], name: str
) -> None:
    value = payload_bytes(wire_format, {"order_id": "a", "amount": 1})
    headers: list[tuple[str, bytes | None]] = [
        ("x-message-type", b"shop.order"),
        (name, b"\xff\xfe"),
        ("x-causation-id", b"c"),
    ]
    envelope = refused(wire_format, types, (1, None, value, headers, 5)).envelope
    assert f"header {name} is not UTF-8" in envelope.reason
    assert envelope.transport is not None
    assert envelope.transport.headers[name] == b"\xff\xfe"
    assert envelope.transport.causation_id == "c"


@pytest.mark.parametrize("wire_format", FORMATS)
def test_a_version_that_is_no_number(wire_format: WireFormat) -> None:
    value = payload_bytes(wire_format, {"order_id": "a", "amount": 1})
    headers: list[tuple[str, bytes | None]] = [("x-message-version", b"two")]
    envelope = refused(wire_format, (Order,), (1, None, value, headers, 5)).envelope
    assert envelope.reason == "header x-message-version is 'two'; it must be a whole number"


_HEADERS = st.none() | st.lists(
    st.tuples(
        st.sampled_from(["x-trace-id", "x-message-type", "x-message-version", "x-error-kind", "h"]),
        st.none() | st.binary(max_size=8) | st.sampled_from([b"shop.order", b"task", b"wire"]),
    ),
    max_size=4,
)
_VALUES = (
    st.none()
    | st.binary(max_size=64)
    | st.sampled_from([payload_bytes(each, {"order_id": "a", "amount": 1}) for each in FORMATS])
)


@pytest.mark.parametrize("types", TYPES)
@pytest.mark.parametrize("wire_format", FORMATS)
@settings(deadline=None)
@given(
    contents=st.lists(
        st.tuples(st.none() | st.binary(max_size=4), _VALUES, _HEADERS, st.integers(-1, 2**62)),
        max_size=5,
    )
)
def test_every_record_is_a_message_or_a_failure(
    wire_format: WireFormat, types: tuple[Any, ...], contents: list[Any]
) -> None:
    records = [(offset, *content) for offset, content in enumerate(contents)]
    offsets, messages, failures = build_decoder(wire_format, types).decode("t", 0, records)
    failed = [failure.offset for failure in failures]
    assert sorted(offsets + failed) == list(range(len(records)))
    assert offsets == sorted(offsets) == [each.meta.offset for each in messages]
    assert failed == sorted(failed)
    assert all(each.envelope.reason and each.envelope.transport for each in failures)
