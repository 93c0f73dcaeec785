"""Payloads and records that the wire tests share."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from loom_runtime.config.kafka import WireFormat
from loom_runtime.errors import ErrorEnvelope, ErrorKind, message_for_envelope
from loom_runtime.message import Message, MessageMeta
from loom_runtime.model import LoomFrozenStruct, LoomStruct
from loom_runtime.wire.decoding import build_decoder
from loom_runtime.wire.records import OutputRecord, RawRecord, WireFailure

FORMATS = list(WireFormat)
HEADER_FORMATS = [WireFormat.JSON, WireFormat.MSGPACK]


class Order(LoomFrozenStruct, frozen=True):
    """The usual payload; the peer knows it under the same name."""

    __loom_message_type__: ClassVar[str] = "shop.order"

    order_id: str
    amount: float
    note: bytes = b""


class Refund(LoomStruct):
    """A second type on the same topic."""

    __loom_message_type__: ClassVar[str] = "shop.refund"

    order_id: str
    reason: str | None = None


class Tree(LoomFrozenStruct, frozen=True):
    """Nests as deep as a test likes."""

    children: list[Tree] = msgspec.field(default_factory=list)


class Anything(LoomFrozenStruct, frozen=True):
    """Holds what a user puts in."""

    value: Any = None


class Picky(LoomFrozenStruct, frozen=True):
    """Raises what a test wants from user code that runs while decoding."""

    raises: str

    def __post_init__(self) -> None:
        """Raise it."""
        if self.raises == "exit":
            raise SystemExit(3)
        raise {"key": KeyError, "zero": ZeroDivisionError}[self.raises](self.raises)


ORDER = Order("o-1", 12.5, b"\x00\xff")


def message(payload: Any = ORDER, **meta: Any) -> Message[Any]:
    """Return a message with a little metadata."""
    return Message(payload=payload, meta=MessageMeta(**{"message_id": "orders:2:41", **meta}))


def task_envelope(payload: Any = ORDER, **fields: Any) -> ErrorEnvelope[Any]:
    """Return the envelope of a payload that failed in a step."""
    failed = message(
        payload,
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
    )
    return ErrorEnvelope(
        **{
            "kind": ErrorKind.TASK,
            "reason": "the price is negative",
            "payload_type": "shop.order",
            "original_message": message_for_envelope(failed),
            "flow": "orders",
            "revision": "r1",
            "node": "price",
            "node_path": (0, 1),
            "exception_type": "builtins.ValueError",
            "traceback": '  File "flow.py", line 3, in execute',
            "attempt": 2,
            **fields,
        }
    )


def raw_record(output: OutputRecord, offset: int = 7, timestamp_ms: int = 1_000) -> RawRecord:
    """Return *output* as it is read back."""
    key, value, headers = output
    return offset, key, value, None if headers is None else list(headers), timestamp_ms


def decoded(wire_format: WireFormat, types: tuple[Any, ...], record: RawRecord) -> Message[Any]:
    """Return the message in *record*."""
    offsets, messages, failures = build_decoder(wire_format, types).decode("orders", 2, [record])
    assert failures == []
    assert offsets == [record[0]]
    return messages[0]


def refused(wire_format: WireFormat, types: tuple[Any, ...], record: RawRecord) -> WireFailure:
    """Return the failure of *record*."""
    decoder = build_decoder(wire_format, types, flow="orders-flow", revision="r1")
    offsets, messages, failures = decoder.decode("orders", 2, [record])
    assert (offsets, messages) == ([], [])
    assert failures[0].offset == record[0]
    return failures[0]


def payload_bytes(wire_format: WireFormat, payload: Any, message_type: str = "shop.order") -> bytes:
    """Return a record's value around *payload*, which may be plain data of any shape."""
    if wire_format is WireFormat.JSON:
        return msgspec.json.encode(payload)
    if wire_format is WireFormat.LOOM:
        descriptor = {"message_type": message_type, "message_version": 1}
        payload = {"meta": {"descriptor": descriptor}, "payload": payload}
    return msgspec.msgpack.encode(payload)
