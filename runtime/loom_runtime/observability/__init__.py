"""What a run tells about itself: lifecycle events, metrics and the logs they become."""

from __future__ import annotations

from loom_runtime.observability.events import EventKind, LifecycleEvent, LifecycleStatus, Scope
from loom_runtime.observability.metrics import NodeMetrics, PartitionMetrics, RunMetrics
from loom_runtime.observability.runtime import LifecycleObserver, ObservabilityRuntime, Span
from loom_runtime.observability.settings import (
    LogSettings,
    ObservabilityConfig,
    PrometheusSettings,
)

__all__ = [
    "EventKind",
    "LifecycleEvent",
    "LifecycleObserver",
    "LifecycleStatus",
    "LogSettings",
    "NodeMetrics",
    "ObservabilityConfig",
    "ObservabilityRuntime",
    "PartitionMetrics",
    "PrometheusSettings",
    "RunMetrics",
    "Scope",
    "Span",
]
