"""Whole batches become messages: metadata, headers, several types on one topic."""

from __future__ import annotations

import msgspec
import pytest

from loom_runtime.config.kafka import WireFormat
from loom_runtime.errors import ErrorEnvelope, ErrorKind
from loom_runtime.wire.decoding import build_decoder
from loom_runtime.wire.encoding import build_encoder
from loom_runtime.wire.envelopes import EnvelopeEncoder
from tests.wire.samples import (
    FORMATS,
    HEADER_FORMATS,
    ORDER,
    Order,
    Refund,
    decoded,
    message,
    payload_bytes,
    raw_record,
    refused,
    task_envelope,
)


@pytest.mark.parametrize("wire_format", FORMATS)
def test_offsets_messages_and_failures_keep_the_order_of_the_records(
    wire_format: WireFormat,
) -> None:
    good = payload_bytes(wire_format, {"order_id": "a", "amount": 1})
    values = [good, None, good, b"\xff", b"", good]
    records = [(10 * n, b"k", value, None, 5) for n, value in enumerate(values)]

    offsets, messages, failures = build_decoder(wire_format, (Order,)).decode("t", 3, records)

    assert offsets == [0, 20, 50] == [each.meta.offset for each in messages]
    assert [failure.offset for failure in failures] == [10, 30, 40]


@pytest.mark.parametrize("wire_format", FORMATS)
def test_metadata_of_a_record_without_headers(wire_format: WireFormat) -> None:
    value = payload_bytes(wire_format, {"order_id": "a", "amount": 1})
    meta = decoded(wire_format, (Order,), (41, b"k", value, None, 1_234)).meta

    assert meta.message_id == "orders:2:41"
    assert (meta.topic, meta.partition, meta.offset) == ("orders", 2, 41)
    assert meta.key == b"k"
    assert meta.produced_at_ms == 1_234
    assert meta.message_type == "shop.order"
    assert meta.trace_id is meta.correlation_id is meta.causation_id is None
    assert meta.headers == {}


@pytest.mark.parametrize("unknown_ms", [0, -1])
@pytest.mark.parametrize("wire_format", FORMATS)
def test_a_record_without_a_timestamp_has_no_time(wire_format: WireFormat, unknown_ms: int) -> None:
    value = payload_bytes(wire_format, {"order_id": "a", "amount": 1})
    record = (1, None, value, None, unknown_ms)
    assert decoded(wire_format, (Order,), record).meta.produced_at_ms is None


@pytest.mark.parametrize("wire_format", FORMATS)
def test_headers_become_metadata_and_the_rest_stays(wire_format: WireFormat) -> None:
    value = payload_bytes(wire_format, {"order_id": "a", "amount": 1})
    headers: list[tuple[str, bytes | None]] = [
        ("x-trace-id", b"t"),
        ("tenant", b"south"),
        ("x-parent-trace-id", b"p"),
        ("x-correlation-id", "ü".encode()),
        ("x-causation-id", None),
        ("tenant", b"north"),
        ("null", None),
        ("bytes", b"\xff\x00"),
    ]
    meta = decoded(wire_format, (Order,), (1, None, value, headers, 5)).meta

    assert (meta.trace_id, meta.parent_trace_id, meta.correlation_id) == ("t", "p", "ü")
    assert meta.causation_id is None
    assert meta.headers == {"tenant": b"north", "null": b"", "bytes": b"\xff\x00"}


@pytest.mark.parametrize("wire_format", HEADER_FORMATS)
def test_type_and_version_come_from_the_headers(wire_format: WireFormat) -> None:
    value = payload_bytes(wire_format, {"order_id": "a", "amount": 1})
    headers: list[tuple[str, bytes | None]] = [
        ("x-message-type", b"legacy.order"),
        ("x-message-version", b"4"),
    ]
    meta = decoded(wire_format, (Order,), (1, None, value, headers, 5)).meta
    assert (meta.message_type, meta.message_version) == ("legacy.order", 4)
    assert meta.headers == {}


def test_the_loom_envelope_wins_over_the_headers() -> None:
    sent = message(trace_id="envelope", produced_at_ms=99, message_version=3)
    key, value, _ = build_encoder(WireFormat.LOOM).encode_one(sent)
    headers: list[tuple[str, bytes | None]] = [
        ("x-trace-id", b"header"),
        ("x-correlation-id", b"only-here"),
    ]
    meta = decoded(WireFormat.LOOM, (Order,), (1, key, value, headers, 5)).meta
    assert (meta.trace_id, meta.correlation_id) == ("envelope", "only-here")
    assert meta.produced_at_ms == 99


@pytest.mark.parametrize("wire_format", FORMATS)
def test_writing_into_the_headers_of_one_message_reaches_no_other(wire_format: WireFormat) -> None:
    value = payload_bytes(wire_format, {"order_id": "a", "amount": 1})
    records = [(n, None, value, None, 5) for n in range(3)]
    _, messages, _ = build_decoder(wire_format, (Order,)).decode("t", 0, records)

    messages[0].meta.headers["mine"] = b"1"

    assert [each.meta.headers for each in messages[1:]] == [{}, {}]


