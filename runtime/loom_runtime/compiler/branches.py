"""Compiles nodes with several ways out: Router, Fork, Broadcast."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from loom_runtime.compiler.issues import IssueCode
from loom_runtime.compiler.plan import CompiledBranch, CompiledNode, CompiledSink, NodeKind
from loom_runtime.compiler.walk import Place, Position, Walk
from loom_runtime.expressions import ExpressionNode
from loom_runtime.flow.process import Process
from loom_runtime.flow.routing import Broadcast, Fork, Router
from loom_runtime.flow.shapes import StreamShape


@dataclass(frozen=True)
class Way:
    """One declared way out of a node.

    Attributes:
        label: Name shown for it.
        process: What stands on it.
        key: Route key.
        when: Condition.
        is_default: Whether it takes what no other claims.
    """

    label: str
    process: Process[Any, Any]
    key: object = None
    when: object = None
    is_default: bool = False


def compile_router(walk: Walk, declared: Router[Any, Any], at: Position) -> CompiledNode:
    """Compile a Router: each branch gives records or ends itself."""
    name = walk.names.claim("Router")
    walk.expect(StreamShape.RECORD, name, at)
    branches = []
    # Branches may all end themselves while records that none of them claims still matter to what
    # follows: only a default makes certain that nothing follows.
    gives = StreamShape.NONE
    if declared.default is None and at.continues:
        gives = StreamShape.RECORD
    for index, way in enumerate(_ways(declared)):
        place = at.branch(index, in_router=True, continues=at.continues)
        branch, shape = compile_branch(walk, way, index, place)
        branches.append(branch)
        if shape is not StreamShape.NONE:
            gives = StreamShape.RECORD
    return CompiledNode(
        node=declared,
        kind=NodeKind.ROUTER,
        name=name,
        input_shape=StreamShape.RECORD,
        output_shape=gives,
        path=at.path,
        location=at.location,
        branches=tuple(branches),
    )


def compile_fork(walk: Walk, declared: Fork[Any], at: Position) -> CompiledNode:
    """Compile a Fork: each branch ends itself."""
    name = walk.names.claim("Fork")
    walk.expect(StreamShape.RECORD, name, at)
    if declared.default is None and walk.at_least_once:
        walk.issues.add(
            IssueCode.FORK_WITHOUT_DEFAULT,
            "a record that no branch claims would be lost, and delivery is at_least_once",
            component=name,
            location=at.location,
            hint="add default=Process(…), which may be Process(Drain()) to drop such records",
        )
    return CompiledNode(
        node=declared,
        kind=NodeKind.FORK,
        name=name,
        input_shape=StreamShape.RECORD,
        output_shape=StreamShape.NONE,
        path=at.path,
        location=at.location,
        branches=ending_branches(walk, name, tuple(_ways(declared)), at),
    )


def compile_broadcast(walk: Walk, declared: Broadcast[Any], at: Position) -> CompiledNode:
    """Compile a Broadcast: each branch has an output or ends itself."""
    name = walk.names.claim("Broadcast")
    walk.expect(StreamShape.RECORD, name, at)
    branches = []
    for index, route in enumerate(declared.routes):
        sink = None if route.output is None else walk.boundaries.sink(route.output)
        label = str(index) if sink is None else sink.name
        place = at.branch(index, continues=sink is not None)
        branch, shape = compile_branch(walk, Way(label, route.process), index, place, sink)
        branches.append(branch)
        component = f"{name}, branch {label}"
        if sink is not None and shape is StreamShape.NONE:
            walk.issues.add(
                IssueCode.OUTPUT_BESIDE_TERMINAL,
                f"its output {sink.name!r} receives nothing: the process ends itself",
                component=component,
                location=route.declared_at,
                hint="remove output, or the terminal at the end of the process",
            )
        elif sink is not None:
            walk.terminal_sinks[place.path] = sink
        _refuse_batches(walk, shape, component, route.process)
    return CompiledNode(
        node=declared,
        kind=NodeKind.BROADCAST,
        name=name,
        input_shape=StreamShape.RECORD,
        output_shape=StreamShape.NONE,
        path=at.path,
        location=at.location,
        branches=tuple(branches),
    )


def ending_branches(
    walk: Walk, name: str, ways: tuple[Way, ...], at: Position
) -> tuple[CompiledBranch, ...]:
    """Compile branches that must each end in a terminal."""
    branches = []
    for index, way in enumerate(ways):
        branch, shape = compile_branch(walk, way, index, at.branch(index, continues=False))
        branches.append(branch)
        if shape in (StreamShape.RECORD, StreamShape.BATCH):
            walk.issues.add(
                IssueCode.BRANCH_WITHOUT_TERMINAL,
                "its results go nowhere",
                component=f"{name}, branch {way.label}",
                location=way.process.declared_at,
                hint="end the branch with IntoTopic(…) or Drain()",
            )
    return tuple(branches)


def compile_branch(
    walk: Walk, way: Way, index: int, place: Place, output: CompiledSink | None = None
) -> tuple[CompiledBranch, StreamShape | None]:
    """Compile what stands on one way; return it and the shape that leaves it."""
    nodes, shape = walk.process(way.process, place, StreamShape.RECORD)
    return (
        CompiledBranch(
            index=index,
            label=way.label,
            nodes=nodes,
            key=way.key,
            when=way.when,
            output=output,
            is_default=way.is_default,
        ),
        shape,
    )


def key_label(key: object) -> str:
    """Return how a route key is shown."""
    if isinstance(key, type):
        return key.__qualname__
    if isinstance(key, Enum):
        return str(key.value)
    return key if isinstance(key, str) else repr(key)


def condition_label(when: object) -> str:
    """Return how a condition or selector is shown."""
    return repr(when) if isinstance(when, ExpressionNode) else type(when).__qualname__


def _ways(declared: Router[Any, Any] | Fork[Any]) -> Iterator[Way]:
    for key, process in declared.routes.items():
        yield Way(key_label(key), process, key=key)
    for route in declared.predicate_routes:
        yield Way(condition_label(route.when), route.process, when=route.when)
    if declared.default is not None:
        yield Way("default", declared.default, is_default=True)


def _refuse_batches(
    walk: Walk, shape: StreamShape | None, component: str, process: Process[Any, Any]
) -> None:
    if shape is StreamShape.BATCH:
        walk.issues.add(
            IssueCode.SHAPE_MISMATCH,
            "its process gives batches, and topics take records",
            component=component,
            location=process.declared_at,
            hint="end the process with ForEach()",
        )
