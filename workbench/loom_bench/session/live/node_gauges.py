"""The nodes' counters of the run under way, and how fast they move."""

from __future__ import annotations

import time

from loom_bench.protocol.measurements import NodeCounters, Nodes, Samples
from loom_bench.session.live.rates import Rate
from loom_bench.session.live.rings import Ring
from loom_bench.session.value import NodeView, Sample

KEPT_SAMPLES = 50


class NodeGauges:
    """Counters by node, and the samples of the node that is watched."""

    def __init__(self) -> None:
        self._views: dict[str, NodeView] = {}
        self._rates: dict[str, tuple[Rate, Rate]] = {}
        self._samples: dict[str, Ring[Sample]] = {}

    def begin(self) -> None:
        """Forget the counters: another run begins."""
        self._views = {}
        self._rates = {}

    def stand_still(self) -> None:
        """Take in that nothing runs any more."""
        self._rates = {}
        self._views = {
            node: NodeView(
                id=node,
                records_in=view.records_in,
                records_out=view.records_out,
                errors=view.errors,
                held=view.held,
                late=view.late,
                p50_ms=view.p50_ms,
                p99_ms=view.p99_ms,
            )
            for node, view in self._views.items()
        }

    def take(self, frame: Nodes) -> None:
        """Take in the newest counters."""
        now_s = time.monotonic()
        self._views = {
            each.id: self._view(each, now_s, max(1, frame.workers)) for each in frame.counters
        }

    def watch(self, node: str | None) -> None:
        """Keep samples of *node* only."""
        self._samples = {node: Ring(KEPT_SAMPLES)} if node is not None else {}

    def take_samples(self, frame: Samples) -> None:
        """Take in samples; those of a node that is no longer watched are dropped."""
        ring = self._samples.get(frame.node)
        if ring is not None:
            ring.extend(
                Sample(at_ms=each.at_ms, key=each.key, taken=each.taken, given=each.given)
                for each in frame.samples
            )

    def views(self) -> dict[str, NodeView]:
        """Return the counters by node id."""
        return self._views

    def samples(self) -> dict[str, tuple[Sample, ...]]:
        """Return the newest samples by node id."""
        return {node: ring.shown() for node, ring in self._samples.items()}

    def _view(self, counters: NodeCounters, now_s: float, workers: int) -> NodeView:
        rate, busy = self._rates.setdefault(counters.id, (Rate(), Rate()))
        rate.note(now_s, counters.records_in)
        busy.note(now_s, counters.busy_s)
        return NodeView(
            id=counters.id,
            records_in=counters.records_in,
            records_out=counters.records_out,
            errors=counters.errors,
            held=counters.held,
            late=counters.late,
            rate_per_s=rate.per_s(),
            p50_ms=counters.p50_ms,
            p99_ms=counters.p99_ms,
            busy_share=min(1.0, busy.per_s() / workers),
        )
