"""Error envelopes are written whatever they hold, and read in every format."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loom_runtime.config.kafka import WireFormat
from loom_runtime.errors import ErrorEnvelope, ErrorKind, ErrorMessage, ErrorMessageMeta
from loom_runtime.model import LoomFrozenStruct
from loom_runtime.wire.envelopes import EnvelopeDecodeError, EnvelopeEncoder, decode_envelope
from tests.wire.samples import FORMATS, Anything, Order, Refund, refused, task_envelope


class Unprintable(LoomFrozenStruct, frozen=True):
    """A payload whose every part resists."""

    value: Any = None

    def __repr__(self) -> str:
        raise ZeroDivisionError


def written(
    wire_format: WireFormat, envelope: ErrorEnvelope[Any], limit_bytes: int = 900_000
) -> ErrorEnvelope[Any]:
    """Return what a reader gets of *envelope*."""
    _, value, headers = EnvelopeEncoder(wire_format, limit_bytes).encode(envelope)
    return decode_envelope(value, headers)


@pytest.mark.parametrize("wire_format", FORMATS)
def test_headers_and_key(wire_format: WireFormat) -> None:
    envelope = task_envelope(reason="the price\nis \x1b[31mnegative")
    key, _, headers = EnvelopeEncoder(wire_format).encode(envelope)
    assert key == b"customer-9"
    assert dict(headers or []) == {
        "x-error-kind": b"task",
        "x-error-reason": b"the price is [31mnegative",
        "x-trace-id": b"a" * 32,
        "x-correlation-id": b"c-7",
        **(
            {}
            if wire_format is WireFormat.LOOM
            else {"x-message-type": b"loom.streaming.error.task"}
        ),
    }


@pytest.mark.parametrize("wire_format", FORMATS)
def test_the_payload_is_typed_when_its_type_is_given(wire_format: WireFormat) -> None:
    sent = task_envelope(Refund("o-1"))
    _, value, headers = EnvelopeEncoder(wire_format).encode(sent)
    assert decode_envelope(value, headers, Refund) == sent
    plain = decode_envelope(value, headers).original_message
    assert plain is not None
    assert plain.payload == {"order_id": "o-1", "reason": None}
    with pytest.raises(EnvelopeDecodeError, match="amount"):
        decode_envelope(value, headers, Order)


@pytest.mark.parametrize("wire_format", FORMATS)
def test_a_payload_too_large_is_left_out_with_its_size_and_place(wire_format: WireFormat) -> None:
    got = written(wire_format, task_envelope(Refund("x" * 1_000_000)))
    assert got.original_message is None
    assert got.payload_type == "shop.order"
    assert got.reason.startswith("the price is negative [the payload of 1,000,0")
    assert got.reason.endswith(
        "is left out: an envelope may take 900,000 bytes; the record is orders[2]@41]"
    )
    assert got.transport is not None
    assert (got.transport.topic, got.transport.partition, got.transport.offset) == ("orders", 2, 41)
    assert got.transport.headers == {"tenant": b"north"}
    assert got.traceback is not None


@pytest.mark.parametrize("wire_format", FORMATS)
def test_ten_raw_megabytes_are_left_out_whole(wire_format: WireFormat) -> None:
    record = (41, b"k", b"\xc1" * 10_000_000, None, 5)
    envelope = refused(wire_format, (Order,), record).envelope
    key, value, headers = EnvelopeEncoder(wire_format).encode(envelope)
    assert key == b"k"
    assert value is not None
    assert len(value) < 2_000
    got = decode_envelope(value, headers)
    assert got.raw is None
    assert "the payload of 10,000,000 bytes is left out" in got.reason
    assert got.transport == envelope.transport


@pytest.mark.parametrize("wire_format", FORMATS)
@pytest.mark.parametrize(
    ("payload", "note"),
    [
        (Anything(object()), "Anything(value=<object object at 0x"),
        (Anything("\ud800"), "Anything(value='\\ud800')"),
        (Unprintable(object()), "<Unprintable whose repr raised ZeroDivisionError>"),
        (object(), "<object object at 0x"),
    ],
)
def test_a_payload_that_cannot_be_encoded_is_shown_in_the_reason(
    wire_format: WireFormat, payload: Any, note: str
) -> None:
    got = written(wire_format, task_envelope(payload))
    assert got.original_message is None
    assert got.reason.startswith("the price is negative [the payload cannot be encoded (")
    assert note in got.reason
    assert got.reason.endswith("; the record is orders[2]@41]")
    assert got.node == "price"


@pytest.mark.parametrize("wire_format", FORMATS)
def test_a_payload_that_contains_itself(wire_format: WireFormat) -> None:
    inner: list[Any] = []
    inner.append(inner)
    got = written(wire_format, task_envelope(Anything(inner)))
    assert (
        "cannot be encoded (RecursionError: nested too deeply, or it contains itself)" in got.reason
    )


@pytest.mark.parametrize("wire_format", FORMATS)
def test_text_that_is_no_unicode_costs_nothing_else(wire_format: WireFormat) -> None:
    got = written(
        wire_format, task_envelope(Refund("o-1"), reason="file \udcff", traceback="\ud800")
    )
    assert got.reason == "file \\udcff"
    assert got.traceback == "\\ud800"
    assert got.original_message is not None


@pytest.mark.parametrize("wire_format", FORMATS)
@pytest.mark.parametrize(
    ("large", "kept"),
    [
        ({"traceback": "t" * 100_000}, b"k"),
        ({"reason": "r" * 100_000}, b"k"),
        ({"headers": {"h": b"h" * 100_000}}, b"k"),
        ({"key": b"k" * 100_000}, None),
        ({"trace_id": "t" * 100_000}, None),
    ],
)
def test_whatever_is_large_the_envelope_fits_and_says_where(
    wire_format: WireFormat, large: dict[str, Any], kept: bytes | None
) -> None:
    own = {name: value for name, value in large.items() if name in ("traceback", "reason")}
    meta = {name: value for name, value in large.items() if name not in own}
    sent = task_envelope(Refund("o-1"), **own)
    assert sent.original_message is not None
    sent = msgspec.structs.replace(
        sent,
        original_message=ErrorMessage(
            payload=Refund("o-1"),
            meta=msgspec.structs.replace(sent.original_message.meta, **{"key": b"k", **meta}),
        ),
    )
    key, value, headers = EnvelopeEncoder(wire_format, 20_000).encode(sent)
    size_bytes = (
        len(key or b"") + len(value or b"") + sum(len(n) + len(v) for n, v in headers or [])
    )
    assert size_bytes <= 20_000
    assert key == kept
    got = decode_envelope(value, headers)
    assert got.kind is ErrorKind.TASK
    assert "left out" in got.reason
    assert got.transport is not None
    assert (got.transport.topic, got.transport.partition, got.transport.offset) == ("orders", 2, 41)


@pytest.mark.parametrize("wire_format", FORMATS)
def test_headers_that_a_step_filled_with_text_are_read_back(wire_format: WireFormat) -> None:
    odd: Any = {"tenant": "north", "count": 5}
    meta = ErrorMessageMeta(message_id="m", headers=odd)
    sent = task_envelope(original_message=ErrorMessage(payload=Refund("o-1"), meta=meta))
    got = written(wire_format, sent).original_message
    assert got is not None
    assert got.meta.headers == {"tenant": b"north", "count": b"5"}


@pytest.mark.parametrize("wire_format", FORMATS)
def test_a_limit_that_nothing_fits_still_gives_an_envelope(wire_format: WireFormat) -> None:
    assert written(wire_format, task_envelope(), 1).kind is ErrorKind.TASK


@pytest.mark.parametrize("wire_format", FORMATS)
@settings(deadline=None)
@given(
    fields=st.fixed_dictionaries(
        {},
        optional={
            name: st.none() | st.integers() | st.text(max_size=5) | st.binary(max_size=5)
            for name in ("reason", "payload_type", "flow", "node", "traceback", "raw", "attempt")
        },
    ),
    meta=st.fixed_dictionaries(
        {},
        optional={
            name: st.none() | st.integers() | st.text(max_size=5) | st.binary(max_size=5)
            for name in ("trace_id", "correlation_id", "offset", "message_id", "headers", "key")
        },
    ),
    value=st.none() | st.integers() | st.text(max_size=5) | st.builds(object),
    kind=st.sampled_from([*ErrorKind, "odd"]),
)
def test_an_envelope_of_wrong_types_is_written_too(
    wire_format: WireFormat,
    fields: dict[str, Any],
    meta: dict[str, Any],
    value: Any,
    kind: Any,
) -> None:
    broken = ErrorMessageMeta(**{"message_id": "m", **meta})
    sent = task_envelope(
        original_message=ErrorMessage(payload=Anything(value), meta=broken),
        transport=broken,
        kind=kind,
        **fields,
    )
    _, written_value, headers = EnvelopeEncoder(wire_format).encode(sent)
    assert written_value
    assert dict(headers or [])["x-error-kind"]


@pytest.mark.parametrize(
    "value", [None, b"", b"  ", b"{", b"{}", b"\x81\xa4kind\xa4task", b"\x80", b"\xc1", b"[]", b"5"]
)
def test_what_is_no_envelope_is_refused(value: bytes | None) -> None:
    with pytest.raises(EnvelopeDecodeError):
        decode_envelope(value, None)


def test_a_plain_record_is_recognised_by_its_headers() -> None:
    with pytest.raises(
        EnvelopeDecodeError, match="no x-error-kind header, so it may be no envelope"
    ):
        decode_envelope(b'{"order_id": "a"}', [("tenant", b"north")])
