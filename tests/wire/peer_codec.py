"""Writes and reads records with loom-kernel's own codec. Run by an interpreter that has it:

``python peer_codec.py write`` prints, as its last line, JSON of names to values in hexadecimal;
``python peer_codec.py read`` takes such JSON on stdin and prints what the codec made of it.
``tests/wire/peer_records.json`` is what ``write`` printed under loom-kernel 9.0.0.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any

import msgspec

core_model = import_module("loom.core.model")
streaming = import_module("loom.streaming")
errors = import_module("loom.streaming.core._errors")
kafka = import_module("loom.streaming.kafka")
wire = import_module("loom.streaming.kafka._wire")


class Order(core_model.LoomFrozenStruct, frozen=True):  # type: ignore[misc,name-defined,call-arg]
    """The payload that both sides know under one name."""

    __loom_message_type__ = "shop.order"

    order_id: str
    amount: float
    note: bytes = b""


ORDER = Order("o-1", 12.5, b"\x00\xff")


def envelope(payload: Any, message_type: str, version: int = 1, **context: Any) -> bytes:
    """Return a record's value as the peer's producer makes it."""
    message = kafka.build_message(
        payload, kafka.MessageDescriptor(message_type, version), **context
    )
    encoded: bytes = kafka.MsgspecCodec().encode(message)
    return encoded


def failure(kind: str) -> bytes:
    """Return the peer's envelope of an order that failed."""
    message = streaming.Message(
        payload=ORDER,
        meta=streaming.MessageMeta(
            message_id="orders:2:41",
            trace_id="a" * 32,
            correlation_id="c-7",
            produced_at_ms=1_700_000_000_000,
            message_type="shop.order",
            message_version=1,
            topic="orders",
            partition=2,
            offset=41,
            key=b"customer-9",
            headers={"tenant": b"north"},
        ),
    )
    body = errors.ErrorEnvelope(
        kind=errors.ErrorKind(kind),
        reason="the price is negative",
        payload_type="shop.order",
        original_message=errors.snapshot_message(message),
    )
    return envelope(
        body, f"loom.streaming.error.{kind}", trace_id="a" * 32, produced_at_ms=1_700_000_000_500
    )


def wire_failure() -> bytes:
    """Return the peer's record of a value that did not decode."""
    body = wire.DecodeError(
        error=errors.ErrorEnvelope(kind=errors.ErrorKind.WIRE, reason="Input data was truncated"),
        raw=b"\x81\xa1",
        topic="orders",
        key=b"customer-9",
        headers={"tenant": b"north", "x-trace-id": b"b" * 32},
        partition=2,
        offset=42,
        timestamp_ms=1_700_000_000_001,
    )
    return envelope(
        body, "loom.streaming.error.wire", trace_id="b" * 32, produced_at_ms=1_700_000_000_001
    )


def write() -> dict[str, str]:
    """Return one record of each shape."""
    records = {
        "order": envelope(
            ORDER,
            "shop.order",
            3,
            trace_id="a" * 32,
            parent_trace_id="b" * 32,
            correlation_id="c-7",
            causation_id="orders:0:1",
            produced_at_ms=1_700_000_000_000,
        ),
        "order_without_context": envelope(
            ORDER, "shop.order", trace_id="", produced_at_ms=1_700_000_000_000
        ),
        "task": failure("task"),
        "business": failure("business"),
        "routing": failure("routing"),
        "wire": wire_failure(),
    }
    return {name: value.hex() for name, value in records.items()}


def read(records: dict[str, str]) -> dict[str, Any]:
    """Return what the peer's multi-type decoding makes of each record."""
    dispatch = kafka.DispatchTable(
        plain={"shop.order": Order},
        error={"shop.order": errors.ErrorEnvelope[Order]},
        wire={"loom.streaming.error.wire": wire.DecodeError},
    )
    decoded = {}
    for name, value in records.items():
        record = kafka.KafkaRecord(
            topic="t", key=None, value=bytes.fromhex(value), partition=0, offset=5
        )
        result = wire.try_decode_multi_record(record, dispatch, kafka.MsgspecCodec())
        message = getattr(result, "message", None)
        decoded[name] = (
            {"refused": result.error.reason}
            if message is None
            else {
                "class": type(message.payload).__qualname__,
                "payload": msgspec.to_builtins(message.payload),
                "meta": msgspec.to_builtins(message.meta),
            }
        )
    return decoded


if __name__ == "__main__":
    result = write() if sys.argv[1] == "write" else read(json.load(sys.stdin))
    print("\n" + json.dumps(result))
