"""Records cross between this library and loom-kernel 9.0.0, both ways.

What loom-kernel wrote is kept in ``peer_records.json``. Where ``LOOM_PEER_PYTHON`` names an
interpreter that has it, it also reads what we write, and writes anew.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from loom_runtime.config.kafka import WireFormat
from loom_runtime.errors import ErrorEnvelope, ErrorKind
from loom_runtime.wire.decoding import build_decoder
from loom_runtime.wire.encoding import build_encoder
from loom_runtime.wire.envelopes import EnvelopeEncoder, decode_envelope
from tests.wire.samples import ORDER, Order, Refund, message, refused, task_envelope

_FOLDER = Path(__file__).parent
_KEPT: dict[str, str] = json.loads((_FOLDER / "peer_records.json").read_text())
KEPT = {name: bytes.fromhex(value) for name, value in _KEPT.items()}
FAILED = ["task", "business", "routing"]


def peer(command: str, records: dict[str, bytes] | None = None) -> Any:
    """Return what the peer prints."""
    python = os.environ.get("LOOM_PEER_PYTHON")
    if not python:
        pytest.skip("LOOM_PEER_PYTHON names no interpreter with loom-kernel 9.0.0")
    done = subprocess.run(
        [python, str(_FOLDER / "peer_codec.py"), command],
        input=json.dumps({name: value.hex() for name, value in (records or {}).items()}),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def read(name: str, *types: Any) -> Any:
    """Return the message that we make of a kept record."""
    decoder = build_decoder(WireFormat.LOOM, types)
    _, messages, failures = decoder.decode("orders", 2, [(9, b"k", KEPT[name], None, 77)])
    assert failures == []
    return messages[0]


def ours() -> dict[str, bytes]:
    """Return what we write of each shape that the peer knows."""
    order = message(
        trace_id="a" * 32,
        parent_trace_id="b" * 32,
        correlation_id="c-7",
        causation_id="orders:0:1",
        produced_at_ms=1_700_000_000_000,
        message_version=3,
    )
    encoder, envelopes = build_encoder(WireFormat.LOOM), EnvelopeEncoder(WireFormat.LOOM)
    outputs = {"order": encoder.encode_one(order)}
    for kind in FAILED:
        outputs[kind] = envelopes.encode(task_envelope(kind=ErrorKind(kind)))
    headers: list[tuple[str, bytes | None]] = [("tenant", b"north"), ("x-trace-id", b"b" * 32)]
    record = (42, b"customer-9", b"\x81\xa1", headers, 1_700_000_000_001)
    outputs["wire"] = envelopes.encode(refused(WireFormat.LOOM, (Order,), record).envelope)
    outputs["too_large"] = envelopes.encode(task_envelope(Order("x" * 1_000_000, 1.0)))
    return {name: output[1] or b"" for name, output in outputs.items()}


def test_its_plain_record_is_a_message() -> None:
    got = read("order", Order)
    assert got.payload == ORDER
    meta = got.meta
    assert (meta.trace_id, meta.parent_trace_id) == ("a" * 32, "b" * 32)
    assert (meta.correlation_id, meta.causation_id) == ("c-7", "orders:0:1")
    assert (meta.message_type, meta.message_version) == ("shop.order", 3)
    assert meta.produced_at_ms == 1_700_000_000_000
    assert meta.message_id == "orders:2:9"
    assert read("order_without_context", Order, Refund).meta.trace_id is None


def test_we_write_its_plain_record_byte_for_byte() -> None:
    assert ours()["order"] == KEPT["order"]


@pytest.mark.parametrize("kind", FAILED)
@pytest.mark.parametrize("types", [(ErrorEnvelope[Order],), (Refund, ErrorEnvelope[Order])])
def test_its_error_envelope_is_ours(kind: str, types: tuple[Any, ...]) -> None:
    envelope = read(kind, *types).payload
    assert envelope == decode_envelope(KEPT[kind], None, Order)
    assert (envelope.kind, envelope.reason) == (kind, "the price is negative")
    assert envelope.payload_type == "shop.order"
    failed = envelope.original_message
    assert failed.payload == ORDER
    assert (failed.meta.topic, failed.meta.partition, failed.meta.offset) == ("orders", 2, 41)
    assert (failed.meta.key, failed.meta.headers) == (b"customer-9", {"tenant": b"north"})
    assert envelope.flow is None
    assert envelope.attempt == 1


def test_its_wire_error_is_our_envelope() -> None:
    envelope = read("wire", Refund, ErrorEnvelope[Order]).payload
    assert envelope == decode_envelope(KEPT["wire"], None)
    assert (envelope.kind, envelope.reason) == (ErrorKind.WIRE, "Input data was truncated")
    assert envelope.raw == b"\x81\xa1"
    place = envelope.transport
    assert (place.topic, place.partition, place.offset) == ("orders", 2, 42)
    assert (place.key, place.produced_at_ms) == (b"customer-9", 1_700_000_000_001)
    assert (place.trace_id, place.headers) == ("b" * 32, {"tenant": b"north"})


@pytest.mark.parametrize("name", [*FAILED, "wire"])
def test_our_envelopes_have_all_that_its_have(name: str) -> None:
    theirs, own = msgspec.msgpack.decode(KEPT[name]), msgspec.msgpack.decode(ours()[name])
    if name == "wire":
        theirs["payload"]["error"]["reason"] = own["payload"]["error"]["reason"]
        theirs["payload"]["error"]["payload_type"] = "shop.order"
    else:
        theirs["meta"]["produced_at_ms"] = 1_700_000_000_000
        theirs["meta"]["correlation_id"] = "c-7"
    assert_contains(own, theirs)


def assert_contains(own: Any, theirs: Any) -> None:
    """Assert that *own* has every field of *theirs*, with its value, at every level."""
    if not isinstance(theirs, dict):
        assert own == theirs
        return
    for name, value in theirs.items():
        assert_contains(own[name], value)


def test_the_peer_reads_what_we_write() -> None:
    got = peer("read", ours())

    assert got["order"]["class"] == "Order"
    assert got["order"]["payload"] == msgspec.to_builtins(ORDER)
    assert got["order"]["meta"]["message_version"] == 3
    assert got["order"]["meta"]["trace_id"] == "a" * 32
    for kind in FAILED:
        assert got[kind]["class"] == "ErrorEnvelope"
        failed = got[kind]["payload"]
        assert (failed["kind"], failed["payload_type"]) == (kind, "shop.order")
        assert failed["original_message"]["payload"] == msgspec.to_builtins(ORDER)
        assert failed["original_message"]["meta"]["offset"] == 41
    wire = got["wire"]["payload"]
    assert got["wire"]["class"] == "DecodeError"
    assert base64.b64decode(wire["raw"]) == b"\x81\xa1"
    assert (wire["topic"], wire["partition"], wire["offset"]) == ("orders", 2, 42)
    assert wire["error"]["kind"] == "wire"
    assert wire["timestamp_ms"] == 1_700_000_000_001
    assert wire["headers"].keys() == {"tenant", "x-trace-id"}
    assert got["too_large"]["payload"]["original_message"] is None


def test_the_kept_records_are_what_the_peer_writes() -> None:
    assert peer("write") == _KEPT