@pytest.mark.parametrize("wire_format", FORMATS)
def test_several_types_are_told_apart_by_message_type(wire_format: WireFormat) -> None:
    encoder = build_encoder(wire_format)
    sent = [message(ORDER), message(Refund("o-1", "late")), message(ORDER)]
    records = [raw_record(output, n) for n, output in enumerate(encoder.encode(sent))]

    decoder = build_decoder(wire_format, (Order, Refund))
    _, messages, failures = decoder.decode("t", 0, records)

    assert failures == []
    assert [each.payload for each in messages] == [each.payload for each in sent]
    assert [each.meta.message_type for each in messages] == [
        "shop.order",
        "shop.refund",
        "shop.order",
    ]


@pytest.mark.parametrize("wire_format", FORMATS)
@pytest.mark.parametrize("types", [(Order, Refund), (Order | Refund,)])
def test_an_unknown_type_is_refused_with_the_known_ones(
    wire_format: WireFormat, types: tuple[type, ...]
) -> None:
    value = payload_bytes(wire_format, {}, "shop.invoice")
    headers: list[tuple[str, bytes | None]] = [("x-message-type", b"shop.invoice")]
    envelope = refused(wire_format, types, (1, None, value, headers, 5)).envelope
    assert envelope.reason == (
        "message type 'shop.invoice' is not declared; this source knows shop.order, shop.refund"
    )
    assert envelope.payload_type == "shop.invoice"


@pytest.mark.parametrize("wire_format", HEADER_FORMATS)
def test_a_missing_type_is_refused_where_several_are_possible(wire_format: WireFormat) -> None:
    value = payload_bytes(wire_format, {"order_id": "a", "amount": 1})
    envelope = refused(wire_format, (Order, Refund), (1, None, value, None, 5)).envelope
    assert "names no message type" in envelope.reason
    assert "x-message-type" in envelope.reason
    assert "shop.order, shop.refund" in envelope.reason


@pytest.mark.parametrize("wire_format", FORMATS)
def test_error_envelopes_beside_plain_types(wire_format: WireFormat) -> None:
    types = (Order, ErrorEnvelope[Order], ErrorEnvelope[Refund])
    envelopes = EnvelopeEncoder(wire_format)
    refund = task_envelope(Refund("o-1"), payload_type="shop.refund")
    broken = refused(wire_format, (Order,), (5, b"k", b"\xc1", [("tenant", b"x")], 9)).envelope
    outputs = [
        envelopes.encode(task_envelope()),
        envelopes.encode(refund),
        envelopes.encode(broken),
        build_encoder(wire_format).encode_one(message(ORDER)),
    ]
    records = [raw_record(output, n) for n, output in enumerate(outputs)]

    _, messages, failures = build_decoder(wire_format, types).decode("errors", 0, records)

    assert failures == []
    payloads = [each.payload for each in messages]
    assert payloads == [task_envelope(), refund, broken, ORDER]
    assert [each.meta.message_type for each in messages][:3] == [
        "loom.streaming.error.task",
        "loom.streaming.error.task",
        "loom.streaming.error.wire",
    ]


@pytest.mark.parametrize("wire_format", FORMATS)
@pytest.mark.parametrize("kind", list(ErrorKind))
def test_a_topic_of_envelopes_only(wire_format: WireFormat, kind: ErrorKind) -> None:
    sent = task_envelope(kind=kind)
    if kind is ErrorKind.WIRE:
        assert sent.original_message is not None
        sent = msgspec.structs.replace(
            sent, original_message=None, raw=b"{", transport=sent.original_message.meta
        )
    record = raw_record(EnvelopeEncoder(wire_format).encode(sent))
    assert decoded(wire_format, (ErrorEnvelope[Order],), record).payload == sent


@pytest.mark.parametrize("wire_format", FORMATS)
def test_an_envelope_of_an_undeclared_payload_is_refused(wire_format: WireFormat) -> None:
    sent = task_envelope(payload_type="shop.invoice")
    record = raw_record(EnvelopeEncoder(wire_format).encode(sent))
    types = (Refund, ErrorEnvelope[Order])
    reason = refused(wire_format, types, record).envelope.reason
    assert "'shop.invoice' is not declared" in reason
    assert "shop.refund, an error envelope of shop.order" in reason


@pytest.mark.parametrize("wire_format", FORMATS)
def test_an_envelope_of_a_union_is_one_of_its_members(wire_format: WireFormat) -> None:
    sent = task_envelope(Refund("o-2"), payload_type="shop.refund")
    record = raw_record(EnvelopeEncoder(wire_format).encode(sent))
    assert decoded(wire_format, (ErrorEnvelope[Order | Refund],), record).payload == sent


def test_a_source_without_types_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a payload type"):
        build_decoder(WireFormat.JSON, ())
