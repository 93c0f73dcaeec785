"""What user code returned, as messages; what it may not return is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any

import msgspec

from loom_runtime.execution.outcome import Messages
from loom_runtime.message import Message, MessageMeta
from loom_runtime.model import message_type_of

_TAKEN_APART = (str, bytes, bytearray, Mapping, msgspec.Struct)
"""Iterables that mean something else when they are taken apart."""


def as_message(value: Any, source: Message[Any]) -> Message[Any]:
    """Return what a step gave for *source* as a message.

    A payload gets the metadata of *source*. A message keeps its own; where that is empty, and for
    topic, partition and offset always, the source's stands: an output comes from where its record
    was read, whatever its step says.

    Raises:
        TypeError: When the value is neither.
    """
    if isinstance(value, Message):
        return value if value is source else _with_transport(value, source)
    if not isinstance(value, msgspec.Struct):
        raise TypeError(
            f"the step returned {_described(value)}; it must return a LoomStruct or a Message"
            + ("; to filter records, use an ExpandStep" if value is None else "")
        )
    return Message(payload=value, meta=source.meta)


def as_messages(values: Any, source: Message[Any]) -> Messages:
    """Return what an expanding step gave for *source*.

    Raises:
        TypeError: When it is no iterable of payloads and messages.
    """
    return [as_message(value, source) for value in _iterable(values, "an iterable")]


def one_each(values: Any, sources: Sequence[Message[Any]]) -> Messages:
    """Return what a batch step gave: one output for each of *sources*.

    Raises:
        TypeError: When it is no sequence, or of another length.
    """
    listed = _listed(values, len(sources))
    return [as_message(value, source) for value, source in zip(listed, sources, strict=True)]


def lists_each(values: Any, sources: Sequence[Message[Any]]) -> list[Messages]:
    """Return what a batch expansion gave: a list of payloads for each of *sources*.

    Raises:
        TypeError: When it is no sequence of such lists, or of another length.
    """
    listed = _listed(values, len(sources))
    return [
        [_plain_payload(value, source) for value in _iterable(of_source, "one list per message")]
        for of_source, source in zip(listed, sources, strict=True)
    ]


def expanded_rows(
    expand: Callable[[Any], Any], message: Message[Any]
) -> list[tuple[type, Message[Any]]]:
    """Return the rows that an expander makes of *message*, each with the type it stands under.

    Raises:
        TypeError: When the expander gives no mapping of types to rows of that type.
    """
    by_type = expand(message.payload)
    if not isinstance(by_type, Mapping):
        raise TypeError(f"expand returned {_described(by_type)}; it must return a dict")
    rows: list[tuple[type, Message[Any]]] = []
    for row_type, values in by_type.items():
        if not isinstance(row_type, type):
            raise TypeError(f"expand gave rows under {row_type!r}, which is no type")
        meta = msgspec.structs.replace(
            message.meta, message_type=message_type_of(row_type), message_version=None
        )
        if isinstance(values, _TAKEN_APART) or not isinstance(values, Iterable):
            raise TypeError(f"expand gave {_described(values)} under {row_type.__qualname__}")
        for value in values:
            if not (isinstance(value, row_type) and isinstance(value, msgspec.Struct)):
                raise TypeError(f"expand gave {_described(value)} under {row_type.__qualname__}")
            rows.append((row_type, Message(payload=value, meta=meta)))
    return rows


def _with_transport(message: Message[Any], source: Message[Any]) -> Message[Any]:
    payload, meta, origin = message.payload, message.meta, source.meta
    if not isinstance(payload, msgspec.Struct) or not isinstance(meta, MessageMeta):
        raise TypeError(
            f"the step returned a Message of {_described(payload)} with {_described(meta)}; "
            "it must hold a LoomStruct and a MessageMeta"
        )
    if meta is origin:
        return message
    traced = meta.trace_id is not None or meta.parent_trace_id is not None
    return Message(
        payload=payload,
        meta=MessageMeta(
            message_id=meta.message_id,
            correlation_id=_or(meta.correlation_id, origin.correlation_id),
            trace_id=meta.trace_id if traced else origin.trace_id,
            parent_trace_id=meta.parent_trace_id if traced else origin.parent_trace_id,
            causation_id=_or(meta.causation_id, origin.causation_id),
            produced_at_ms=_or(meta.produced_at_ms, origin.produced_at_ms),
            message_type=_or(meta.message_type, message_type_of(type(payload))),
            message_version=meta.message_version,
            topic=origin.topic,
            partition=origin.partition,
            offset=origin.offset,
            key=_or(meta.key, origin.key),
            headers=meta.headers or origin.headers,
        ),
    )


def _or(given: Any, otherwise: Any) -> Any:
    return otherwise if given is None else given


def _listed(values: Any, expected: int) -> list[Any]:
    if isinstance(values, Set):
        raise TypeError("the step returned a set, which has no order; it must return a sequence")
    listed = list(_iterable(values, "a sequence"))
    if len(listed) != expected:
        raise TypeError(f"the step returned {len(listed)} results for {expected} messages")
    return listed


def _iterable(values: Any, wanted: str) -> Iterable[Any]:
    if isinstance(values, _TAKEN_APART) or not isinstance(values, Iterable):
        raise TypeError(f"the step returned {_described(values)}; it must return {wanted}")
    return values


def _plain_payload(value: Any, source: Message[Any]) -> Message[Any]:
    if isinstance(value, Message):
        raise TypeError("a batch expansion returns payloads, not Messages")
    return as_message(value, source)


def _described(value: Any) -> str:
    return "None" if value is None else f"a {type(value).__qualname__}"
