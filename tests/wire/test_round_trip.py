"""What is written in a format is read back the same, whatever it holds."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loom_runtime.config.kafka import WireFormat
from loom_runtime.errors import (
    ErrorEnvelope,
    ErrorKind,
    ErrorMessage,
    ErrorMessageMeta,
    meta_for_envelope,
)
from loom_runtime.message import Message, MessageMeta
from loom_runtime.model import LoomFrozenStruct
from loom_runtime.wire.decoding import build_decoder
from loom_runtime.wire.encoding import build_encoder
from loom_runtime.wire.envelopes import EnvelopeEncoder, decode_envelope
from loom_runtime.wire.headers import FIELD_BY_HEADER
from loom_runtime.wire.records import RawRecord
from loom_runtime.wire.state import decode_state, encode_state, read_state
from tests.wire.samples import FORMATS

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
INT_64 = st.integers(-(2**63), 2**63 - 1)


class Line(LoomFrozenStruct, frozen=True):
    """A nested struct."""

    sku: str
    quantity: int


class Basket(LoomFrozenStruct, frozen=True):
    """One field of each kind that both JSON and MessagePack can say."""

    name: str
    total: float
    count: int
    paid: bool
    blob: bytes
    lines: list[Line]
    notes: dict[str, str | None]
    parent: str | None = None
    tags: tuple[str, ...] = ()


BASKETS = st.builds(
    Basket,
    name=TEXT,
    total=st.floats(allow_nan=False, allow_infinity=False),
    count=INT_64,
    paid=st.booleans(),
    blob=st.binary(max_size=12),
    lines=st.lists(st.builds(Line, sku=TEXT, quantity=INT_64), max_size=3),
    notes=st.dictionaries(TEXT, st.none() | TEXT, max_size=3),
    parent=st.none() | TEXT,
    tags=st.lists(TEXT, max_size=3).map(tuple),
)
_OWN = {*FIELD_BY_HEADER, "x-error-kind", "x-error-reason", "x-loom-attempt"}
METAS = st.builds(
    MessageMeta,
    message_id=st.just("orders:2:41"),
    # The loom format has no way to say an empty id apart from none.
    correlation_id=st.none() | TEXT.filter(bool),
    trace_id=st.none() | TEXT.filter(bool),
    parent_trace_id=st.none() | TEXT.filter(bool),
    causation_id=st.none() | TEXT.filter(bool),
    produced_at_ms=st.integers(1, 2**53),
    message_version=st.integers(1, 2**31),
    message_type=st.just(Basket.loom_message_type()),
    topic=st.just("orders"),
    partition=st.just(2),
    offset=st.just(41),
    key=st.none() | st.binary(max_size=8),
    headers=st.dictionaries(TEXT.filter(lambda name: name not in _OWN), st.binary(max_size=8)),
)


@pytest.mark.parametrize("wire_format", FORMATS)
@settings(deadline=None)
@given(sent=st.lists(st.builds(Message, payload=BASKETS, meta=METAS), max_size=4))
def test_messages(wire_format: WireFormat, sent: list[Message[Any]]) -> None:
    outputs = build_encoder(wire_format, Basket).encode(sent)
    records: list[RawRecord] = [
        (41, key, value, None if headers is None else list(headers), each.meta.produced_at_ms or 0)
        for each, (key, value, headers) in zip(sent, outputs, strict=True)
    ]
    decoder = build_decoder(wire_format, (Basket,))
    offsets, received, failures = decoder.decode("orders", 2, records)
    assert (offsets, failures) == ([41] * len(sent), [])
    assert received == sent


@pytest.mark.parametrize("wire_format", FORMATS)
@settings(deadline=None)
@given(
    payload=BASKETS,
    meta=METAS,
    kind=st.sampled_from([kind for kind in ErrorKind if kind is not ErrorKind.WIRE]),
    reason=TEXT,
    node_path=st.lists(st.integers(0, 99), max_size=4).map(tuple),
    attempt=st.integers(1, 99),
)
def test_envelopes(
    wire_format: WireFormat,
    payload: Basket,
    meta: MessageMeta,
    kind: ErrorKind,
    reason: str,
    node_path: tuple[int, ...],
    attempt: int,
) -> None:
    sent: ErrorEnvelope[Basket] = ErrorEnvelope(
        kind=kind,
        reason=reason,
        payload_type=Basket.loom_message_type(),
        original_message=ErrorMessage(payload=payload, meta=meta_for_envelope(meta)),
        flow="flow",
        node="node",
        node_path=node_path,
        attempt=attempt,
    )
    key, value, headers = EnvelopeEncoder(wire_format).encode(sent)
    assert key == meta.key
    assert decode_envelope(value, headers, Basket) == sent
    plain = decode_envelope(value, headers)
    assert plain.original_message is not None
    assert (
        msgspec.convert(
            plain.original_message.payload,
            Basket,
            builtin_types=[] if wire_format is WireFormat.JSON else [bytes],
        )
        == payload
    )


@pytest.mark.parametrize("wire_format", FORMATS)
@settings(deadline=None)
@given(raw=st.none() | st.binary(max_size=40), meta=METAS, reason=TEXT)
def test_wire_envelopes(
    wire_format: WireFormat, raw: bytes | None, meta: MessageMeta, reason: str
) -> None:
    transport: ErrorMessageMeta = meta_for_envelope(meta)
    sent: ErrorEnvelope[Basket] = ErrorEnvelope(
        kind=ErrorKind.WIRE, reason=reason, raw=raw, transport=transport
    )
    _, value, headers = EnvelopeEncoder(wire_format).encode(sent)
    assert decode_envelope(value, headers) == sent


@settings(deadline=None)
@given(state=BASKETS)
def test_state(state: Basket) -> None:
    blob = encode_state(state, "shop.basket")
    assert decode_state(blob, Basket) == state
    assert read_state(blob) == msgspec.to_builtins(state, builtin_types=[bytes]) | {
        "tags": list(state.tags)
    }
