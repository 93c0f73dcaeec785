"""Contract, running: what a run tells and releases however it ends, and running again."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from structlog.testing import capture_logs

from loom_runtime import (
    BytewaxRuntimeConfig,
    ConfigContext,
    EventKind,
    LifecycleEvent,
    LifecycleStatus,
    ObservabilityRuntime,
    Scope,
    StreamingRunner,
)
from loom_runtime.failures import ClientSettingsError, RunError, UnroutedErrorError
from loom_runtime.observability import PrometheusSettings
from tests.delivery.checks import ids
from tests.delivery.flows import items, plain, plain_strict, tally
from tests.delivery.places import Place


def prepare(place: Place, count: int = 20, poison_at: int | None = None) -> None:
    """Make the topics and fill the source."""
    source = place.topic("items")
    place.topic("out")
    place.topic("errors")
    place.topics.produce(
        source, items(count, kind=lambda index: "task" if index == poison_at else "fine")
    )


def runner_of(
    flow: Any, config: dict[str, Any], observability: ObservabilityRuntime | None = None
) -> StreamingRunner:
    runner = StreamingRunner.from_context(
        flow, config=ConfigContext.from_dict(config), observability_runtime=observability
    )
    runner.control.until_idle_ms = 100
    return runner


def of_the_run(events: list[LifecycleEvent]) -> list[tuple[Scope, EventKind]]:
    scopes = {Scope.POLL_CYCLE, Scope.FLOW}
    return [(event.scope, event.kind) for event in events if event.scope in scopes]


def test_running_always_ends_the_poll_cycle_with_duration_and_failure(embedded: Place) -> None:
    prepare(embedded, poison_at=7)
    events: list[LifecycleEvent] = []
    observability = ObservabilityRuntime([events.append])
    with pytest.raises(UnroutedErrorError):
        runner_of(plain_strict(), embedded.config(), observability).run()
    assert of_the_run(events) == [
        (Scope.POLL_CYCLE, EventKind.START),
        (Scope.FLOW, EventKind.START),
        (Scope.FLOW, EventKind.ERROR),
        (Scope.POLL_CYCLE, EventKind.END),
    ]
    start, end = (event for event in events if event.scope is Scope.POLL_CYCLE)
    assert end.status is LifecycleStatus.FAILURE
    assert end.duration_ms is not None
    assert end.duration_ms > 0
    assert "UnroutedErrorError" in (end.error or "")
    assert (start.id, start.trace_id, start.meta) == (end.id, end.trace_id, end.meta)
    assert start.meta["run_id"] == start.trace_id
    (flow,) = (e for e in events if e.scope is Scope.FLOW and e.kind is EventKind.START)
    assert flow.trace_id == start.trace_id


def test_running_tells_its_start_before_it_serves_scrapes(embedded: Place) -> None:
    """A port that is taken is told like every other failure."""
    prepare(embedded)
    events: list[LifecycleEvent] = []
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = PrometheusSettings(enabled=True, port=taken.getsockname()[1])
        observability = ObservabilityRuntime([events.append], prometheus=settings)
        with pytest.raises(RunError, match="is in use"):
            runner_of(plain(), embedded.config(), observability).run()
    assert of_the_run(events) == [
        (Scope.POLL_CYCLE, EventKind.START),
        (Scope.POLL_CYCLE, EventKind.END),
    ]
    assert events[-1].status is LifecycleStatus.FAILURE


def test_running_again_goes_on_where_the_last_run_ended(embedded: Place) -> None:
    prepare(embedded)
    runner = runner_of(plain(), embedded.config())
    runner.run()
    embedded.topics.produce(embedded.names["items"], items(5, start=20))
    runner.run()
    assert ids(embedded) == list(range(25))
    runner.control.max_records = 3
    embedded.topics.produce(embedded.names["items"], items(5, start=25))
    runner.run()
    assert ids(embedded) == list(range(28))


def test_running_after_a_failed_run(embedded: Place) -> None:
    prepare(embedded, poison_at=7)
    runner = runner_of(plain_strict(), embedded.config())
    with pytest.raises(UnroutedErrorError):
        runner.run()
    runner.run(flow=plain(), config=embedded.config())
    assert sorted(ids(embedded)) == [index for index in range(20) if index != 7]
    assert len(embedded.read("errors")) == 1


def test_running_with_a_runtime_of_several_workers(embedded: Place) -> None:
    prepare(embedded)
    runner = runner_of(plain(), embedded.config())
    runner.run(runtime=BytewaxRuntimeConfig(workers_per_process=3, epoch_interval_ms=20))
    assert runner.runtime.workers_per_process == 3
    assert ids(embedded) == list(range(20))


def test_running_with_a_setting_that_the_client_refuses_names_it(embedded: Place) -> None:
    prepare(embedded)
    extra = {"extra": {"no.such.setting": "1"}}
    for section, config in (
        ("consumer", embedded.config(consumer=extra)),
        ("producer", embedded.config(producer=extra)),
    ):
        with pytest.raises(ClientSettingsError, match=r"no\.such\.setting") as raised:
            runner_of(plain(), config).run()
        assert section in raised.value.where


def test_running_keyed_state_without_a_store_warns_that_it_will_be_lost(embedded: Place) -> None:
    prepare(embedded)
    with capture_logs() as logs:
        runner_of(tally(), embedded.config()).run()
    (warning,) = (entry for entry in logs if entry["log_level"] == "warning")
    assert warning["nodes"] == ["Tally"]
    assert "recovery.db_dir" in warning["event"]
