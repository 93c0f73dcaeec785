"""Run metrics as Prometheus families, made when a scrape asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from loom_runtime.observability.histogram import BOUNDS_SECONDS
from loom_runtime.observability.metrics import NodeMetrics, RunMetrics

_NODE = ("flow", "node", "path")
_PARTITION = ("flow", "topic", "partition")
_BOUNDS = (*(str(bound) for bound in BOUNDS_SECONDS), "+Inf")


class RunMetricsCollector(Collector):
    """Makes metric families of the runs' snapshots.

    Args:
        read_runs: Returns a snapshot of every run; called once a scrape.
        read_observer_failures: Returns how often each observer raised.
    """

    def __init__(
        self,
        read_runs: Callable[[], Iterable[RunMetrics]],
        read_observer_failures: Callable[[], dict[str, int]],
    ) -> None:
        """Keep where to read from."""
        self._read_runs = read_runs
        self._read_observer_failures = read_observer_failures

    def collect(self) -> Iterator[Metric]:
        """Yield every family."""
        runs = tuple(self._read_runs())
        yield from _node_families(runs)
        yield from _partition_families(runs)
        failures = CounterMetricFamily(
            "loom_observer_failures", "Times that an observer raised.", labels=["observer"]
        )
        for observer, count in self._read_observer_failures().items():
            failures.add_metric([observer], count)
        yield failures


def _node_families(runs: tuple[RunMetrics, ...]) -> Iterator[Metric]:
    records = CounterMetricFamily(
        "loom_node_records", "Records into and out of a node.", labels=[*_NODE, "direction"]
    )
    errors = CounterMetricFamily(
        "loom_node_errors", "Records that failed in a node.", labels=[*_NODE, "kind"]
    )
    filtered = CounterMetricFamily(
        "loom_node_filtered", "Records that ended in a node without an output.", labels=_NODE
    )
    late = CounterMetricFamily(
        "loom_node_late", "Records that came too late for a window.", labels=_NODE
    )
    held = GaugeMetricFamily("loom_node_held", "Records that a node holds.", labels=_NODE)
    latency = HistogramMetricFamily(
        "loom_node_latency_seconds", "Time of a record in a node.", labels=_NODE
    )
    for run in runs:
        for node in run.nodes:
            labels = _node_labels(run, node)
            records.add_metric([*labels, "in"], node.records_in)
            records.add_metric([*labels, "out"], node.records_out)
            for kind, count in node.errors.items():
                errors.add_metric([*labels, kind], count)
            filtered.add_metric(labels, node.filtered)
            late.add_metric(labels, node.late)
            held.add_metric(labels, node.held)
            buckets = list(zip(_BOUNDS, node.latency.cumulative(), strict=True))
            latency.add_metric(labels, buckets, node.latency.sum_seconds)
    yield from (records, errors, filtered, late, held, latency)


_PARTITION_COUNTERS = (
    ("loom_partition_consumed", "Records read.", "consumed"),
    ("loom_partition_commits", "Commits that succeeded.", "commits"),
    ("loom_partition_commit_failures", "Commits that failed.", "commit_failures"),
)
_PARTITION_GAUGES = (
    ("loom_partition_position", "Next offset to read.", "position"),
    ("loom_partition_committed_offset", "Committed offset.", "committed"),
    ("loom_partition_end_offset", "End of the partition's log as last seen.", "end_offset"),
    ("loom_partition_lag", "Offsets from the committed one to the log's end.", "lag"),
)


def _partition_families(runs: tuple[RunMetrics, ...]) -> Iterator[Metric]:
    rows = [
        (partition, [run.flow, partition.topic, str(partition.partition)])
        for run in runs
        for partition in run.partitions
    ]
    for name, text, attribute in _PARTITION_COUNTERS:
        counter = CounterMetricFamily(name, text, labels=_PARTITION)
        for partition, labels in rows:
            counter.add_metric(labels, getattr(partition, attribute))
        yield counter
    for name, text, attribute in _PARTITION_GAUGES:
        gauge = GaugeMetricFamily(name, text, labels=_PARTITION)
        for partition, labels in rows:
            if (value := getattr(partition, attribute)) is not None:
                gauge.add_metric(labels, value)
        yield gauge


def _node_labels(run: RunMetrics, node: NodeMetrics) -> list[str]:
    return [run.flow, node.node, ".".join(str(part) for part in node.path)]
