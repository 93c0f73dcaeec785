"""Records that a node holds, as they are kept in the recovery store: readable without user code."""

from __future__ import annotations

from typing import Any

import msgspec

from loom_runtime.execution.payload_types import payload_type, payload_type_name
from loom_runtime.message import Message, MessageMeta

_ENCODER = msgspec.msgpack.Encoder()


class HeldRecord(msgspec.Struct, kw_only=True):
    """One held record.

    Attributes:
        offset: Its source offset.
        type: Name of its payload's type; see :mod:`loom_runtime.execution.payload_types`.
        payload: The payload, MessagePack.
        meta: Its metadata, MessagePack: a key is bytes or text, which msgspec cannot tell by type.
    """

    offset: int
    type: str
    payload: msgspec.Raw
    meta: msgspec.Raw


def held_record(offset: int, message: Message[Any]) -> HeldRecord:
    """Return *message* in the form in which the store keeps it."""
    return HeldRecord(
        offset=offset,
        type=payload_type_name(message.payload),
        payload=msgspec.Raw(_ENCODER.encode(message.payload)),
        meta=msgspec.Raw(_ENCODER.encode(message.meta)),
    )


def restored(record: HeldRecord) -> tuple[int, Message[Any]]:
    """Return the offset and message that :func:`held_record` was given.

    Raises:
        LookupError: When the payload's class is not there any more.
        msgspec.ValidationError: When the payload does not fit its class any more.
    """
    payload = msgspec.msgpack.decode(record.payload, type=payload_type(record.type))
    meta = MessageMeta(**msgspec.msgpack.decode(record.meta))
    return record.offset, Message(payload=payload, meta=meta)
