"""Contract, observability rows: the runtime, its events and scopes, ``generate_trace_id``."""

from __future__ import annotations

from contextlib import closing
from urllib.request import urlopen

import pytest
import structlog
from structlog.testing import capture_logs

from loom_runtime import (
    EventKind,
    LifecycleEvent,
    LifecycleStatus,
    ObservabilityConfig,
    ObservabilityRuntime,
    Scope,
    generate_trace_id,
)
from loom_runtime.observability import PrometheusSettings


def test_observability_noop_listens_to_nothing() -> None:
    assert not ObservabilityRuntime.noop().active


def test_observability_from_config() -> None:
    assert ObservabilityRuntime.from_config(ObservabilityConfig()).active


def test_observability_span_takes_scope_name_and_meta() -> None:
    events: list[LifecycleEvent] = []
    runtime = ObservabilityRuntime.noop()
    runtime.add_observer(events.append)
    with runtime.span(Scope.FLOW, "orders", run_id="r", node_count=4):
        pass
    assert [event.kind for event in events] == [EventKind.START, EventKind.END]
    assert all(event.meta == {"run_id": "r", "node_count": 4} for event in events)


def test_observability_emit_reaches_observers() -> None:
    events: list[LifecycleEvent] = []
    event = LifecycleEvent.start(scope=Scope.READ, name="orders")
    ObservabilityRuntime([events.append]).emit(event)
    assert events == [event]


def test_observability_scrape_server_is_on_loopback_unless_configured_otherwise() -> None:
    config = ObservabilityConfig(prometheus=PrometheusSettings(enabled=True, port=0))
    assert config.prometheus.bind_address == "127.0.0.1"
    runtime = ObservabilityRuntime.from_config(config)
    port = runtime.start_scrape_server()
    try:
        with closing(urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10)) as response:
            assert response.status == 200
    finally:
        runtime.close()


def test_observability_lifecycle_event_fields() -> None:
    assert LifecycleEvent.__struct_fields__ == (
        "scope",
        "name",
        "kind",
        "trace_id",
        "correlation_id",
        "id",
        "duration_ms",
        "status",
        "error",
        "meta",
    )


def test_observability_event_kinds_are_start_end_and_error() -> None:
    assert [kind.value for kind in EventKind] == ["start", "end", "error"]
    price = {"scope": Scope.NODE, "name": "price"}
    ids = {"trace_id": "t", "correlation_id": "c", "id": "i", "meta": {"m": 1}}
    start = LifecycleEvent.start(**price, **ids)  # type: ignore[arg-type]
    end = LifecycleEvent.end(**price, **ids, duration_ms=1.5)  # type: ignore[arg-type]
    error = LifecycleEvent.exception(
        **price,  # type: ignore[arg-type]
        **ids,  # type: ignore[arg-type]
        duration_ms=1.5,
        error="no",
    )
    assert [event.kind for event in (start, end, error)] == list(EventKind)
    assert [event.status for event in (start, end, error)] == [
        None,
        LifecycleStatus.SUCCESS,
        LifecycleStatus.FAILURE,
    ]
    assert error.error == "no"


def test_observability_statuses_are_success_and_failure() -> None:
    assert [status.value for status in LifecycleStatus] == ["success", "failure"]


def test_observability_scopes() -> None:
    assert {scope.value for scope in Scope} >= {
        "poll_cycle",
        "flow",
        "node",
        "batch_collect",
        "transport",
        "read",
        "write",
        "terminal",
    }


def test_observability_events_are_frozen() -> None:
    event = LifecycleEvent.start(scope=Scope.READ, name="orders")
    with pytest.raises(AttributeError):
        event.name = "other"  # type: ignore[misc]


def test_observability_an_observer_that_raises_is_logged_and_never_stops_the_flow() -> None:
    def broken(event: LifecycleEvent) -> None:
        raise OSError("disk full")

    structlog.reset_defaults()
    runtime = ObservabilityRuntime([broken])
    with capture_logs() as logs, runtime.span(Scope.FLOW, "orders"):
        pass
    assert [str(entry["exc_info"]) for entry in logs] == ["disk full"]


def test_observability_generate_trace_id_gives_32_hex_digits() -> None:
    ids = {generate_trace_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(len(one) == 32 and int(one, 16) for one in ids)
