"""The contract's section on wire formats, row by row."""

from __future__ import annotations

from typing import ClassVar

import msgspec
import pytest

from loom_runtime import ErrorEnvelope, ErrorKind, LoomFrozenStruct, Message, MessageMeta
from loom_runtime.config.kafka import ConsumerSettings, ProducerSettings, WireFormat
from loom_runtime.errors import message_for_envelope
from loom_runtime.wire import headers as names
from loom_runtime.wire.decoding import build_decoder
from loom_runtime.wire.encoding import build_encoder, dead_letter
from loom_runtime.wire.envelopes import EnvelopeEncoder, decode_envelope
from loom_runtime.wire.records import RawRecord


class Order(LoomFrozenStruct, frozen=True):
    """A payload with a stable name."""

    __loom_message_type__: ClassVar[str] = "shop.order"

    order_id: str
    amount: float


SENT = Message(
    payload=Order("o-1", 12.5),
    meta=MessageMeta(
        message_id="orders:0:7",
        trace_id="a" * 32,
        correlation_id="c-7",
        produced_at_ms=1_700_000_000_000,
        message_version=1,
        topic="orders",
        partition=0,
        offset=7,
        key=b"customer-9",
        headers={"tenant": b"north"},
    ),
)


def read_back(wire_format: WireFormat) -> Message[Order]:
    """Write :data:`SENT` and return what a source of the same format reads."""
    key, value, sent_headers = build_encoder(wire_format, Order).encode_one(SENT)
    record: RawRecord = (7, key, value, list(sent_headers or []), 1_700_000_000_000)
    _, messages, failures = build_decoder(wire_format, (Order,)).decode("orders", 0, [record])
    assert failures == []
    return messages[0]


def test_wire_format_json_is_the_default_and_any_kafka_tool_reads_it() -> None:
    assert ConsumerSettings(brokers=("b:1",), group_id="g").format is WireFormat.JSON
    assert ProducerSettings(brokers=("b:1",)).format is WireFormat.JSON
    key, value, headers = build_encoder(WireFormat.JSON, Order).encode_one(SENT)
    assert key == b"customer-9"
    assert value == b'{"order_id":"o-1","amount":12.5}'
    assert ("x-trace-id", b"a" * 32) in (headers or [])


def test_wire_format_json_any_kafka_tool_writes_it() -> None:
    record: RawRecord = (0, None, b' { "amount": 3, "order_id": "o-2", "extra": [1] }\n', None, -1)
    _, messages, _ = build_decoder(WireFormat.JSON, (Order,)).decode("orders", 0, [record])
    assert messages[0].payload == Order("o-2", 3.0)


def test_wire_format_msgpack_is_the_same_in_binary() -> None:
    key, value, headers = build_encoder(WireFormat.MSGPACK, Order).encode_one(SENT)
    assert (key, headers) == (
        b"customer-9",
        build_encoder(WireFormat.JSON, Order).encode_one(SENT)[2],
    )
    assert value == msgspec.msgpack.encode({"order_id": "o-1", "amount": 12.5})


def test_wire_format_loom_is_the_peers_message_envelope() -> None:
    _, value, _ = build_encoder(WireFormat.LOOM, Order).encode_one(SENT)
    assert msgspec.msgpack.decode(value or b"") == {
        "meta": {
            "descriptor": {
                "message_type": "shop.order",
                "message_version": 1,
                "content_type": {"media_type": "application/x-loom-msgpack", "encoding": None},
                "schema_ref": None,
            },
            "trace_id": "a" * 32,
            "parent_trace_id": None,
            "correlation_id": "c-7",
            "causation_id": None,
            "produced_at_ms": 1_700_000_000_000,
        },
        "payload": {"order_id": "o-1", "amount": 12.5},
    }


@pytest.mark.parametrize("wire_format", list(WireFormat))
def test_message_and_message_meta_survive_every_wire_format(wire_format: WireFormat) -> None:
    meta = msgspec.structs.replace(SENT.meta, message_type="shop.order")
    assert read_back(wire_format) == msgspec.structs.replace(SENT, meta=meta)


def test_wire_header_names() -> None:
    assert names.TRACE_ID == "x-trace-id"
    assert names.PARENT_TRACE_ID == "x-parent-trace-id"
    assert names.CORRELATION_ID == "x-correlation-id"
    assert names.CAUSATION_ID == "x-causation-id"
    assert names.ERROR_KIND == "x-error-kind"
    assert names.ERROR_REASON == "x-error-reason"
    assert names.DLQ_ERROR == "x-dlq-error"


@pytest.mark.parametrize("wire_format", list(WireFormat))
def test_wire_record_that_does_not_decode_carries_its_raw_bytes(wire_format: WireFormat) -> None:
    record: RawRecord = (7, b"customer-9", b"\xc1 not this", [("tenant", b"north")], 1)
    decoder = build_decoder(wire_format, (Order,), flow="orders", revision="r1")
    offsets, messages, failures = decoder.decode("orders", 0, [record])
    assert (offsets, messages) == ([], [])
    envelope = failures[0].envelope
    assert (envelope.kind, envelope.raw) == (ErrorKind.WIRE, b"\xc1 not this")
    assert (envelope.flow, envelope.revision) == ("orders", "r1")
    key, value, headers = EnvelopeEncoder(wire_format).encode(envelope)
    assert key == b"customer-9"
    assert dict(headers or [])["x-error-kind"] == b"wire"
    assert decode_envelope(value, headers) == envelope


@pytest.mark.parametrize("wire_format", list(WireFormat))
def test_wire_error_envelope_tells_all_and_tolerates_unknown_fields(
    wire_format: WireFormat,
) -> None:
    envelope: ErrorEnvelope[Order] = ErrorEnvelope(
        kind=ErrorKind.TASK,
        reason="negative",
        payload_type="shop.order",
        original_message=message_for_envelope(SENT),
        flow="orders",
        revision="r1",
        node="price",
        node_path=(0, 1),
        exception_type="builtins.ValueError",
        traceback="  File ...",
        attempt=2,
    )
    _, value, headers = EnvelopeEncoder(wire_format).encode(envelope)
    assert decode_envelope(value, headers, Order) == envelope
    assert dict(headers or [])["x-error-reason"] == b"negative"
    if wire_format is WireFormat.JSON:
        fields = msgspec.json.decode(value or b"")
        widened = msgspec.json.encode({**fields, "from_the_future": {"a": 1}})
        assert decode_envelope(widened, headers, Order) == envelope


def test_wire_dead_letter_says_what_the_broker_said() -> None:
    record = build_encoder(WireFormat.JSON, Order).encode_one(SENT)
    key, value, headers = dead_letter(record, "Broker: Message size too large")
    assert (key, value) == record[:2]
    assert (headers or [])[-1] == ("x-dlq-error", b"Broker: Message size too large")
    assert (headers or [])[:-1] == record[2]
