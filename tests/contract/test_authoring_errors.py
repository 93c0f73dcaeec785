"""Contract, authoring rows on error kinds and envelopes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from loom_runtime import (
    DomainError,
    ErrorEnvelope,
    ErrorKind,
    ErrorMessage,
    ErrorMessageMeta,
    LoomFrozenStruct,
)


class Order(LoomFrozenStruct, frozen=True):
    id: str


def test_error_kind_is_wire_routing_task_and_business() -> None:
    assert {kind.value for kind in ErrorKind} == {"wire", "routing", "task", "business"}
    assert issubclass(DomainError, Exception)


ENVELOPE = ErrorEnvelope(
    kind=ErrorKind.TASK,
    reason="division by zero",
    payload_type="shop.Order",
    original_message=ErrorMessage(
        payload=Order("1"), meta=ErrorMessageMeta(message_id="orders:0:7", key=b"k")
    ),
    flow="pricing",
    revision="r1",
    node="Price",
    node_path=(0, 1, 2),
    exception_type="builtins.ZeroDivisionError",
    traceback="File …",
    attempt=2,
)


@pytest.mark.parametrize("codec", [msgspec.json, msgspec.msgpack])
def test_error_envelope_carries_what_failed_where_and_why(codec: Any) -> None:
    data = codec.encode(ENVELOPE)
    assert codec.decode(data, type=ErrorEnvelope[Order]) == ENVELOPE


class PeerMeta(msgspec.Struct, frozen=True):
    """The fields of an envelope's metadata that the peer knows."""

    message_id: str
    correlation_id: str | None = None
    trace_id: str | None = None
    key: bytes | None = None


class PeerMessage(msgspec.Struct, frozen=True):
    payload: Order
    meta: PeerMeta


class PeerEnvelope(msgspec.Struct, frozen=True):
    """The fields of an envelope that the peer knows, in its own types."""

    kind: ErrorKind
    reason: str
    payload_type: str | None = None
    original_message: PeerMessage | None = None


@pytest.mark.parametrize("codec", [msgspec.json, msgspec.msgpack])
def test_error_envelope_fields_of_our_own_do_not_break_the_peer(codec: Any) -> None:
    read = codec.decode(codec.encode(ENVELOPE), type=PeerEnvelope)
    assert (read.kind, read.reason) == (ErrorKind.TASK, "division by zero")
    assert read.original_message is not None
    assert read.original_message.payload == Order("1")


@pytest.mark.parametrize("codec", [msgspec.json, msgspec.msgpack])
def test_error_envelope_of_the_peer_is_read_by_us(codec: Any) -> None:
    written = PeerEnvelope(ErrorKind.BUSINESS, "no stock", "shop.Order")
    read = codec.decode(codec.encode(written), type=ErrorEnvelope[Order])
    assert (read.kind, read.reason, read.attempt) == (ErrorKind.BUSINESS, "no stock", 1)
