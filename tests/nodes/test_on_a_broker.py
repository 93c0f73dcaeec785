"""What only a running broker shows: two workers, windows that a clock closes, scrapes."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from typing import Any
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from loom_runtime import (
    CollectBatch,
    ConfigContext,
    ContextFactory,
    DomainError,
    ErrorEnvelope,
    ForEach,
    FromTopic,
    IntoTopic,
    LoomFrozenStruct,
    Message,
    ObservabilityRuntime,
    Process,
    ProcessNode,
    RecordStep,
    StreamFlow,
    StreamingRunner,
    WindowStrategy,
    With,
    WithAsync,
)
from loom_runtime.observability import PrometheusSettings
from loom_runtime.wire.envelopes import decode_envelope
from tests.broker_fixtures import NewRecord, Topics
from tests.nodes.test_stateful_step import Sum

WAIT_S = 30.0


class Item(LoomFrozenStruct, frozen=True):
    id: str
    value: int = 0


class Journal:
    """Writes down openings and closings, and on which threads."""

    def __init__(self) -> None:
        self.entries: list[str] = []
        self.threads: set[int] = set()

    @contextmanager
    def context(self, name: str) -> Iterator[str]:
        self.threads.add(threading.get_ident())
        self.entries.append(f"open {name}")
        yield name
        self.entries.append(f"close {name}")

    @asynccontextmanager
    async def later(self, name: str) -> AsyncIterator[str]:
        with self.context(name):
            yield name


class Use(RecordStep[Item, Item]):
    def execute(self, message: Message[Item], shared: str, own: str) -> Item:
        return message.payload


class UseLater(RecordStep[Item, Item]):
    async def execute(self, message: Message[Item], shared: str, own: str) -> Item:
        return message.payload


class Flow:
    """A flow between two topics of its own, run on a thread."""

    def __init__(self, topics: Topics, *nodes: ProcessNode, partitions: int = 1) -> None:
        self.source = topics.create("nodes-in", partitions=partitions)
        self.sink = topics.create("nodes-out")
        self.revision: str | None = None
        self._topics = topics
        self._nodes = nodes
        self._thread: threading.Thread | None = None
        self.runner = StreamingRunner()

    def start(
        self, observability_runtime: ObservabilityRuntime | None = None, **runtime: Any
    ) -> StreamingRunner:
        flow: StreamFlow[Any, Any] = StreamFlow(
            "on a broker",
            FromTopic(self.source, payload=Item),
            Process(*self._nodes),
            IntoTopic(self.sink),
            IntoTopic(f"{self.sink}-errors", payload=ErrorEnvelope[Item]),
        )
        brokers = {"brokers": [self._topics.bootstrap]}
        consumer = {**brokers, "group_id": self.source, "auto_offset_reset": "earliest"}
        config = {
            "kafka": {"consumer": consumer, "producer": brokers},
            "streaming": {"runtime": {"epoch_interval_ms": 20, **runtime}},
        }
        self.runner = StreamingRunner.from_context(
            flow,
            config=ConfigContext.from_dict(config),
            observability_runtime=observability_runtime,
        )
        self.runner.revision = self.revision
        self._thread = threading.Thread(target=self.runner.run, daemon=True)
        self._thread.start()
        return self.runner

    def produce(self, *ids: str, partitions: int = 1) -> None:
        self._topics.produce(
            self.source,
            [
                NewRecord(b'{"id": "%s"}' % i.encode(), partition=n % partitions)
                for n, i in enumerate(ids)
            ],
        )

    def envelopes(self) -> list[ErrorEnvelope[Any]]:
        return [
            decode_envelope(record.value, record.headers, Item)
            for record in self._topics.read(f"{self.sink}-errors")
        ]

    def written(self) -> int:
        return sum(self._topics.end_offsets(self.sink).values())

    def finish(self) -> None:
        self.runner.control.finish()
        if self._thread is not None:
            self._thread.join(WAIT_S)
            assert not self._thread.is_alive()


@pytest.fixture
def make_flow(topics: Topics) -> Iterator[Callable[..., Flow]]:
    """Makes flows; what still runs at the end is finished."""
    made: list[Flow] = []

    def make(*nodes: ProcessNode, partitions: int = 1) -> Flow:
        made.append(Flow(topics, *nodes, partitions=partitions))
        return made[-1]

    yield make
    for flow in made:
        flow.finish()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_two_workers_share_instances_and_have_factories_contexts_of_their_own(
    make_flow: Callable[..., Flow],
) -> None:
    journal = Journal()
    scope: With[Any, Any] = With(
        process=Process(Use),
        shared=journal.context("shared"),
        own=ContextFactory(lambda: journal.context("own")),
    )
    flow = make_flow(scope, partitions=4)
    flow.produce(*"abcdefgh", partitions=4)
    flow.start(workers_per_process=2)
    wait_until(lambda: flow.written() == 8)
    flow.finish()
    assert sorted(journal.entries[:3]) == ["open own", "open own", "open shared"]
    assert sorted(journal.entries[3:]) == ["close own", "close own", "close shared"]
    assert len(journal.threads) == 2


def test_two_workers_share_one_event_loop(make_flow: Callable[..., Flow]) -> None:
    journal = Journal()
    scope: WithAsync[Any, Any] = WithAsync(
        process=Process(UseLater),
        shared=journal.later("shared"),
        own=ContextFactory(lambda: journal.later("own")),
    )
    flow = make_flow(scope, partitions=4)
    flow.produce(*"abcdefgh", partitions=4)
    flow.start(workers_per_process=2)
    wait_until(lambda: flow.written() == 8)
    flow.finish()
    assert sorted(journal.entries[:3]) == ["open own", "open own", "open shared"]
    assert sorted(journal.entries[3:]) == ["close own", "close own", "close shared"]
    assert len(journal.threads) == 1


@pytest.mark.parametrize("window", list(WindowStrategy))
def test_the_machines_clock_hands_on_what_is_held_while_nothing_comes(
    make_flow: Callable[..., Flow], window: WindowStrategy
) -> None:
    flow = make_flow(CollectBatch(1_000, 50, window), ForEach())
    flow.start()
    flow.produce("a", "b", "c")
    wait_until(lambda: flow.written() == 3)
    flow.produce("d")
    wait_until(lambda: flow.written() == 4)
    report = flow.runner.last_report()
    assert report is not None
    assert report.balanced


def test_envelopes_on_their_topic_name_the_revision_and_the_attempt(
    make_flow: Callable[..., Flow], topics: Topics
) -> None:
    class Refuse(RecordStep[Item, Item]):
        def execute(self, message: Message[Item]) -> Item:
            raise DomainError("no")

    flow = make_flow(Refuse)
    flow.revision = "r7"
    record = NewRecord(b'{"id": "a"}', b"k", [("x-loom-attempt", b"1"), ("x-trace-id", b"t")])
    topics.produce(flow.source, [record, b"{"])
    flow.start()
    wait_until(lambda: _errored(flow) == 2)
    flow.finish()
    business, wire = sorted(flow.envelopes(), key=lambda envelope: envelope.kind)
    assert (business.kind.value, business.revision, business.attempt) == ("business", "r7", 2)
    assert business.original_message is not None
    assert business.original_message.payload == Item("a")
    assert business.original_message.meta.key == b"k"
    assert business.original_message.meta.trace_id == "t"
    assert (wire.kind.value, wire.revision, wire.attempt, wire.raw) == ("wire", "r7", 1, b"{")


def _errored(flow: Flow) -> int:
    report = flow.runner.last_report()
    return 0 if report is None else report.total("errored")


def test_a_scrape_of_a_run_on_a_broker_has_commits_and_lag(
    make_flow: Callable[..., Flow],
) -> None:
    observability = ObservabilityRuntime(prometheus=PrometheusSettings(enabled=True, port=0))
    port = observability.start_scrape_server()

    def samples() -> dict[tuple[str, str, str], float]:
        with closing(urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10)) as response:
            text = response.read().decode()
        return {
            (
                sample.name,
                sample.labels.get("node", "") or sample.labels.get("partition", ""),
                sample.labels.get("direction", ""),
            ): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.labels.get("flow") == "on a broker"
        }

    try:
        flow = make_flow(Sum, partitions=2)
        flow.produce(*"aabbc", partitions=2)
        flow.start(observability)

        def committed() -> bool:
            found = samples()
            keys = [("loom_partition_committed_offset", part, "") for part in "01"]
            return [found.get(key) for key in keys] == [3, 2]

        wait_until(committed)
        found = samples()
        assert found["loom_node_records_total", "Sum", "in"] == 5
        assert found["loom_node_records_total", f"output {flow.sink}", "out"] == 5
        for part, consumed in (("0", 3), ("1", 2)):
            assert found["loom_partition_consumed_total", part, ""] == consumed
            assert found["loom_partition_commits_total", part, ""] >= 1
            assert found["loom_partition_lag", part, ""] == 0
        flow.finish()
        assert samples() == {}
    finally:
        observability.close()
