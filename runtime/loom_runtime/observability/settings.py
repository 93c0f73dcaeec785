"""The ``observability`` section: logs of lifecycle events and the Prometheus scrape server."""

from __future__ import annotations

import msgspec

from loom_runtime.model import LoomFrozenStruct
from loom_runtime.observability.events import Scope


class LogSettings(LoomFrozenStruct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Lifecycle events as log lines.

    Attributes:
        enabled: Whether they are logged.
        scopes: Scopes whose events are logged. The others can be as many as batches and failed
            records.
    """

    enabled: bool = True
    scopes: tuple[Scope, ...] = (Scope.POLL_CYCLE, Scope.FLOW)


class PrometheusSettings(LoomFrozenStruct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The scrape server.

    Attributes:
        enabled: Whether it is started with a run.
        port: Port to listen on; 0 takes a free one. The default is the one that OpenTelemetry's
            Prometheus exporters listen on.
        bind_address: Address to listen on: loopback unless configured otherwise.
    """

    enabled: bool = False
    port: int = 9464
    bind_address: str = "127.0.0.1"

    def __post_init__(self) -> None:
        """Refuse a port that is none."""
        if not 0 <= self.port <= 65_535:
            raise ValueError(f"port is {self.port}; ports are 0 to 65535")


class ObservabilityConfig(LoomFrozenStruct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole section.

    Attributes:
        log: Lifecycle events as log lines.
        prometheus: The scrape server.
    """

    log: LogSettings = msgspec.field(default_factory=LogSettings)
    prometheus: PrometheusSettings = msgspec.field(default_factory=PrometheusSettings)
