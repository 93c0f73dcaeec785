"""Tells observers and metrics what a run does: once an epoch, and for every failure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from loom_runtime.compiler.plan import CompiledNode, CompiledPlan, NodeKind, NodePath
from loom_runtime.engine.context import EngineContext
from loom_runtime.engine.run_metrics import node_names, run_metrics
from loom_runtime.errors import ErrorEnvelope
from loom_runtime.execution.boundary import FailureListener
from loom_runtime.ledger import LedgerReport
from loom_runtime.message import Message
from loom_runtime.observability import (
    LifecycleEvent,
    LifecycleStatus,
    ObservabilityRuntime,
    RunMetrics,
    Scope,
)


class Observation:
    """What one run tells.

    Args:
        plan: The plan.
        observability: Who listens.
    """

    def __init__(self, plan: CompiledPlan, observability: ObservabilityRuntime) -> None:
        self._plan = plan
        self._observability = observability
        self._context: EngineContext | None = None
        self._names: dict[NodePath, str] = {}
        self._scopes: dict[NodePath, Scope] = {(): Scope.READ}
        for node in plan.nodes:
            if node.kind is NodeKind.COLLECT_BATCH:
                self._scopes[node.path] = Scope.BATCH_COLLECT
        self._seen: dict[NodePath, tuple[int, int, float]] = {}
        self._written: dict[str, int] = {}
        self.commits: dict[str, int] = {}
        self.commit_failures: dict[str, int] = {}

    def attach(self, context: EngineContext) -> Callable[[], None]:
        """Take the run's counters from *context*; return what ends that for scrapes."""
        self._context = context
        self._names = node_names(context.layout)

        def read() -> RunMetrics:
            return run_metrics(context, dict(self.commits), dict(self.commit_failures))

        return self._observability.add_metrics_source(read)

    @property
    def failure_listener(self) -> FailureListener | None:
        """What boundaries call; ``None`` when nobody listens."""
        return self.failed if self._observability.active else None

    def failed(
        self,
        envelope: ErrorEnvelope[Any],
        message: Message[Any] | None,
        node: CompiledNode | None,
        error: BaseException,  # noqa: ARG002 - the envelope tells it
    ) -> None:
        """Tell that a record failed."""
        meta = message.meta if message is not None else envelope.transport
        self._observability.emit(
            LifecycleEvent.exception(
                scope=Scope.NODE,
                name=node.name if node is not None else f"source {self._plan.source.name}",
                trace_id=meta.trace_id if meta else None,
                correlation_id=meta.correlation_id if meta else None,
                id=meta.message_id if meta else None,
                error=envelope.reason,
                meta={
                    "flow": self._plan.name,
                    "node": envelope.node,
                    "path": list(envelope.node_path),
                    "kind": envelope.kind.value,
                    "exception_type": envelope.exception_type,
                    "traceback": envelope.traceback,
                    "topic": meta.topic if meta else None,
                    "partition": meta.partition if meta else None,
                    "offset": meta.offset if meta else None,
                },
            )
        )

    def committed(self, topic: str, partition: int, offset: int, problem: str | None) -> None:
        """Tell that an offset was committed, or was not."""
        key = f"{topic}:{partition}"
        counter = self.commits if problem is None else self.commit_failures
        counter[key] = counter.get(key, 0) + 1
        if not self._observability.active:
            return
        meta = {"topic": topic, "partition": partition, "offset": offset}
        event = (
            LifecycleEvent.end(scope=Scope.TRANSPORT, name="commit", meta=meta)
            if problem is None
            else LifecycleEvent.exception(
                scope=Scope.TRANSPORT, name="commit", error=problem, meta=meta
            )
        )
        self._observability.emit(event)

    def reported(self, report: LedgerReport) -> None:
        """Tell what the nodes did in the epoch that has ended."""
        if not self._observability.active or self._context is None:
            return
        for path, statistics in self._context.statistics().items():
            before = self._seen.get(path, (0, 0, 0.0))
            now = (statistics.records_in, statistics.records_out, statistics.latency.sum_seconds)
            self._seen[path] = now
            if now[:2] != before[:2] and path in self._names:
                self._tell(
                    self._scopes.get(path, Scope.NODE),
                    self._names[path],
                    (now[2] - before[2]) * 1000,
                    path=list(path),
                    epoch=report.epoch,
                    records_in=now[0] - before[0],
                    records_out=now[1] - before[1],
                )
        self._tell_ends(report)

    def _tell_ends(self, report: LedgerReport) -> None:
        totals = report.totals()
        for counter, scope, name in _ENDS:
            new = totals[counter] - self._written.get(counter, 0)
            self._written[counter] = totals[counter]
            if new:
                self._tell(scope, name, None, epoch=report.epoch, records=new)

    def _tell(self, scope: Scope, name: str, duration_ms: float | None, **meta: object) -> None:
        self._observability.emit(
            LifecycleEvent.end(
                scope=scope,
                name=name,
                duration_ms=duration_ms,
                status=LifecycleStatus.SUCCESS,
                meta={"flow": self._plan.name, **meta},
            )
        )


_ENDS = (
    ("records_written", Scope.WRITE, "records"),
    ("envelopes_written", Scope.WRITE, "envelopes"),
    ("dead_letters_written", Scope.WRITE, "dead_letters"),
    ("written", Scope.TERMINAL, "sink_write"),
    ("errored", Scope.TERMINAL, "error_envelope"),
    ("filtered", Scope.TERMINAL, "filtered"),
    ("dead_lettered", Scope.TERMINAL, "dead_letter"),
)
