"""Records that a node holds, as they are kept in the recovery store: readable without user code."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import msgspec

from loom_runtime.message import Message, MessageMeta

_ENCODER = msgspec.msgpack.Encoder()


class HeldRecord(msgspec.Struct, kw_only=True):
    """One held record.

    Attributes:
        offset: Its source offset.
        type: ``module:qualname`` of its payload's class.
        payload: The payload, MessagePack.
        meta: Its metadata, MessagePack: a key is bytes or text, which msgspec cannot tell by type.
    """

    offset: int
    type: str
    payload: msgspec.Raw
    meta: msgspec.Raw


def held_record(offset: int, message: Message[Any]) -> HeldRecord:
    """Return *message* in the form in which the store keeps it."""
    cls = type(message.payload)
    return HeldRecord(
        offset=offset,
        type=f"{cls.__module__}:{cls.__qualname__}",
        payload=msgspec.Raw(_ENCODER.encode(message.payload)),
        meta=msgspec.Raw(_ENCODER.encode(message.meta)),
    )


def restored(record: HeldRecord) -> tuple[int, Message[Any]]:
    """Return the offset and message that :func:`held_record` was given.

    Raises:
        LookupError: When the payload's class is not there any more.
        msgspec.ValidationError: When the payload does not fit its class any more.
    """
    payload = msgspec.msgpack.decode(record.payload, type=_class_named(record.type))
    meta = MessageMeta(**msgspec.msgpack.decode(record.meta))
    return record.offset, Message(payload=payload, meta=meta)


def _class_named(name: str) -> Any:
    module_name, _, qualname = name.partition(":")
    try:
        found: Any = sys.modules.get(module_name) or import_module(module_name)
        for part in qualname.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise LookupError(f"a held record is of {name}, which cannot be found any more") from error
    if not (isinstance(found, type) and issubclass(found, msgspec.Struct)):
        raise LookupError(f"a held record is of {name}, which is no struct")  # noqa: TRY004
    return found
