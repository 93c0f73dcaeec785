"""Compiles nodes that change a stream's shape or end it, and finds the compiler of any other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from loom_runtime.compiler.branches import compile_broadcast, compile_fork, compile_router
from loom_runtime.compiler.expansion import compile_expand_routes, compile_explode
from loom_runtime.compiler.issues import IssueCode
from loom_runtime.compiler.plan import CompiledNode, NodeKind
from loom_runtime.compiler.scopes import compile_scope
from loom_runtime.compiler.steps import compile_step, step_class
from loom_runtime.compiler.walk import Position, Walk
from loom_runtime.flow.boundary import IntoTopic
from loom_runtime.flow.expansion import ExpandRoutes, Explode
from loom_runtime.flow.routing import Broadcast, Fork, Router
from loom_runtime.flow.scopes import With, WithAsync
from loom_runtime.flow.shapes import CollectBatch, Drain, ForEach, StreamShape


def compile_node(walk: Walk, declared: object, at: Position) -> CompiledNode | None:
    """Compile whatever stands in a process; ``None`` when it is no node."""
    handler = _HANDLERS.get(type(declared))
    if handler is not None:
        _check_place(walk, declared, at)
        return handler(walk, declared, at)
    if (step := step_class(declared)) is not None:
        return compile_step(walk, declared, step, at)
    cls = declared if isinstance(declared, type) else type(declared)
    target = getattr(declared, "target", cls)
    walk.issues.add(
        IssueCode.NOT_A_NODE,
        f"{target.__qualname__} cannot stand in a process",
        component=target.__qualname__,
        location=at.location,
        hint=f"write {cls.__qualname__}(…)"
        if cls in _HANDLERS
        else "a node is a step, or one of the runtime's own nodes",
    )
    return None


def _compile_collect(walk: Walk, declared: CollectBatch, at: Position) -> CompiledNode:
    name = walk.names.claim("CollectBatch")
    walk.expect(StreamShape.RECORD, name, at)
    return CompiledNode(
        node=declared,
        kind=NodeKind.COLLECT_BATCH,
        name=name,
        input_shape=StreamShape.RECORD,
        output_shape=StreamShape.BATCH,
        path=at.path,
        location=at.location,
        state_id=walk.claim_state_id("collect_batch"),
        sink=None if declared.late is None else walk.boundaries.sink(declared.late),
    )


def _compile_for_each(walk: Walk, declared: ForEach, at: Position) -> CompiledNode:
    name = walk.names.claim("ForEach")
    walk.expect(StreamShape.BATCH, name, at)
    return CompiledNode(
        node=declared,
        kind=NodeKind.FOR_EACH,
        name=name,
        input_shape=StreamShape.BATCH,
        output_shape=StreamShape.RECORD,
        path=at.path,
        location=at.location,
    )


def _compile_drain(walk: Walk, declared: Drain, at: Position) -> CompiledNode:
    name = walk.names.claim("Drain")
    walk.expect(StreamShape.RECORD, name, at)
    return CompiledNode(
        node=declared,
        kind=NodeKind.DRAIN,
        name=name,
        input_shape=StreamShape.RECORD,
        output_shape=StreamShape.NONE,
        path=at.path,
        location=at.location,
    )


def _compile_into_topic(walk: Walk, declared: IntoTopic[Any], at: Position) -> CompiledNode:
    name = walk.names.claim(f"IntoTopic({declared.name})")
    walk.expect(StreamShape.RECORD, name, at)
    sink = walk.boundaries.sink(declared)
    walk.terminal_sinks[at.path] = sink
    return CompiledNode(
        node=declared,
        kind=NodeKind.INTO_TOPIC,
        name=name,
        input_shape=StreamShape.RECORD,
        output_shape=StreamShape.NONE,
        path=at.path,
        location=at.location,
        sink=sink,
    )


_UNSAFE_IN_ROUTER: Final = (CollectBatch, ForEach)
_UNSAFE_IN_SCOPE: Final = (CollectBatch,)
_UNSAFE_IN_ASYNC: Final = (CollectBatch, ForEach, Fork, Broadcast, Explode, ExpandRoutes)


def _check_place(walk: Walk, declared: object, at: Position) -> None:
    place, component = at.place, type(declared).__name__
    if place.in_router and isinstance(declared, _UNSAFE_IN_ROUTER):
        walk.issues.add(
            IssueCode.UNSAFE_IN_ROUTER,
            "it cannot stand inside a Router branch, which takes one record at a time",
            component=component,
            location=at.location,
            hint="move it before or after the Router, or split with Fork",
        )
    elif place.in_async and isinstance(declared, _UNSAFE_IN_ASYNC):
        walk.issues.add(
            IssueCode.UNSAFE_IN_SCOPE,
            "it cannot stand inside WithAsync, which runs records one by one",
            component=component,
            location=at.location,
            hint="move it out of WithAsync",
        )
    elif place.in_scope and isinstance(declared, _UNSAFE_IN_SCOPE):
        walk.issues.add(
            IssueCode.UNSAFE_IN_SCOPE,
            "it holds records longer than a scope is open, so it cannot stand inside With",
            component=component,
            location=at.location,
            hint="move it before the With",
        )


_Handler = Callable[[Walk, Any, Position], CompiledNode]

_HANDLERS: Final[Mapping[type, _Handler]] = {
    CollectBatch: _compile_collect,
    ForEach: _compile_for_each,
    Drain: _compile_drain,
    IntoTopic: _compile_into_topic,
    Router: compile_router,
    Fork: compile_fork,
    Broadcast: compile_broadcast,
    Explode: compile_explode,
    ExpandRoutes: compile_expand_routes,
    With: compile_scope,
    WithAsync: compile_scope,
}
