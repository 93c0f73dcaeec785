"""Turns what a run tells its observers into frames for the bench."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from loom_bench.host.outbox import Failed, Outbox
from loom_bench.protocol.frames import ErrorGroup, Plain, SeenEvent
from loom_bench.protocol.measurements import SeenCommit
from loom_runtime.observability import EventKind, LifecycleEvent, Scope
from loom_runtime.tracing.fingerprint import fingerprint

_MAX_TEXT = 2_000
"""Longest text of an event, in characters: a payload in an exception's text may be megabytes."""

_MAX_REMEMBERED = 20_000
"""Longest traceback whose fingerprint is remembered, in characters."""


class Telemetry:
    """Observes a run.

    Args:
        outbox: Where frames go.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def observe(self, event: LifecycleEvent) -> None:
        """Take an event; a failed record is counted in its group too."""
        at_ms = time.time_ns() // 1_000_000
        self._outbox.event((event.name, event.scope, event.kind), lambda: _seen(event, at_ms))
        if event.scope is Scope.NODE and event.kind is EventKind.ERROR:
            meta, found = event.meta, _fingerprint(event)
            failed = Failed(at_ms, meta.get("topic"), meta.get("partition"), meta.get("offset"))
            self._outbox.failure(found, failed, lambda: error_group(event, found, at_ms))
        elif event.scope is Scope.TRANSPORT and event.name == "commit":
            self._outbox.commit(
                SeenCommit(
                    at_ms=at_ms,
                    topic=event.meta["topic"],
                    partition=event.meta["partition"],
                    offset=event.meta["offset"],
                    problem=_cut(event.error),
                )
            )


def _seen(event: LifecycleEvent, at_ms: int) -> SeenEvent:
    return SeenEvent(
        scope=event.scope.value,
        name=event.name,
        kind=event.kind.value,
        at_ms=at_ms,
        trace_id=event.trace_id,
        duration_ms=event.duration_ms,
        status=None if event.status is None else event.status.value,
        error=_cut(event.error),
        meta=_plain(event.meta),
    )


def _fingerprint(event: LifecycleEvent) -> str:
    meta = event.meta
    trace = meta.get("traceback")
    find = _known_fingerprint if trace and len(trace) <= _MAX_REMEMBERED else fingerprint
    return find(
        kind=str(meta.get("kind") or ""),
        node=str(meta.get("node") or ""),
        exception_type=str(meta.get("exception_type") or ""),
        traceback=trace,
        # Its text stands in only where there are no frames.
        reason="" if trace else event.error or "",
    )


_known_fingerprint = lru_cache(maxsize=256)(fingerprint)
"""A flow that fails at every hundredth record fails at the same place."""


def error_group(event: LifecycleEvent, found: str, at_ms: int) -> ErrorGroup:
    """Return the group that a failed record belongs to, with a count of 1.

    Args:
        event: The failure.
        found: Its fingerprint.
        at_ms: When, milliseconds since the Unix epoch.
    """
    meta = event.meta
    return ErrorGroup(
        fingerprint=found,
        kind=str(meta.get("kind") or ""),
        node=str(meta.get("node") or "") or event.name,
        exception_type=str(meta.get("exception_type") or ""),
        reason=_cut(event.error or "") or "",
        count=1,
        first_ms=at_ms,
        last_ms=at_ms,
        topic=meta.get("topic"),
        partition=meta.get("partition"),
        offset=meta.get("offset"),
        traceback=_cut(meta.get("traceback")),
    )


def _plain(meta: Mapping[str, Any]) -> dict[str, Plain]:
    return {
        str(key): value
        if value is None or isinstance(value, int | float | bool)
        else _cut(value if isinstance(value, str) else str(value))
        for key, value in meta.items()
    }


def _cut(text: str | None) -> str | None:
    """Return *text* of bounded length, in a form that UTF-8 can carry."""
    if text is None:
        return None
    kept = text if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + "…"
    return kept.encode("utf-8", "backslashreplace").decode()
