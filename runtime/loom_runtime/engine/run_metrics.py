"""A run's counters as the snapshot that scrapes read."""

from __future__ import annotations

from collections.abc import Mapping

from loom_runtime.compiler.plan import NodePath
from loom_runtime.engine.context import EngineContext
from loom_runtime.execution.layout import Layout
from loom_runtime.execution.statistics import NodeStatistics
from loom_runtime.execution.travel import partition_key
from loom_runtime.ledger import LedgerRow, PartitionLedger
from loom_runtime.observability import NodeMetrics, PartitionMetrics, RunMetrics


def run_metrics(
    context: EngineContext, commits: Mapping[str, int], commit_failures: Mapping[str, int]
) -> RunMetrics:
    """Return what the run of *context* has counted so far.

    Nodes are as of now; partitions are as of the last epoch that ended.

    Args:
        context: The run.
        commits: Commits that succeeded, by partition key.
        commit_failures: Commits that failed, likewise.
    """
    names = node_names(context.layout)
    rows = {partition_key(r.topic, r.partition): r for r in context.last_report().partitions}
    return RunMetrics(
        flow=context.layout.plan.name,
        nodes=tuple(
            _node(names[path], path, statistics)
            for path, statistics in context.statistics().items()
            if path in names
        ),
        partitions=tuple(
            _partition(ledger, rows.get(key), commits.get(key, 0), commit_failures.get(key, 0))
            for key, ledger in list(context.ledgers.items())
        ),
    )


def node_names(layout: Layout) -> dict[NodePath, str]:
    """Return the name of everything that counts: the source, every node, every output."""
    names: dict[NodePath, str] = {(): f"source {layout.plan.source.name}"}
    names |= {node.path: node.name for node in layout.plan.nodes}
    names |= {(-1, port.index): f"output {port.sink.name}" for port in layout.ports if port.sink}
    return names


def _node(name: str, path: NodePath, statistics: NodeStatistics) -> NodeMetrics:
    return NodeMetrics(
        node=name,
        path=path,
        records_in=statistics.records_in,
        records_out=statistics.records_out,
        errors=dict(statistics.errors),
        filtered=statistics.filtered,
        late=statistics.late,
        held=statistics.held,
        latency=statistics.latency.snapshot(),
    )


def _partition(
    ledger: PartitionLedger, row: LedgerRow | None, commits: int, commit_failures: int
) -> PartitionMetrics:
    return PartitionMetrics(
        topic=ledger.topic,
        partition=ledger.partition,
        consumed=0 if row is None else row.consumed,
        position=None if row is None else row.position,
        committed=None if row is None else row.committed,
        end_offset=None if row is None else row.end_offset,
        commits=commits,
        commit_failures=commit_failures,
    )
