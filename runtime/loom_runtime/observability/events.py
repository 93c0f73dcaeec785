"""Lifecycle events: something began, ended or failed."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from loom_runtime.model import LoomFrozenStruct


class Scope(StrEnum):
    """What an event is about."""

    POLL_CYCLE = "poll_cycle"
    FLOW = "flow"
    NODE = "node"
    BATCH_COLLECT = "batch_collect"
    TRANSPORT = "transport"
    READ = "read"
    WRITE = "write"
    TERMINAL = "terminal"


class EventKind(StrEnum):
    """What happened."""

    START = "start"
    END = "end"
    ERROR = "error"


class LifecycleStatus(StrEnum):
    """How it ended."""

    SUCCESS = "success"
    FAILURE = "failure"


class LifecycleEvent(LoomFrozenStruct, frozen=True):
    """Something began, ended or failed.

    Attributes:
        scope: What it is about.
        name: Name of the flow, node, topic or operation.
        kind: Whether it began, ended or failed.
        trace_id: Trace that it belongs to, 32 hex digits.
        correlation_id: Business interaction that it belongs to.
        id: Identity of the thing; the events of one span share theirs.
        duration_ms: How long it took, milliseconds; ``None`` where it has only begun.
        status: How it ended; ``None`` where it has only begun.
        error: Text of the failure.
        meta: Whatever else is known.
    """

    scope: Scope
    name: str
    kind: EventKind
    trace_id: str | None = None
    correlation_id: str | None = None
    id: str | None = None
    duration_ms: float | None = None
    status: LifecycleStatus | None = None
    error: str | None = None
    meta: dict[str, Any] = msgspec.field(default_factory=dict)

    @classmethod
    def start(
        cls,
        *,
        scope: Scope,
        name: str,
        trace_id: str | None = None,
        correlation_id: str | None = None,
        id: str | None = None,  # noqa: A002 - the contract's name
        meta: Mapping[str, Any] | None = None,
    ) -> LifecycleEvent:
        """Return the event of a beginning."""
        return cls(
            scope=scope,
            name=name,
            kind=EventKind.START,
            trace_id=trace_id,
            correlation_id=correlation_id,
            id=id,
            meta=dict(meta or {}),
        )

    @classmethod
    def end(
        cls,
        *,
        scope: Scope,
        name: str,
        trace_id: str | None = None,
        correlation_id: str | None = None,
        id: str | None = None,  # noqa: A002 - the contract's name
        duration_ms: float | None = None,
        status: LifecycleStatus = LifecycleStatus.SUCCESS,
        meta: Mapping[str, Any] | None = None,
    ) -> LifecycleEvent:
        """Return the event of an end."""
        return cls(
            scope=scope,
            name=name,
            kind=EventKind.END,
            trace_id=trace_id,
            correlation_id=correlation_id,
            id=id,
            duration_ms=duration_ms,
            status=status,
            meta=dict(meta or {}),
        )

    @classmethod
    def exception(
        cls,
        *,
        scope: Scope,
        name: str,
        trace_id: str | None = None,
        correlation_id: str | None = None,
        id: str | None = None,  # noqa: A002 - the contract's name
        duration_ms: float | None = None,
        error: str | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> LifecycleEvent:
        """Return the event of a failure; its status is ``failure``."""
        return cls(
            scope=scope,
            name=name,
            kind=EventKind.ERROR,
            trace_id=trace_id,
            correlation_id=correlation_id,
            id=id,
            duration_ms=duration_ms,
            status=LifecycleStatus.FAILURE,
            error=error,
            meta=dict(meta or {}),
        )
