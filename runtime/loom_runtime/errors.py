"""What a record becomes when it fails: error kinds and envelopes."""

from __future__ import annotations

from enum import StrEnum
from typing import Generic, TypeVar

import msgspec

from loom_runtime.message import Message, MessageMeta
from loom_runtime.model import LoomFrozenStruct, LoomStruct

PayloadT_co = TypeVar("PayloadT_co", bound=LoomStruct | LoomFrozenStruct, covariant=True)


class DomainError(Exception):
    """Raised by a step for a failure that the business knows; its envelope's kind is business."""


class ErrorKind(StrEnum):
    """Where a record failed.

    ``wire``: it did not decode. ``routing``: no branch could be chosen for it, or it came too late
    for its window. ``task``: a step raised. ``business``: a step raised a :class:`DomainError`.
    """

    WIRE = "wire"
    ROUTING = "routing"
    TASK = "task"
    BUSINESS = "business"


class ErrorMessageMeta(LoomFrozenStruct, frozen=True, kw_only=True):
    """:class:`~loom_runtime.message.MessageMeta` as an envelope carries it: the key is bytes."""

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
    key: bytes | None = None
    headers: dict[str, bytes] = msgspec.field(default_factory=dict)


class ErrorMessage(LoomFrozenStruct, Generic[PayloadT_co], frozen=True, kw_only=True):
    """The failed message as an envelope carries it.

    Attributes:
        payload: The payload as it entered the failing node; of a mutable one, with whatever the
            node had changed in it when it failed.
        meta: Its metadata.
    """

    payload: PayloadT_co
    meta: ErrorMessageMeta


class ErrorEnvelope(LoomFrozenStruct, Generic[PayloadT_co], frozen=True):
    """One record's failure, complete enough to be understood and redriven.

    Attributes:
        kind: Where it failed.
        reason: The exception's text.
        payload_type: Stable type name of the original payload.
        original_message: The message that failed; ``None`` when it never decoded.
        flow: Name of the flow.
        revision: Revision of the flow's code that failed, when one is known.
        node: Name of the failing node.
        node_path: Path of the failing node in the compiled plan.
        exception_type: ``module.qualname`` of the exception.
        traceback: The exception's traceback, frames of the user's code only.
        attempt: 1 for a record's first failure, one more for each redrive.
        raw: The record's value as it was read, when it never decoded.
        transport: The record's metadata, when it never decoded.
    """

    kind: ErrorKind
    reason: str
    payload_type: str | None = None
    original_message: ErrorMessage[PayloadT_co] | None = None
    flow: str | None = None
    revision: str | None = None
    node: str | None = None
    node_path: tuple[int, ...] = ()
    exception_type: str | None = None
    traceback: str | None = None
    attempt: int = 1
    raw: bytes | None = None
    transport: ErrorMessageMeta | None = None


def meta_for_envelope(meta: MessageMeta) -> ErrorMessageMeta:
    """Return *meta* in the form that an envelope carries."""
    key = meta.key
    if isinstance(key, str):
        key = key.encode("utf-8", "backslashreplace")
    return ErrorMessageMeta(
        message_id=meta.message_id,
        correlation_id=meta.correlation_id,
        trace_id=meta.trace_id,
        parent_trace_id=meta.parent_trace_id,
        causation_id=meta.causation_id,
        produced_at_ms=meta.produced_at_ms,
        message_type=meta.message_type,
        message_version=meta.message_version,
        topic=meta.topic,
        partition=meta.partition,
        offset=meta.offset,
        key=key,
        headers=meta.headers,
    )


def message_for_envelope(message: Message[PayloadT_co]) -> ErrorMessage[PayloadT_co]:
    """Return *message* in the form that an envelope carries."""
    return ErrorMessage(payload=message.payload, meta=meta_for_envelope(message.meta))
