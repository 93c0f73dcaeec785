"""Counters of one node on one worker, written once a batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from loom_runtime.execution.sampling import Sampler
from loom_runtime.execution.watching import Watcher
from loom_runtime.observability.histogram import LatencyHistogram


class NodeStatistics:
    """What a node has done since the run began.

    Attributes:
        records_in: Records that came in.
        records_out: Records that went out.
        filtered: Records that ended here without an output.
        late: Records that came too late for a window.
        held: Records held now.
        errors: Failures by error kind.
        latency: Seconds a record, one observation of the mean a batch, weighted by its records.
        sampler: Who samples the node's records; ``None`` for nobody.
        watcher: Who looks on while the node works; ``None`` for nobody.
    """

    __slots__ = (
        "errors",
        "filtered",
        "held",
        "late",
        "latency",
        "records_in",
        "records_out",
        "sampler",
        "watcher",
    )

    def __init__(self) -> None:
        self.records_in = 0
        self.records_out = 0
        self.filtered = 0
        self.late = 0
        self.held = 0
        self.errors: Counter[str] = Counter()
        self.latency = LatencyHistogram()
        self.sampler: Sampler | None = None
        self.watcher: Watcher | None = None

    def ran(self, records_in: int, records_out: int, seconds: float) -> None:
        """Count one batch."""
        self.records_in += records_in
        self.records_out += records_out
        self.latency.observe(seconds / records_in, records_in)


def merged(parts: Iterable[NodeStatistics]) -> NodeStatistics:
    """Return the sum over workers."""
    total = NodeStatistics()
    for part in parts:
        total.records_in += part.records_in
        total.records_out += part.records_out
        total.filtered += part.filtered
        total.late += part.late
        total.held += part.held
        total.errors.update(dict(part.errors))  # its worker may add a kind meanwhile
        total.latency.add(part.latency)
    return total
