"""What observers and scrapes are told of a run."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any
from urllib.request import urlopen

import structlog
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from loom_runtime import (
    BatchExpandStep,
    CollectBatch,
    DomainError,
    Drain,
    ErrorKind,
    EventKind,
    LifecycleEvent,
    Message,
    ObservabilityRuntime,
    Process,
    RecordStep,
    Router,
    Scope,
    StreamingTestRunner,
    payload,
)
from loom_runtime.observability import PrometheusSettings
from tests.nodes.running import Item, Result, Upper, config_of, ids, items, run, runner_of
from tests.nodes.test_stateful_step import Sum


class Refuse(RecordStep[Item, Item]):
    """Refuses items called ``bad``."""

    def execute(self, message: Message[Item]) -> Item:
        if message.payload.id == "bad":
            raise DomainError("bad item")
        return message.payload


class Size(BatchExpandStep[Item, Result]):
    """One row a batch."""

    def execute(self, messages: Sequence[Message[Item]]) -> list[list[Result]]:
        return [[Result(str(len(messages)))], *([] for _ in messages[1:])]


def observed(*nodes: Any, **options: Any) -> tuple[StreamingTestRunner, list[LifecycleEvent]]:
    events: list[LifecycleEvent] = []
    runtime = ObservabilityRuntime([events.append])
    return runner_of(*nodes, observability_runtime=runtime, **options), events


def ends(events: list[LifecycleEvent], scope: Scope) -> list[LifecycleEvent]:
    return [e for e in events if e.scope is scope and e.kind is EventKind.END]


def counts(events: list[LifecycleEvent], scope: Scope) -> dict[str, tuple[int, int]]:
    """Return records in and out by name, over all epochs."""
    found: dict[str, tuple[int, int]] = {}
    for event in ends(events, scope):
        taken, given = found.get(event.name, (0, 0))
        meta = event.meta
        found[event.name] = taken + meta["records_in"], given + meta["records_out"]
    return found


def test_nodes_tell_once_an_epoch_what_they_took_and_gave() -> None:
    routes: dict[Any, Process[Any, Any]] = {"x": Process(Drain())}
    runner, events = observed(Refuse, Router.by(payload.id, routes), Sum)
    run(runner, items("a", "bad", "x", "b"))
    assert counts(events, Scope.NODE) == {
        "Refuse": (4, 3),
        "Router": (3, 2),
        "Drain": (1, 0),
        "Sum": (2, 2),
        "output out": (2, 2),
    }
    assert counts(events, Scope.READ) == {"source in": (4, 4)}
    node = next(e for e in ends(events, Scope.NODE) if e.name == "Refuse")
    assert node.meta["flow"] == "nodes"
    assert node.meta["path"] == [0]
    assert node.meta["epoch"] >= 1
    assert node.duration_ms is not None
    assert node.duration_ms > 0


def test_every_failed_record_is_an_error_event() -> None:
    runner, events = observed(Refuse)
    run(runner, [items("a")[0], b"{", Item("bad")])
    wire, business = [e for e in events if e.kind is EventKind.ERROR]
    assert (wire.scope, wire.name) == (Scope.NODE, "source in")
    assert (wire.meta["kind"], wire.meta["offset"], wire.id) == ("wire", 1, "in:0:1")
    assert (business.name, business.error) == ("Refuse", "bad item")
    assert business.meta["kind"] == "business"
    assert business.meta["exception_type"] == "loom_runtime.errors.DomainError"
    assert business.meta["path"] == [0]
    assert "Refuse.execute" in business.meta["traceback"]


def test_error_events_carry_the_records_trace() -> None:
    runner, events = observed(Refuse)
    headers = {"x-trace-id": b"t" * 32, "x-correlation-id": b"order-1"}
    run(runner, [(b"k", b'{"id": "bad"}', headers)])
    (error,) = [e for e in events if e.kind is EventKind.ERROR]
    assert (error.trace_id, error.correlation_id) == ("t" * 32, "order-1")


def test_batches_tell_what_they_collected_and_handed_on() -> None:
    runner, events = observed(CollectBatch(max_records=3, timeout_ms=60_000), Size)
    run(runner, items(*"abcde"))
    assert counts(events, Scope.BATCH_COLLECT) == {"CollectBatch": (5, 5)}


def test_writes_and_ends_are_counted() -> None:
    routes: dict[Any, Process[Any, Any]] = {"x": Process(Drain())}
    runner, events = observed(Refuse, Router.by(payload.id, routes))
    run(runner, items("a", "bad", "x", "b"))

    def records(scope: Scope) -> dict[str, int]:
        found: dict[str, int] = {}
        for event in ends(events, scope):
            found[event.name] = found.get(event.name, 0) + event.meta["records"]
        return found

    assert records(Scope.WRITE) == {"records": 2, "envelopes": 1}
    assert records(Scope.TERMINAL) == {"sink_write": 2, "error_envelope": 1, "filtered": 1}


def test_commits_are_told_with_their_place() -> None:
    runner, events = observed(Upper)
    run(runner, items("a", "b"))
    commits = ends(events, Scope.TRANSPORT)
    assert commits[-1].name == "commit"
    assert commits[-1].meta == {"topic": "in", "partition": 0, "offset": 2}


def test_the_run_begins_and_ends_with_a_poll_cycle() -> None:
    runner, events = observed(Upper, Upper)
    run(runner, items("a"))
    first, last = events[0], events[-1]
    assert (first.scope, first.kind, first.name) == (Scope.POLL_CYCLE, EventKind.START, "nodes")
    assert (last.scope, last.kind) == (Scope.POLL_CYCLE, EventKind.END)
    assert first.meta["node_count"] == 2
    assert first.meta["run_id"] == last.meta["run_id"]


def test_observers_that_raise_never_stop_the_flow() -> None:
    def broken(event: LifecycleEvent) -> None:
        raise RuntimeError("observer is broken")

    events: list[LifecycleEvent] = []
    runtime = ObservabilityRuntime([broken, events.append])
    structlog.reset_defaults()
    with capture_logs() as logs:
        runner = run(runner_of(Refuse, observability_runtime=runtime), items("a", "bad", "b"))
    assert ids(runner) == ["a", "b"]
    assert len(runner.errors[ErrorKind.BUSINESS]) == 1
    assert len(logs) == 1
    assert sum(runtime.observer_failures.values()) == len(events)


def test_a_flow_that_nobody_observes_tells_nobody_and_still_counts() -> None:
    runner = run(runner_of(Upper), items("a"))
    assert runner.ledger is not None
    assert runner.ledger.total("written") == 1


class Scraper:
    """Scrapes while a flow runs."""

    def __init__(self) -> None:
        self.runtime = ObservabilityRuntime(prometheus=PrometheusSettings(enabled=True, port=0))
        self.port = self.runtime.start_scrape_server()

    def samples(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        url = f"http://127.0.0.1:{self.port}/metrics"
        with closing(urlopen(url, timeout=10)) as response:
            text = response.read().decode()
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float | None:
        return self.samples().get((name, frozenset({"flow": "nodes", **labels}.items())))


@contextmanager
def scraper() -> Iterator[Scraper]:
    made = Scraper()
    try:
        yield made
    finally:
        made.runtime.close()


class Gate(RecordStep[Item, Item]):
    """Holds the flow at a record called ``gate`` until it is opened."""

    def __init__(self, reached: threading.Event, opened: threading.Event) -> None:
        self.reached, self.opened = reached, opened

    def execute(self, message: Message[Item]) -> Item:
        if message.payload.id == "gate":
            self.reached.set()
            assert self.opened.wait(30)
        return message.payload


def test_a_scrape_reads_the_counters_of_a_running_flow() -> None:
    reached, opened = threading.Event(), threading.Event()
    config = config_of()
    config["kafka"]["consumer"]["batch_size"] = 2
    with scraper() as scraped:
        runner = runner_of(
            Gate(reached, opened),
            Refuse,
            Sum,
            config=config,
            observability_runtime=scraped.runtime,
        ).with_messages([b"{"])
        runner.with_payloads(items("a", "bad", "a", "b", "gate", "c"))
        thread = threading.Thread(target=runner.run)
        thread.start()
        try:
            assert reached.wait(30)
            source = {"node": "source in", "path": ""}
            refuse = {"node": "Refuse", "path": "1"}
            assert scraped.value("loom_node_errors_total", kind="wire", **source) == 1
            assert scraped.value("loom_node_errors_total", kind="business", **refuse) == 1
            taken = scraped.value("loom_node_records_total", direction="in", **refuse)
            given = scraped.value("loom_node_records_total", direction="out", **refuse)
            assert taken is not None
            assert given == taken - 1
            assert scraped.value("loom_node_latency_seconds_count", **refuse) == taken
            partition = {"topic": "in", "partition": "0"}
            assert scraped.value("loom_partition_consumed_total", **partition) is not None
        finally:
            opened.set()
            thread.join()
        assert scraped.value("loom_node_records_total", direction="in", **refuse) is None


def test_a_scrape_reads_positions_commits_lag_and_what_is_held() -> None:
    """Scrapes at the end of every epoch: an observer is told then, on the flow's own thread."""
    looks: list[dict[str, float | None]] = []
    labels = {"topic": "in", "partition": "0"}
    node = {"node": "CollectBatch", "path": "0"}
    with scraper() as scraped:

        def look(event: LifecycleEvent) -> None:
            names = ("position", "committed_offset", "end_offset", "lag", "commits_total")
            looked = {n: scraped.value(f"loom_partition_{n}", **labels) for n in names}
            looks.append(looked | {"held": scraped.value("loom_node_held", **node)})

        scraped.runtime.add_observer(look, scopes=[Scope.BATCH_COLLECT, Scope.TERMINAL])
        runner = runner_of(
            CollectBatch(max_records=2, timeout_ms=60_000),
            Size,
            observability_runtime=scraped.runtime,
        )
        run(runner, items("a", "b", "c"))
    for each in looks:
        assert each["lag"] == (each["end_offset"] or 0) - (each["committed_offset"] or 0)
        assert each["end_offset"] == 3
    assert looks[0]["held"] == 1
    assert looks[0]["committed_offset"] == 2
    assert looks[-1] == {
        "position": 3,
        "committed_offset": 3,
        "end_offset": 3,
        "lag": 0,
        "commits_total": 2,
        "held": 0,
    }
