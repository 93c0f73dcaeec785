"""Turns a declared flow into a plan, or into a list of everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from loom_runtime.compiler.bindings import Binder
from loom_runtime.compiler.boundaries import Boundaries
from loom_runtime.compiler.issues import IssueCode, IssueCollector
from loom_runtime.compiler.kafka_section import KafkaSection
from loom_runtime.compiler.nodes import compile_node
from loom_runtime.compiler.plan import CompiledPlan, CompiledSink
from loom_runtime.compiler.walk import Place, Walk
from loom_runtime.config.context import ConfigContext
from loom_runtime.flow.process import StreamFlow
from loom_runtime.flow.shapes import StreamShape


def compile_flow(
    flow: StreamFlow[Any, Any], *, config: ConfigContext | Mapping[str, Any]
) -> CompiledPlan:
    """Compile *flow*.

    Every issue is collected before one error is raised. Steps are built once here, so that what
    their constructors refuse is known before anything runs.

    Args:
        flow: The declared flow.
        config: Where topics, settings and step arguments come from: a
            :class:`~loom_runtime.config.context.ConfigContext` or a mapping.

    Raises:
        CompilationError: When the flow cannot run.
    """
    issues = IssueCollector()
    context = ConfigContext.from_dict(config) if isinstance(config, Mapping) else config
    boundaries = Boundaries(KafkaSection(context, issues), issues)
    source = boundaries.source(flow.source)
    walk = Walk(
        compile_node=compile_node,
        binder=Binder(context, issues),
        boundaries=boundaries,
        issues=issues,
        at_least_once=source.settings.delivery == "at_least_once",
    )
    nodes, shape = walk.process(
        flow.process, Place(continues=flow.output is not None), StreamShape.RECORD
    )
    output = _output(flow, shape, walk)
    error_routes = {kind: boundaries.sink(sink) for kind, sink in flow.errors.items()}
    boundaries.check_together()
    issues.raise_if_any(flow.name)
    return CompiledPlan(
        name=flow.name,
        source=source,
        process=nodes,
        output=output,
        terminal_sinks=MappingProxyType(walk.terminal_sinks),
        error_routes=MappingProxyType(error_routes),
        needs_async_bridge=walk.needs_async_bridge,
        location=flow.declared_at,
    )


def _output(
    flow: StreamFlow[Any, Any], shape: StreamShape | None, walk: Walk
) -> CompiledSink | None:
    sink = None if flow.output is None else walk.boundaries.sink(flow.output)
    if shape is StreamShape.NONE and sink is not None:
        walk.issues.add(
            IssueCode.OUTPUT_BESIDE_TERMINAL,
            f"its output {sink.name!r} receives nothing: the process ends itself",
            component=flow.name,
            location=sink.location or flow.declared_at,
            hint="remove output, or the terminal at the end of the process",
        )
    if shape in (StreamShape.RECORD, StreamShape.BATCH) and sink is None:
        walk.issues.add(
            IssueCode.NO_TERMINAL_OUTPUT,
            "what leaves its process goes nowhere",
            component=flow.name,
            location=flow.declared_at,
            hint="give the flow an output, or end the process with IntoTopic(…) or Drain()",
        )
    if shape is StreamShape.BATCH and sink is not None:
        walk.issues.add(
            IssueCode.SHAPE_MISMATCH,
            "its process gives batches, and topics take records",
            component=flow.name,
            location=flow.declared_at,
            hint="end the process with ForEach()",
        )
    return sink
