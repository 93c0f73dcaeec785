"""Builds the Bytewax dataflow of a layout: source, segments, exchanges, one sink.

Step ids with a colon are the engine's own; a node's state id has none, so they never meet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import bytewax.operators as op
from bytewax.dataflow import Dataflow, Stream
from bytewax.operators import KeyedStream

from loom_runtime.compiler.plan import NodeKind
from loom_runtime.engine.context import EngineContext
from loom_runtime.engine.holding import collect_logic, key_logic
from loom_runtime.engine.sink import PartitionedSink
from loom_runtime.engine.source import PartitionedSource
from loom_runtime.execution.layout import Exchange
from loom_runtime.execution.segments import TO_SINK, Sent
from loom_runtime.recovery.identity import SINK_STEP, SOURCE_STEP


def build_dataflow(context: EngineContext) -> Dataflow:
    """Return the dataflow of *context*'s layout."""
    flow = Dataflow(_safe_id(context.layout.plan.name))
    read = op.input(SOURCE_STEP, flow, PartitionedSource(context))
    sent: list[Stream[Sent]] = [
        op.flat_map_batch("process:", read, lambda items: context.source_segment().run(items))
    ]
    segment_of: dict[int | None, Stream[Sent]] = {None: sent[0]}
    for exchange in context.layout.exchanges:
        arriving = [_picked(f"to:{exchange.step_id}", segment_of[exchange.parent], exchange.index)]
        if exchange.parent is not None and exchange.node.kind is NodeKind.COLLECT_BATCH:
            arriving.append(_picked(f"flush:{exchange.step_id}", sent[0], exchange.index))
        stream = (
            arriving[0] if len(arriving) == 1 else op.merge(f"all:{exchange.step_id}", *arriving)
        )
        stepped = _exchange(context, exchange, stream)
        segment_of[exchange.index] = op.flat_map_batch(
            f"after:{exchange.step_id}", stepped, _segment(context, exchange)
        )
        sent.append(segment_of[exchange.index])
    parcels = [_picked(f"parcels:{index}", stream, TO_SINK) for index, stream in enumerate(sent)]
    to_sink = parcels[0] if len(parcels) == 1 else op.merge("parcels:", *parcels)
    op.output(SINK_STEP, to_sink, PartitionedSink(context))
    return flow


def _exchange(
    context: EngineContext, exchange: Exchange, stream: KeyedStream[Any]
) -> KeyedStream[Any]:
    if exchange.node.kind is NodeKind.STATEFUL_STEP:
        return op.stateful_batch(exchange.step_id, stream, key_logic(context, exchange))
    return op.stateful_batch(exchange.step_id, stream, collect_logic(context, exchange))


def _segment(context: EngineContext, exchange: Exchange) -> Callable[[list[Any]], Iterable[Sent]]:
    def run(items: list[Any]) -> Iterable[Sent]:
        return context.exchange_segment(exchange).run(items)

    return run


def _picked(step_id: str, stream: Stream[Sent], destination: int) -> KeyedStream[Any]:
    """Return what is meant for *destination*, keyed."""

    def pick(items: list[Sent]) -> list[tuple[str, Any]]:
        return [(key, item) for wanted, key, item in items if wanted == destination]

    return op.flat_map_batch(step_id, stream, pick)


def _safe_id(name: str) -> str:
    """Return *name* without the dots that Bytewax keeps for nested steps."""
    return name.replace(".", "_")
