"""Contract, rows on ``StreamingRunner``: made, prepared, run, observed, shut down."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar
from urllib.request import urlopen

import pytest
from omegaconf import OmegaConf
from structlog.testing import capture_logs

from loom_runtime import (
    BytewaxRuntimeConfig,
    ConfigContext,
    ContextFactory,
    ErrorEnvelope,
    ErrorKind,
    EventKind,
    FromTopic,
    IntoTopic,
    LifecycleEvent,
    LifecycleStatus,
    LoomFrozenStruct,
    Message,
    ObservabilityConfig,
    ObservabilityRuntime,
    Process,
    RecordStep,
    RuntimeSinkBinding,
    Scope,
    StreamFlow,
    StreamingRunner,
    With,
    shutdown_runner,
)
from loom_runtime.failures import RunError
from loom_runtime.observability import PrometheusSettings
from tests.broker_fixtures import Topics


class Number(LoomFrozenStruct, frozen=True):
    """A number."""

    value: int


class Double(RecordStep[Number, Number]):
    def execute(self, message: Message[Number]) -> Number:
        return Number(message.payload.value * 2)


class Scrape(RecordStep[Number, Number]):
    """Reads the run's own metrics while it runs."""

    url: ClassVar[str] = ""
    seen: ClassVar[list[str]] = []

    def execute(self, message: Message[Number]) -> Number:
        with urlopen(self.url, timeout=10) as response:
            self.seen.append(response.read().decode())
        return message.payload


class Place:
    """Topics of one test and the configuration that names them."""

    def __init__(self, topics: Topics) -> None:
        self.topics = topics
        self.source = topics.create("numbers")
        self.output = topics.create("doubled")
        self.errors = topics.create("failed")

    def config(self, **sections: Any) -> dict[str, Any]:
        brokers = [self.topics.bootstrap]
        consumer = {"brokers": brokers, "group_id": self.source, "topics": [self.source]}
        producers = {
            name: {"brokers": brokers, "topic": topic}
            for name, topic in (("doubled", self.output), ("failed", self.errors))
        }
        return {"kafka": {"consumer": consumer, "producers": producers}, **sections}

    def fill(self, *values: bytes) -> None:
        self.topics.produce(self.source, values)

    def doubled(self) -> list[int]:
        return [
            json.loads(record.value or b"")["value"] for record in self.topics.read(self.output)
        ]

    def runner(self, **sections: Any) -> StreamingRunner:
        return to_the_end(StreamingRunner.from_dict(doubling(), self.config(**sections)))


@pytest.fixture
def place(topics: Topics) -> Place:
    """Topics of the test's own with two numbers in the source."""
    made = Place(topics)
    made.fill(b'{"value": 1}', b'{"value": 2}')
    return made


def doubling(*steps: Any, errors: bool = True) -> StreamFlow[Any, Any]:
    return StreamFlow(
        "doubling",
        FromTopic("numbers", payload=Number),
        Process(*steps, Double),
        IntoTopic("doubled", payload=Number),
        errors=IntoTopic("failed", payload=ErrorEnvelope[Number]) if errors else None,
    )


def to_the_end(runner: StreamingRunner) -> StreamingRunner:
    runner.control.until_idle_ms = 100
    return runner


