"""Describes a compiled plan as data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from loom_runtime.compiler.document_parts import (
    EdgeDocument,
    EdgeKind,
    NodeDocument,
    PlanDocument,
    SinkDocument,
    SourceDocument,
    StateDocument,
)
from loom_runtime.compiler.edges import dead_letter_id, edges_of, sink_id, source_id
from loom_runtime.compiler.node_details import detail_of
from loom_runtime.compiler.node_hashes import code_hash, settings_hash, source_hash
from loom_runtime.compiler.payloads import payload_name
from loom_runtime.compiler.plan import CompiledNode, CompiledPlan, CompiledSink
from loom_runtime.compiler.state_types import schema_text
from loom_runtime.declaration import SourceLocation

__all__ = [
    "EdgeDocument",
    "EdgeKind",
    "NodeDocument",
    "PlanDocument",
    "SinkDocument",
    "SourceDocument",
    "StateDocument",
    "document_of",
]


def document_of(plan: CompiledPlan) -> PlanDocument:
    """Return *plan* as data: no class, no function, nothing that runs."""
    file, line = _place(plan.location)
    return PlanDocument(
        flow=plan.name,
        source=_source(plan),
        nodes=tuple(_node(node) for node in plan.nodes),
        edges=edges_of(plan),
        sinks=_sink_documents(plan),
        output=None if plan.output is None else sink_id(plan.output),
        error_routes={kind: sink_id(sink) for kind, sink in plan.error_routes.items()},
        states=tuple(_state(node) for node in plan.nodes if node.state_id is not None),
        code_hash=code_hash(_files(plan)),
        file=file,
        line=line,
    )


def _files(plan: CompiledPlan) -> Iterator[str]:
    for location in (plan.location, *(node.location for node in plan.nodes)):
        if location is not None:
            yield location.file


def _source(plan: CompiledPlan) -> SourceDocument:
    source = plan.source
    file, line = _place(source.location)
    return SourceDocument(
        id=source_id(plan),
        name=source.name,
        topics=source.topics,
        payload_types=tuple(payload_name(each) for each in source.payload_types),
        format=source.settings.format.value,
        delivery=source.settings.delivery,
        file=file,
        line=line,
    )


def _sinks(plan: CompiledPlan) -> Iterator[CompiledSink]:
    for node in plan.nodes:
        if node.sink is not None:
            yield node.sink
        for branch in node.branches:
            if branch.output is not None:
                yield branch.output
    if plan.output is not None:
        yield plan.output
    yield from plan.error_routes.values()


def _sink_documents(plan: CompiledPlan) -> tuple[SinkDocument, ...]:
    sinks = list(_sinks(plan))
    found = {
        dead_letter_id(sink): SinkDocument(
            id=dead_letter_id(sink),
            name=sink.dlq_topic,
            topic=sink.dlq_topic,
            payload_type=payload_name(sink.payload_type),
            format=sink.settings.format.value,
        )
        for sink in sinks
        if sink.dlq_topic is not None
    }
    return tuple({**found, **{sink_id(sink): _sink(sink) for sink in sinks}}.values())


def _sink(sink: CompiledSink) -> SinkDocument:
    file, line = _place(sink.location)
    return SinkDocument(
        id=sink_id(sink),
        name=sink.name,
        topic=sink.topic,
        payload_type=payload_name(sink.payload_type),
        format=sink.settings.format.value,
        dlq_topic=sink.dlq_topic,
        file=file,
        line=line,
    )


def _node(node: CompiledNode) -> NodeDocument:
    file, line = _place(node.location)
    return NodeDocument(
        id=node.name,
        name=node.name,
        kind=node.kind,
        input_shape=node.input_shape,
        output_shape=node.output_shape,
        path=node.path,
        file=file,
        line=line,
        state_id=node.state_id,
        detail=detail_of(node),
        settings_hash=settings_hash(node),
        source_hash=source_hash(node),
    )


def _state(node: CompiledNode) -> StateDocument:
    kind: Any = node.state_type
    return StateDocument(
        state_id=node.state_id or "",
        node=node.name,
        type=payload_name(kind),
        schema=detail_of(node) if kind is None else schema_text(kind),
    )


def _place(location: SourceLocation | None) -> tuple[str | None, int | None]:
    return (None, None) if location is None else (location.file, location.line)
