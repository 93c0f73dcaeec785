"""What a node is told to do, in one line."""

from __future__ import annotations

from typing import Any

from loom_runtime.compiler.branches import condition_label
from loom_runtime.compiler.plan import CompiledNode, NodeKind
from loom_runtime.flow.boundary import PartitionPolicy
from loom_runtime.flow.scopes import With, WithAsync
from loom_runtime.flow.shapes import CollectBatch, WindowStrategy


def detail_of(node: CompiledNode) -> str:
    """Return that line; empty for nodes whose name says it all."""
    declared: Any = node.node
    match node.kind:
        case NodeKind.ROUTER | NodeKind.FORK:
            if declared.selector is None:
                return "first condition that holds"
            return f"by {condition_label(declared.selector)}"
        case NodeKind.COLLECT_BATCH:
            return _batch(declared)
        case NodeKind.WITH | NodeKind.WITH_ASYNC:
            return _scope(declared)
        case NodeKind.EXPLODE | NodeKind.EXPAND_ROUTES:
            outputs = getattr(declared.expander, "outputs", ())
            return "rows: " + ", ".join(kind.__qualname__ for kind in outputs)
        case NodeKind.INTO_TOPIC if node.sink is not None:
            return _policy(node.sink.partition_policy)
        case _:
            return "async" if node.is_coroutine else ""


def _batch(declared: CollectBatch) -> str:
    if declared.window is WindowStrategy.COLLECT:
        return f"{declared.max_records} records or {declared.timeout_ms} ms"
    if declared.window is WindowStrategy.TUMBLING:
        length = f"tumbling, {declared.timeout_ms} ms long"
    else:
        length = f"session, ended by a gap of {declared.timeout_ms} ms"
    parts = [length, f"up to {declared.max_records} records a batch"]
    if declared.event_time:
        parts.append(f"event time, lateness {declared.allowed_lateness_ms} ms")
    return ", ".join(parts)


def _scope(declared: With[Any, Any] | WithAsync[Any, Any]) -> str:
    names = sorted({*declared.contexts, *declared.factories, *declared.values})
    parts = [f"{declared.scope.value} scope: {', '.join(names) or 'no dependencies'}"]
    if isinstance(declared, WithAsync):
        parts.append(f"{declared.max_concurrency} at once")
        if declared.task_timeout_ms is not None:
            parts.append(f"{declared.task_timeout_ms} ms each")
    return ", ".join(parts)


def _policy(policy: PartitionPolicy[Any] | None) -> str:
    if policy is None:
        return ""
    how = "replaces the key" if policy.allow_repartition else "serves records without a key"
    return f"{type(policy.strategy).__qualname__} {how}"