def test_streaming_runner_from_yaml(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "doubling.yaml"
    OmegaConf.save(place.config(), file)
    to_the_end(StreamingRunner.from_yaml(doubling(), str(file))).run()
    assert place.doubled() == [2, 4]


def test_streaming_runner_from_dict(place: Place) -> None:
    to_the_end(StreamingRunner.from_dict(doubling(), place.config())).run()
    assert place.doubled() == [2, 4]


def test_streaming_runner_from_context(place: Place) -> None:
    config = ConfigContext.from_dict(place.config())
    runner = StreamingRunner.from_context(doubling(), config=config, observability_runtime=None)
    to_the_end(runner).run()
    assert place.doubled() == [2, 4]


def test_streaming_runner_build_dataflow_is_bytewaxs(place: Place) -> None:
    runner = place.runner()
    dataflow = runner.build_dataflow()
    assert (type(dataflow).__module__, type(dataflow).__name__) == ("bytewax.dataflow", "Dataflow")
    assert dataflow.flow_id == "doubling"
    runner.shutdown()


def test_streaming_runner_prepare_run_is_safe_to_call_twice(place: Place) -> None:
    runner = place.runner()
    first = runner.prepare_run()
    second = runner.prepare_run()
    assert first is not second
    runner.run()
    assert place.doubled() == [2, 4]


@pytest.mark.parametrize("call", ["run", "prepare_run", "build_dataflow"])
def test_streaming_runner_without_a_plan_names_the_factories(call: str) -> None:
    with pytest.raises(RuntimeError, match=r"from_yaml.*from_dict.*from_context"):
        getattr(StreamingRunner(), call)()


def test_streaming_runner_run_takes_flow_and_config(place: Place) -> None:
    runner = to_the_end(StreamingRunner())
    runner.run(flow=doubling(), config=ConfigContext.from_dict(place.config()))
    assert place.doubled() == [2, 4]


def test_streaming_runner_run_takes_flow_and_config_path(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "doubling.yaml"
    OmegaConf.save(place.config(), file)
    to_the_end(StreamingRunner()).run(flow=doubling(), config_path=str(file))
    assert place.doubled() == [2, 4]


def test_streaming_runner_run_takes_a_runtime_that_wins(place: Place) -> None:
    runner = place.runner(streaming={"runtime": {"epoch_interval_ms": 60_000}})
    runner.run(runtime=BytewaxRuntimeConfig(epoch_interval_ms=20))
    assert runner.runtime.epoch_interval_ms == 20
    assert place.doubled() == [2, 4]


def test_streaming_runner_run_tells_poll_cycle_and_flow(place: Place) -> None:
    events = observed(place.config(), doubling())
    start, end = (event for event in events if event.scope is Scope.POLL_CYCLE)
    assert (start.kind, start.name, start.meta["node_count"]) == (EventKind.START, "doubling", 1)
    assert len(start.meta["run_id"]) == 32
    assert (end.kind, end.status) == (EventKind.END, LifecycleStatus.SUCCESS)
    assert end.duration_ms is not None
    scopes = [event.scope for event in events if event.scope in {Scope.POLL_CYCLE, Scope.FLOW}]
    assert scopes == [Scope.POLL_CYCLE, Scope.FLOW, Scope.FLOW, Scope.POLL_CYCLE]


def test_streaming_runner_run_that_fails_tells_so_and_releases_its_resources(place: Place) -> None:
    closed: list[str] = []

    @contextmanager
    def resource() -> Iterator[str]:
        yield "open"
        closed.append("closed")

    scope = With(process=Process(Double), name=ContextFactory(resource))
    place.fill(b"poison")
    events: list[LifecycleEvent] = []
    with pytest.raises(RunError, match="wire error"):
        observed(place.config(), doubling(scope, errors=False), events)
    end = [event for event in events if event.scope is Scope.POLL_CYCLE][-1]
    assert end.status is LifecycleStatus.FAILURE
    assert end.duration_ms is not None
    assert "wire error" in (end.error or "")
    assert closed == ["closed"]


def test_streaming_runner_run_starts_the_scrape_server_when_configured(place: Place) -> None:
    observability = ObservabilityRuntime.from_config(
        ObservabilityConfig(prometheus=PrometheusSettings(enabled=True, port=0))
    )
    Scrape.url = f"http://127.0.0.1:{observability.start_scrape_server()}/metrics"
    Scrape.seen.clear()
    config = ConfigContext.from_dict(place.config())
    flow = doubling(Scrape)
    runner = StreamingRunner.from_context(flow, config=config, observability_runtime=observability)
    to_the_end(runner).run()
    observability.close()
    assert len(Scrape.seen) == 2
    assert all('flow="doubling"' in text for text in Scrape.seen)


class Kept:
    """An error sink that keeps what it gets."""

    def __init__(self) -> None:
        self.envelopes: list[ErrorEnvelope[Any]] = []
        self.built: list[tuple[str, int, int]] = []
        self.closed = 0

    def build(self, step_id: str, worker_index: int, worker_count: int) -> Kept:
        self.built.append((step_id, worker_index, worker_count))
        return self

    def write_batch(self, envelopes: Sequence[ErrorEnvelope[Any]]) -> None:
        self.envelopes += envelopes

    def close(self) -> None:
        self.closed += 1


class KeptSettings(LoomFrozenStruct, frozen=True):
    kinds: tuple[ErrorKind, ...] = ()


class RegisteredKept:
    sink_type = "kept"
    config_type = KeptSettings
    sink: ClassVar[Kept]

    @classmethod
    def build_binding(cls, cfg: KeptSettings, ctx: ConfigContext) -> RuntimeSinkBinding:
        cls.sink = Kept()
        return RuntimeSinkBinding("errors", cls.sink, cfg.kinds)


def test_error_sinks_given_win_over_registered_over_the_plans_routes(place: Place) -> None:
    place.fill(b"poison")
    sinks = {"streaming": {"sinks": {"any": {"type": "kept"}}}}

    by_plan = place.runner()
    by_plan.run()
    assert len(place.topics.read(place.errors)) == 1

    place.fill(b"poison")
    registered = place.runner(**sinks)
    registered.register_sink(RegisteredKept)
    registered.run()
    assert len(RegisteredKept.sink.envelopes) == 1
    assert RegisteredKept.sink.closed == len(RegisteredKept.sink.built) > 0

    place.fill(b"poison")
    given, both = Kept(), place.runner(**sinks)
    both.register_sink(RegisteredKept)
    both.run(error_sinks={ErrorKind.WIRE: given})
    assert [envelope.raw for envelope in given.envelopes] == [b"poison"]
    assert RegisteredKept.sink.envelopes == []
    assert len(place.topics.read(place.errors)) == 1


def test_streaming_runner_shutdown_is_idempotent(place: Place) -> None:
    runner = place.runner()
    runner.prepare_run()
    runner.shutdown()
    runner.shutdown()
    assert place.doubled() == []


def test_shutdown_runner_logs_and_never_raises() -> None:
    class Broken:
        def shutdown(self) -> None:
            raise OSError("no")

    with capture_logs() as logs:
        shutdown_runner(Broken())
    assert [entry["log_level"] for entry in logs] == ["error"]


def observed(
    config: dict[str, Any],
    flow: StreamFlow[Any, Any],
    events: list[LifecycleEvent] | None = None,
) -> list[LifecycleEvent]:
    """Run *flow* and return what was told; also into *events*, for a run that raises."""
    told: list[LifecycleEvent] = [] if events is None else events
    observability = ObservabilityRuntime.noop()
    observability.add_observer(told.append)
    context = ConfigContext.from_dict(config)
    runner = StreamingRunner.from_context(flow, config=context, observability_runtime=observability)
    to_the_end(runner).run()
    return told
