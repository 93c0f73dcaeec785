"""Observers, spans, and what happens when an observer fails."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from loom_runtime.observability import (
    EventKind,
    LifecycleEvent,
    LifecycleStatus,
    ObservabilityConfig,
    ObservabilityRuntime,
    Scope,
)
from loom_runtime.observability.settings import LogSettings


@pytest.fixture
def events() -> list[LifecycleEvent]:
    return []


@pytest.fixture
def runtime(events: list[LifecycleEvent]) -> ObservabilityRuntime:
    return ObservabilityRuntime([events.append])


@pytest.fixture(autouse=True)
def _plain_structlog() -> Iterator[None]:
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


def test_a_span_tells_its_start_and_its_end(
    runtime: ObservabilityRuntime, events: list[LifecycleEvent]
) -> None:
    with runtime.span(Scope.FLOW, "orders", nodes=3) as span:
        assert [event.kind for event in events] == [EventKind.START]
    start, end = events
    assert end.kind is EventKind.END
    assert end.status is LifecycleStatus.SUCCESS
    assert end.duration_ms is not None
    assert end.duration_ms >= 0
    assert (start.duration_ms, start.status) == (None, None)
    for event in events:
        assert (event.scope, event.name, event.meta) == (Scope.FLOW, "orders", {"nodes": 3})
        assert (event.trace_id, event.id) == (span.trace_id, span.id)


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(1)])
def test_a_span_that_fails_tells_the_error_and_lets_it_pass(
    runtime: ObservabilityRuntime, events: list[LifecycleEvent], error: BaseException
) -> None:
    with pytest.raises(type(error)) as caught, runtime.span(Scope.FLOW, "orders"):
        raise error
    assert caught.value is error
    _, event = events
    assert event.kind is EventKind.ERROR
    assert event.status is LifecycleStatus.FAILURE
    assert event.error == f"{type(error).__name__}: {error}"
    assert event.duration_ms is not None


def test_nested_spans_share_a_trace_and_nothing_else(
    runtime: ObservabilityRuntime, events: list[LifecycleEvent]
) -> None:
    with runtime.span(Scope.POLL_CYCLE, "outer", correlation_id="c") as outer:
        with runtime.span(Scope.FLOW, "inner") as inner:
            pass
        with runtime.span(Scope.FLOW, "own", trace_id="f" * 32) as own:
            pass
    with runtime.span(Scope.FLOW, "later") as later:
        pass
    assert inner.trace_id == outer.trace_id
    assert inner.correlation_id == "c"
    assert inner.id != outer.id
    assert own.trace_id == "f" * 32
    assert later.trace_id != outer.trace_id
    assert later.correlation_id is None
    assert {event.trace_id for event in events if event.name != "own"} == {
        outer.trace_id,
        later.trace_id,
    }


def test_the_trace_reaches_another_thread_in_a_copied_context(
    runtime: ObservabilityRuntime,
) -> None:
    traces: list[str] = []

    def inner() -> None:
        with runtime.span(Scope.NODE, "inner") as span:
            traces.append(span.trace_id)

    with runtime.span(Scope.FLOW, "outer") as outer:
        context = contextvars.copy_context()
        for thread in (
            threading.Thread(target=context.run, args=(inner,)),
            threading.Thread(target=inner),
        ):
            thread.start()
            thread.join()
    assert traces[0] == outer.trace_id
    assert traces[1] != outer.trace_id


def test_nobody_listens_to_a_noop() -> None:
    runtime = ObservabilityRuntime.noop()
    assert not runtime.active
    with runtime.span(Scope.FLOW, "orders"):
        pass
    runtime.emit(LifecycleEvent.start(scope=Scope.FLOW, name="orders"))
    assert runtime.start_scrape_server() is None
    runtime.close()


def test_an_observer_comes_and_goes(events: list[LifecycleEvent]) -> None:
    runtime = ObservabilityRuntime.noop()
    remove = runtime.add_observer(events.append)
    assert runtime.active
    runtime.emit(LifecycleEvent.start(scope=Scope.FLOW, name="one"))
    remove()
    remove()
    assert not runtime.active
    runtime.emit(LifecycleEvent.start(scope=Scope.FLOW, name="two"))
    assert [event.name for event in events] == ["one"]


@given(st.lists(st.sets(st.sampled_from(Scope)), max_size=4), st.sampled_from(Scope))
def test_an_observer_hears_its_scopes_only(wanted: list[set[Scope]], scope: Scope) -> None:
    runtime = ObservabilityRuntime.noop()
    heard: list[list[LifecycleEvent]] = [[] for _ in wanted]
    for scopes, events in zip(wanted, heard, strict=True):
        runtime.add_observer(events.append, scopes=scopes)
    assert runtime.listens_to(scope) == any(scope in scopes for scopes in wanted)
    with runtime.span(scope, "x"):
        pass
    assert [len(events) for events in heard] == [2 * (scope in scopes) for scopes in wanted]


def test_an_observer_that_raises_stops_neither_the_flow_nor_the_others(
    events: list[LifecycleEvent],
) -> None:
    failures: list[Exception] = []

    def broken(event: LifecycleEvent) -> None:
        raise failures[0]

    runtime = ObservabilityRuntime([broken, events.append])
    with capture_logs() as logs:
        for failure in (OSError("disk"), OSError("disk"), ValueError("x"), OSError("disk")):
            failures[:] = [failure]
            runtime.emit(LifecycleEvent.start(scope=Scope.FLOW, name="orders"))
    assert len(events) == 4
    assert [type(entry["exc_info"]) for entry in logs] == [OSError, ValueError]
    assert all("the flow goes on" in entry["event"] for entry in logs)
    (name,) = runtime.observer_failures
    assert name.endswith("broken")
    assert runtime.observer_failures[name] == 4


def test_a_log_that_fails_stops_nothing_either() -> None:
    def full(*_: Any) -> NoReturn:
        raise OSError("no space left on device")

    structlog.configure(processors=[full])

    def broken(event: LifecycleEvent) -> None:
        raise ValueError("x")

    runtime = ObservabilityRuntime([broken])
    runtime.emit(LifecycleEvent.start(scope=Scope.FLOW, name="orders"))
    assert list(runtime.observer_failures.values()) == [1]


def test_events_of_many_threads_all_arrive(events: list[LifecycleEvent]) -> None:
    runtime = ObservabilityRuntime([events.append])

    def emit(name: str) -> None:
        for _ in range(200):
            runtime.emit(LifecycleEvent.start(scope=Scope.NODE, name=name))

    threads = [threading.Thread(target=emit, args=(str(number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(events) == 800


def test_the_log_has_flows_and_poll_cycles_and_no_batches() -> None:
    runtime = ObservabilityRuntime.from_config(ObservabilityConfig())
    with capture_logs() as logs, runtime.span(Scope.FLOW, "orders", nodes=3) as span:
        runtime.emit(LifecycleEvent.end(scope=Scope.NODE, name="price"))
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [
        ("flow start", "info"),
        ("flow end", "info"),
    ]
    assert logs[1]["name"] == "orders"
    assert logs[1]["status"] == "success"
    assert logs[1]["trace_id"] == span.trace_id
    assert logs[1]["meta"] == {"nodes": 3}
    assert logs[1]["duration_ms"] >= 0


def test_the_log_shows_a_failure_as_an_error() -> None:
    runtime = ObservabilityRuntime.from_config(
        ObservabilityConfig(log=LogSettings(scopes=(Scope.NODE,)))
    )
    with capture_logs() as logs:
        runtime.emit(
            LifecycleEvent.exception(
                scope=Scope.NODE, name="price", error="no price", meta={"event": "mine"}
            )
        )
    assert logs == [
        {
            "event": "node error",
            "log_level": "error",
            "name": "price",
            "status": "failure",
            "error": "no price",
            "meta": {"event": "mine"},
        }
    ]


def test_a_log_switched_off_listens_to_nothing() -> None:
    config = ObservabilityConfig(log=LogSettings(enabled=False))
    assert not ObservabilityRuntime.from_config(config).active
