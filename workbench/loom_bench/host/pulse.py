"""Measures a run a few times a second and tells the bench."""

from __future__ import annotations

import threading

from loom_bench.host.outbox import Outbox
from loom_bench.host.output_text import seen_output
from loom_bench.protocol.measurements import NodeCounters, Nodes, Outputs, Samples, SeenSample
from loom_runtime.compiler.edges import sink_id, source_id
from loom_runtime.compiler.plan import NodePath
from loom_runtime.engine.context import EngineContext
from loom_runtime.execution.sampling import OutputSampler, Sampler
from loom_runtime.execution.statistics import NodeStatistics
from loom_runtime.runner import StreamingRunner

INTERVAL_S = 0.2


class Pulse:
    """A thread that measures.

    Args:
        runner: What runs.
        outbox: Where frames go.
    """

    def __init__(self, runner: StreamingRunner, outbox: Outbox) -> None:
        self._runner = runner
        self._outbox = outbox
        self._outputs = runner.output_sampler = OutputSampler()
        self._watched: tuple[str, Sampler] | None = None
        self._sampled: tuple[NodePath, Sampler] | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)

    def start(self) -> None:
        """Begin; once."""
        self._thread.start()

    def stop(self) -> None:
        """End, with a last measurement."""
        self._ended.set()
        self._thread.join()

    def watch(self, node: str | None) -> None:
        """Sample what *node* takes and gives; ``None`` for none."""
        self._watched = None if node is None else (node, Sampler())

    def _run(self) -> None:
        ended = False
        while not ended:
            ended = self._ended.wait(INTERVAL_S)
            context = self._runner.engine()
            if context is not None:
                self._beat(context)

    def _beat(self, context: EngineContext) -> None:
        self._outbox.latest(
            Nodes(
                counters=tuple(
                    _counters(node, statistics)
                    for path, statistics in context.statistics().items()
                    if (node := node_id(context, path)) is not None
                ),
                workers=max(1, len(context.workers)),
            )
        )
        self._tell_outputs(context)
        self._tell_samples(context)

    def _tell_outputs(self, context: EngineContext) -> None:
        newest, seen = self._outputs.take_out()
        if newest:
            shown = tuple(seen_output(context.layout.ports[port], each) for port, each in newest)
            self._outbox.latest(Outputs(newest=shown, seen=seen))

    def _tell_samples(self, context: EngineContext) -> None:
        watched, sampled = self._watched, self._sampled
        if sampled is not None and (watched is None or watched[1] is not sampled[1]):
            context.sample(sampled[0], None)
            self._sampled = None
        if watched is None:
            return
        node, sampler = watched
        path = path_of(context, node)
        if path is None:
            return
        context.sample(path, sampler)  # every time: a worker's nodes are made when it begins
        self._sampled = path, sampler
        samples = sampler.take_out()
        if samples:
            self._outbox.latest(
                Samples(
                    node,
                    tuple(
                        SeenSample(
                            at_ms=each.at_ms, key=each.key, taken=each.taken, given=each.given
                        )
                        for each in samples
                    ),
                )
            )


def node_id(context: EngineContext, path: NodePath) -> str | None:
    """Return the id in the plan document of what counts under *path*; ``None`` when it has none."""
    layout = context.layout
    if not path:
        return source_id(layout.plan)
    if path[0] < 0:
        sink = layout.ports[path[1]].sink
        return None if sink is None else sink_id(sink)
    return next((node.name for node in layout.plan.nodes if node.path == path), None)


def path_of(context: EngineContext, node: str) -> NodePath | None:
    """Return what the node with this id counts under; ``None`` when there is none."""
    layout = context.layout
    if node == source_id(layout.plan):
        return ()
    for port in layout.ports:
        if port.sink is not None and sink_id(port.sink) == node:
            return -1, port.index
    return next((each.path for each in layout.plan.nodes if each.name == node), None)


def _counters(node: str, statistics: NodeStatistics) -> NodeCounters:
    latency = statistics.latency.snapshot()
    observed = latency.count > 0
    return NodeCounters(
        id=node,
        records_in=statistics.records_in,
        records_out=statistics.records_out,
        errors=sum(statistics.errors.values()),
        held=statistics.held,
        late=statistics.late,
        p50_ms=latency.quantile(0.5) * 1000 if observed else None,
        p99_ms=latency.quantile(0.99) * 1000 if observed else None,
        busy_s=latency.sum_seconds,
    )
