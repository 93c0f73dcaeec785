"""What a Prometheus server reads from us."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from urllib.request import urlopen

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from loom_runtime.observability import (
    LifecycleEvent,
    NodeMetrics,
    ObservabilityConfig,
    ObservabilityRuntime,
    PartitionMetrics,
    PrometheusSettings,
    RunMetrics,
    Scope,
)
from loom_runtime.observability.histogram import BOUNDS_SECONDS, LatencyHistogram
from loom_runtime.observability.scrape import ScrapeServerError

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@dataclass
class Scraped:
    """A runtime that serves, and what it serves."""

    runtime: ObservabilityRuntime
    port: int
    kinds: dict[str, str] = field(default_factory=dict)

    def samples(self) -> Samples:
        with closing(urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10)) as response:
            text = response.read().decode()
        samples: Samples = {}
        for family in text_string_to_metric_families(text):
            self.kinds[family.name] = family.type
            for sample in family.samples:
                key = (sample.name, tuple(sorted(sample.labels.items())))
                assert key not in samples
                samples[key] = sample.value
        return samples

    def value(self, name: str, **labels: str) -> float | None:
        return self.samples().get((name, tuple(sorted(labels.items()))))


def serving(port: int = 0, bind_address: str = "127.0.0.1") -> ObservabilityRuntime:
    return ObservabilityRuntime(
        prometheus=PrometheusSettings(enabled=True, port=port, bind_address=bind_address)
    )


@pytest.fixture
def scraped() -> Iterator[Scraped]:
    runtime = serving()
    port = runtime.start_scrape_server()
    assert port is not None
    try:
        yield Scraped(runtime, port)
    finally:
        runtime.close()


def price_node() -> NodeMetrics:
    latency = LatencyHistogram()
    latency.observe(2e-6, 90)
    latency.observe(20.0, 10)
    return NodeMetrics(
        node="price",
        path=(1, 0),
        records_in=100,
        records_out=90,
        errors={"task": 4, "business": 2},
        filtered=3,
        late=1,
        held=5,
        latency=latency.snapshot(),
    )


def test_node_metrics(scraped: Scraped) -> None:
    scraped.runtime.add_metrics_source(lambda: RunMetrics(flow="orders", nodes=(price_node(),)))
    node = {"flow": "orders", "node": "price", "path": "1.0"}
    assert scraped.value("loom_node_records_total", **node, direction="in") == 100
    assert scraped.value("loom_node_records_total", **node, direction="out") == 90
    assert scraped.value("loom_node_errors_total", **node, kind="task") == 4
    assert scraped.value("loom_node_errors_total", **node, kind="business") == 2
    assert scraped.value("loom_node_filtered_total", **node) == 3
    assert scraped.value("loom_node_late_total", **node) == 1
    assert scraped.value("loom_node_held", **node) == 5
    assert scraped.value("loom_node_latency_seconds_count", **node) == 100
    assert scraped.value("loom_node_latency_seconds_sum", **node) == pytest.approx(200.00018)
    assert scraped.value("loom_node_latency_seconds_bucket", **node, le="1e-06") == 0
    assert scraped.value("loom_node_latency_seconds_bucket", **node, le="2.5e-06") == 90
    assert scraped.value("loom_node_latency_seconds_bucket", **node, le="10.0") == 90
    assert scraped.value("loom_node_latency_seconds_bucket", **node, le="+Inf") == 100
    assert scraped.kinds["loom_node_latency_seconds"] == "histogram"
    assert scraped.kinds["loom_node_records"] == "counter"


def test_partition_metrics(scraped: Scraped) -> None:
    known = PartitionMetrics(
        topic="in",
        partition=3,
        consumed=50,
        position=60,
        committed=55,
        end_offset=70,
        commits=4,
        commit_failures=1,
    )
    unknown = PartitionMetrics(topic="in", partition=4)
    scraped.runtime.add_metrics_source(
        lambda: RunMetrics(flow="orders", partitions=(known, unknown))
    )
    labels = {"flow": "orders", "topic": "in", "partition": "3"}
    expected = {
        "consumed_total": 50,
        "position": 60,
        "committed_offset": 55,
        "end_offset": 70,
        "lag": 15,
        "commits_total": 4,
        "commit_failures_total": 1,
    }
    for name, value in expected.items():
        assert scraped.value(f"loom_partition_{name}", **labels) == value
    labels["partition"] = "4"
    assert scraped.value("loom_partition_lag", **labels) is None
    assert scraped.value("loom_partition_consumed_total", **labels) == 0


@given(
    st.none() | st.integers(0, 100),
    st.none() | st.integers(0, 100),
    st.none() | st.integers(0, 100),
)
def test_lag_is_never_negative(
    position: int | None, committed: int | None, end_offset: int | None
) -> None:
    partition = PartitionMetrics(
        topic="in", partition=0, position=position, committed=committed, end_offset=end_offset
    )
    reached = committed if committed is not None else position
    if reached is None or end_offset is None:
        assert partition.lag is None
    else:
        assert partition.lag == max(0, end_offset - reached)


def test_metrics_are_read_when_a_scrape_asks(scraped: Scraped) -> None:
    reads: list[int] = []

    def read() -> RunMetrics:
        reads.append(len(reads))
        return RunMetrics(flow="orders", nodes=(NodeMetrics(node="n", late=len(reads)),))

    remove = scraped.runtime.add_metrics_source(read)
    labels = {"flow": "orders", "node": "n", "path": ""}
    assert scraped.value("loom_node_late_total", **labels) == 1
    assert scraped.value("loom_node_late_total", **labels) == 2
    remove()
    assert scraped.value("loom_node_late_total", **labels) is None
    assert reads == [0, 1]


def test_hostile_names_stay_label_values(scraped: Scraped) -> None:
    name = 'a"b\\c\nd{flow="x"} 1'
    scraped.runtime.add_metrics_source(
        lambda: RunMetrics(flow=name, nodes=(NodeMetrics(node=name, late=7),))
    )
    assert scraped.value("loom_node_late_total", flow=name, node=name, path="") == 7


def test_a_source_that_raises_is_logged_once_and_hides_no_other(scraped: Scraped) -> None:
    def broken() -> RunMetrics:
        raise RuntimeError("gone")

    scraped.runtime.add_metrics_source(broken)
    scraped.runtime.add_metrics_source(
        lambda: RunMetrics(flow="orders", nodes=(NodeMetrics(node="n", late=1),))
    )
    structlog.reset_defaults()
    with capture_logs() as logs:
        for _ in range(2):
            assert scraped.value("loom_node_late_total", flow="orders", node="n", path="") == 1
    assert len(logs) == 1


def test_observer_failures_are_counted(scraped: Scraped) -> None:
    def broken(event: LifecycleEvent) -> None:
        raise ValueError("x")

    scraped.runtime.add_observer(broken)
    with capture_logs():
        scraped.runtime.emit(LifecycleEvent.start(scope=Scope.FLOW, name="orders"))
    (name,) = scraped.runtime.observer_failures
    assert scraped.value("loom_observer_failures_total", observer=name) == 1


def test_without_a_run_there_is_nothing_of_nodes(scraped: Scraped) -> None:
    assert not any(name.startswith("loom_") for name, _ in scraped.samples())


def test_starting_twice_is_one_server(scraped: Scraped) -> None:
    assert scraped.runtime.start_scrape_server() == scraped.port


def test_closing_frees_the_port_and_may_be_done_twice() -> None:
    runtime = serving()
    port = runtime.start_scrape_server()
    assert port is not None
    runtime.close()
    runtime.close()
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
        pass
    again = serving(port)
    assert again.start_scrape_server() == port
    again.close()


def test_a_port_in_use_is_a_clear_error(scraped: Scraped) -> None:
    with pytest.raises(ScrapeServerError) as caught:
        serving(scraped.port).start_scrape_server()
    assert f"port {scraped.port} on 127.0.0.1 is in use" in str(caught.value)
    assert "0 takes a free one" in str(caught.value)


def test_an_address_of_another_machine_is_a_clear_error() -> None:
    with pytest.raises(ScrapeServerError, match=r"cannot listen on 203\.0\.113\.7"):
        serving(bind_address="203.0.113.7").start_scrape_server()


def test_not_configured_means_no_server() -> None:
    assert ObservabilityRuntime.from_config(ObservabilityConfig()).start_scrape_server() is None


def test_a_port_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="ports are 0 to 65535"):
        PrometheusSettings(port=70_000)


def test_bucket_bounds_are_the_histograms(scraped: Scraped) -> None:
    scraped.runtime.add_metrics_source(lambda: RunMetrics(flow="orders", nodes=(price_node(),)))
    bounds = {
        float(dict(labels)["le"])
        for name, labels in scraped.samples()
        if name == "loom_node_latency_seconds_bucket"
    }
    assert bounds == {*BOUNDS_SECONDS, float("inf")}
