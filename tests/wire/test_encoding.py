"""Whole batches become records: key, headers, message type; what does not encode is named."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from loom_runtime.config.kafka import WireFormat
from loom_runtime.errors import ErrorEnvelope
from loom_runtime.wire.encoding import EncodingError, build_encoder, dead_letter
from tests.wire.samples import (
    FORMATS,
    HEADER_FORMATS,
    Anything,
    Order,
    Refund,
    Tree,
    decoded,
    message,
    raw_record,
    task_envelope,
)


def test_json_is_the_payload_and_nothing_else() -> None:
    record = build_encoder(WireFormat.JSON, Refund, message_type_header=False).encode_one(
        message(Refund("o-1", "late"))
    )
    assert record == (None, b'{"order_id":"o-1","reason":"late"}', None)


@pytest.mark.parametrize("wire_format", HEADER_FORMATS)
def test_metadata_becomes_headers(wire_format: WireFormat) -> None:
    sent = message(
        trace_id="t",
        parent_trace_id="p",
        correlation_id="c",
        causation_id="a",
        message_type="shop.order",
        message_version=2,
        headers={"tenant": b"north"},
    )
    _, _, headers = build_encoder(wire_format).encode_one(sent)
    assert headers == [
        ("x-message-type", b"shop.order"),
        ("x-message-version", b"2"),
        ("x-trace-id", b"t"),
        ("x-parent-trace-id", b"p"),
        ("x-correlation-id", b"c"),
        ("x-causation-id", b"a"),
        ("tenant", b"north"),
    ]


def test_loom_puts_the_trace_into_headers_too() -> None:
    _, _, headers = build_encoder(WireFormat.LOOM).encode_one(message(trace_id="t"))
    assert headers == [("x-trace-id", b"t")]


@pytest.mark.parametrize("wire_format", FORMATS)
def test_the_type_is_the_payloads_not_the_inputs(wire_format: WireFormat) -> None:
    sent = message(Refund("o-1"), message_type="shop.order", message_version=7)
    record = raw_record(build_encoder(wire_format).encode_one(sent))
    meta = decoded(wire_format, (Order, Refund), record).meta
    assert meta.message_type == "shop.refund"
    assert meta.message_version in (None, 1)


@pytest.mark.parametrize("wire_format", FORMATS)
def test_headers_of_the_record_that_was_read_are_not_doubled(wire_format: WireFormat) -> None:
    stale = {
        "x-trace-id": b"old",
        "x-message-type": b"old",
        "x-error-kind": b"task",
        "x-error-reason": b"old",
        "x-loom-attempt": b"3",
        "tenant": b"north",
    }
    sent = message(trace_id="new", headers=stale)
    headers = build_encoder(wire_format).encode_one(sent)[2] or []
    assert dict(headers).get("x-message-type", b"shop.order") == b"shop.order"
    assert [each for each in headers if each[0] != "x-message-type"] == [
        ("x-trace-id", b"new"),
        ("tenant", b"north"),
    ]


@pytest.mark.parametrize("wire_format", FORMATS)
@pytest.mark.parametrize(
    ("key", "written"), [(None, None), (b"k\xff", b"k\xff"), ("ü", b"\xc3\xbc")]
)
def test_the_key_is_the_messages(wire_format: WireFormat, key: Any, written: bytes | None) -> None:
    assert build_encoder(wire_format).encode_one(message(key=key))[0] == written


@pytest.mark.parametrize("wire_format", FORMATS)
def test_given_keys_win(wire_format: WireFormat) -> None:
    batch = [message(key=b"own"), message(key=b"own")]
    records = build_encoder(wire_format).encode(batch, [b"given", None])
    assert [record[0] for record in records] == [b"given", None]


@pytest.mark.parametrize("wire_format", FORMATS)
def test_an_envelope_goes_out_under_its_own_type(wire_format: WireFormat) -> None:
    sent = task_envelope()
    record = raw_record(
        build_encoder(wire_format, message_type_header=False).encode_one(message(sent))
    )
    got = decoded(wire_format, (Refund, ErrorEnvelope[Order]), record)
    assert got.payload == sent
    assert got.meta.message_type == "loom.streaming.error.task"


def _endless() -> Anything:
    inner: list[Any] = []
    inner.append(inner)
    return Anything(inner)


UNWRITABLE: list[tuple[Any, dict[str, Any], str]] = [
    (Anything(object()), {}, "Encoding objects of type object"),
    (Anything("\ud800"), {}, "surrogates not allowed"),
    (_endless(), {}, "contains itself"),
    (Anything(1), {"headers": {"h": 5}}, "header h is a int; it must be bytes"),
    (Anything(1), {"headers": {5: b""}}, "a header's name is 5"),
    (Anything(1), {"key": 5}, "the key is a int"),
    (Anything(1), {"trace_id": "\ud800"}, "surrogates not allowed"),
]


@pytest.mark.parametrize("wire_format", FORMATS)
@pytest.mark.parametrize(("payload", "meta", "reason"), UNWRITABLE)
def test_what_cannot_be_written_is_named(
    wire_format: WireFormat, payload: Any, meta: dict[str, Any], reason: str
) -> None:
    encoder = build_encoder(wire_format)
    bad = message(payload, message_id="orders:0:5", **meta)
    with pytest.raises(EncodingError, match="Anything of message orders:0:5") as one:
        encoder.encode_one(bad)
    assert reason in str(one.value)
    with pytest.raises(EncodingError, match="orders:0:5"):
        encoder.encode([message(), bad, message()])


@pytest.mark.parametrize("wire_format", FORMATS)
def test_a_payload_that_is_no_struct_is_named(wire_format: WireFormat) -> None:
    with pytest.raises(
        EncodingError, match="must be a LoomStruct or a LoomFrozenStruct, not a dict"
    ):
        build_encoder(wire_format).encode_one(message({"order_id": "a"}))


def test_a_user_exception_without_text_is_named() -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise KeyError

    class Broken(Refund):
        @classmethod
        def loom_message_type(cls) -> str:
            raise MuteError

    with pytest.raises(EncodingError, match="its text could not be made"):
        build_encoder(WireFormat.JSON).encode_one(message(Broken("o-1")))


@pytest.mark.parametrize("wire_format", FORMATS)
def test_encoding_leaves_the_message_as_it_was(wire_format: WireFormat) -> None:
    sent = message(Tree([Tree()]), key="k", headers={"tenant": b"north"}, produced_at_ms=4)
    before = msgspec.structs.replace(
        sent, meta=msgspec.structs.replace(sent.meta, headers={**sent.meta.headers})
    )
    build_encoder(wire_format).encode([sent, sent])
    assert sent == before


def test_a_dead_letter_says_why_once() -> None:
    record = (b"k", b"v", [("tenant", b"north"), ("x-dlq-error", b"old")])
    assert dead_letter(record, "broker\ngone") == (
        b"k",
        b"v",
        [("tenant", b"north"), ("x-dlq-error", b"broker gone")],
    )
    assert dead_letter((None, None, None), "no")[2] == [("x-dlq-error", b"no")]


@pytest.mark.parametrize(
    "text", ["x" * 5_000, "ü" * 5_000, "\x1b[31m" * 900, "\ud800" * 600, "a\r\n\tb"]
)
def test_the_text_of_an_error_header_is_one_short_line(text: str) -> None:
    _, _, headers = dead_letter((None, None, None), text)
    assert headers is not None
    written = headers[0][1]
    assert len(written) <= 512
    assert written.decode().isprintable()
