"""Turns a record that did not decode into a wire failure."""

from __future__ import annotations

from typing import Any

from loom_runtime.errors import ErrorEnvelope, ErrorKind, ErrorMessageMeta
from loom_runtime.wire.error_text import reason_text
from loom_runtime.wire.headers import attempt_number, salvage_headers
from loom_runtime.wire.records import RawRecord, WireFailure


class DecodingError(ValueError):
    """A record cannot become a message, for a reason that is not in its bytes' syntax."""


class TombstoneError(DecodingError):
    """A record has no value."""


class UnknownMessageTypeError(DecodingError):
    """A record's message type is missing or none of the declared ones."""


class FailureMaker:
    """Makes the wire failures of one source.

    Args:
        flow: Name of the flow; ``None`` when the caller fills it in.
        revision: Revision of the flow's code; ``None`` when unknown.
        payload_type: Message type that a record has when it doesn't say; ``None`` when several
            are possible.
    """

    __slots__ = ("_flow", "_payload_type", "_revision")

    def __init__(self, flow: str | None, revision: str | None, payload_type: str | None) -> None:
        self._flow = flow
        self._revision = revision
        self._payload_type = payload_type

    def failure(
        self, topic: str, partition: int, record: RawRecord, error: BaseException
    ) -> WireFailure:
        """Return the failure of *record*, which *error* kept from becoming a message."""
        offset, key, value, headers, timestamp_ms = record
        if value is None:
            error = TombstoneError(
                "the record has no value (a tombstone); only compaction reads those"
            )
        fields, rest = salvage_headers(headers) if headers else ({}, {})
        envelope: ErrorEnvelope[Any] = ErrorEnvelope(
            kind=ErrorKind.WIRE,
            reason=reason_text(error),
            payload_type=fields.get("message_type", self._payload_type),
            flow=self._flow,
            revision=self._revision,
            exception_type=f"{type(error).__module__}.{type(error).__qualname__}",
            attempt=attempt_number(rest),
            raw=value,
            transport=ErrorMessageMeta(
                message_id=f"{topic}:{partition}:{offset}",
                produced_at_ms=timestamp_ms if timestamp_ms > 0 else None,
                topic=topic,
                partition=partition,
                offset=offset,
                key=key,
                headers=rest,
                **fields,
            ),
        )
        # The frames of the decoder hold the batch, and the batch would hold them.
        return WireFailure(offset, envelope, error.with_traceback(None))
