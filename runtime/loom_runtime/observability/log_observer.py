"""Lifecycle events as structured log lines."""

from __future__ import annotations

from typing import Any

import structlog

from loom_runtime.observability.events import EventKind, LifecycleEvent


class LogObserver:
    """Logs every event it is told: failures as errors, the rest as information."""

    def __init__(self) -> None:
        """Log under the name of the runtime's observability package."""
        self._log: Any = structlog.get_logger("loom_runtime.observability")

    def __call__(self, event: LifecycleEvent) -> None:
        """Log *event*, what it has of trace, duration and error included."""
        write = self._log.error if event.kind is EventKind.ERROR else self._log.info
        fields = {
            field: value
            for field in ("trace_id", "correlation_id", "id", "duration_ms", "status", "error")
            if (value := getattr(event, field)) is not None
        }
        if event.meta:
            fields["meta"] = event.meta
        write(f"{event.scope.value} {event.kind.value}", name=event.name, **fields)
