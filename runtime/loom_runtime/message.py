"""One typed event and the metadata that travels with it."""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

from loom_runtime.model import LoomFrozenStruct, LoomStruct

PayloadT_co = TypeVar("PayloadT_co", bound=LoomStruct | LoomFrozenStruct, covariant=True)


class MessageMeta(LoomFrozenStruct, frozen=True, kw_only=True, gc=False):
    """Transport metadata of one event.

    Attributes:
        message_id: Identity of the event; ``topic:partition:offset`` when it came from Kafka.
        correlation_id: Identity of the business interaction that the event belongs to.
        trace_id: Trace that the event belongs to, 32 hex digits.
        parent_trace_id: Trace that caused this one.
        causation_id: ``message_id`` of the event that caused this one.
        produced_at_ms: When the event was produced, milliseconds since the Unix epoch.
        message_type: Stable name of the payload type.
        message_version: Version of the payload type.
        topic: Topic that the event was read from.
        partition: Partition that the event was read from.
        offset: Offset that the event was read at.
        key: Record key.
        headers: Record headers that have no field of their own here.
    """

    message_id: str
    correlation_id: str | None = None
    trace_id: str | None = None
    parent_trace_id: str | None = None
    causation_id: str | None = None
    produced_at_ms: int | None = None
    message_type: str | None = None
    message_version: int | None = None
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    key: bytes | str | None = None
    headers: dict[str, bytes] = msgspec.field(default_factory=dict)


class Message(LoomFrozenStruct, Generic[PayloadT_co], frozen=True, kw_only=True, gc=False):
    """One typed event.

    Attributes:
        payload: The event itself.
        meta: Where it came from and what it belongs to.
    """

    payload: PayloadT_co
    meta: MessageMeta
