"""Absolute counters of a run at one moment: what the engine supplies and scrapes read."""

from __future__ import annotations

import msgspec

from loom_runtime.model import LoomFrozenStruct
from loom_runtime.observability.histogram import LatencySnapshot


class NodeMetrics(LoomFrozenStruct, frozen=True, kw_only=True):
    """One node since the run began.

    Attributes:
        node: Name of the node.
        path: Its path in the compiled plan; empty for the source.
        records_in: Records that came in.
        records_out: Records that went out.
        errors: Records that failed, by error kind.
        filtered: Records that ended here without an output.
        late: Records that came too late for a window.
        held: Records held now.
        latency: Seconds a record; its sum is the time spent in the node.
    """

    node: str
    path: tuple[int, ...] = ()
    records_in: int = 0
    records_out: int = 0
    errors: dict[str, int] = msgspec.field(default_factory=dict)
    filtered: int = 0
    late: int = 0
    held: int = 0
    latency: LatencySnapshot = msgspec.field(default_factory=LatencySnapshot)


class PartitionMetrics(LoomFrozenStruct, frozen=True, kw_only=True):
    """One source partition since the run began.

    Attributes:
        topic: Source topic.
        partition: Source partition.
        consumed: Records read.
        position: Next offset to read.
        committed: Committed offset; ``None`` when none was.
        end_offset: End of the partition's log as last seen; ``None`` when it never was.
        commits: Commits that succeeded.
        commit_failures: Commits that failed.
    """

    topic: str
    partition: int
    consumed: int = 0
    position: int | None = None
    committed: int | None = None
    end_offset: int | None = None
    commits: int = 0
    commit_failures: int = 0

    @property
    def lag(self) -> int | None:
        """Offsets from the committed one (the position without one) to the log's end.

        Never negative: a broker may report an end that is behind what was read from it. ``None``
        when either is unknown.
        """
        reached = self.position if self.committed is None else self.committed
        if reached is None or self.end_offset is None:
            return None
        return max(self.end_offset - reached, 0)


class RunMetrics(LoomFrozenStruct, frozen=True, kw_only=True):
    """One run, all of its workers in this process summed up.

    Attributes:
        flow: Name of the flow.
        nodes: Its nodes, the source included.
        partitions: The source partitions that this process reads.
    """

    flow: str
    nodes: tuple[NodeMetrics, ...] = ()
    partitions: tuple[PartitionMetrics, ...] = ()
