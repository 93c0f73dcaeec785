"""One pass over a flow: where the compiler stands, what it knows there, what it has found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from loom_runtime.compiler.bindings import Binder
from loom_runtime.compiler.boundaries import Boundaries
from loom_runtime.compiler.issues import IssueCode, IssueCollector
from loom_runtime.compiler.locations import argument_location
from loom_runtime.compiler.naming import RESERVED_STEP_IDS, UniqueNames, safe_step_id
from loom_runtime.compiler.plan import CompiledNode, CompiledSink, NodePath
from loom_runtime.declaration import SourceLocation
from loom_runtime.flow.process import Process
from loom_runtime.flow.shapes import CollectBatch, ForEach, StreamShape


@dataclass(frozen=True)
class Place:
    """Where a process stands.

    Attributes:
        path: Path of what it stands in, branch index included; empty for the flow's own process.
        provided: Names of the dependencies that enclosing scopes provide.
        in_router: Whether a Router branch is round it.
        in_scope: Whether a With is round it.
        in_async: Whether a WithAsync is round it.
        continues: Whether records that leave it have somewhere to go.
    """

    path: NodePath = ()
    provided: frozenset[str] = frozenset()
    in_router: bool = False
    in_scope: bool = False
    in_async: bool = False
    continues: bool = False


@dataclass(frozen=True)
class Position:
    """One node's position while it is compiled.

    Attributes:
        place: Where its process stands.
        path: Its own path.
        shape: Shape that comes in; ``None`` when an earlier issue leaves that open.
        location: Its place in the source: its argument of the ``Process(…)`` call, or its own call.
        following: The node after it.
    """

    place: Place
    path: NodePath
    shape: StreamShape | None
    location: SourceLocation | None
    following: object = None

    @property
    def continues(self) -> bool:
        """Whether records that leave this node have somewhere to go."""
        return self.following is not None or self.place.continues

    def branch(self, index: int, **changes: Any) -> Place:
        """Return the place of this node's branch *index*."""
        return replace(self.place, path=(*self.path, index), **changes)


NodeCompiler = Callable[["Walk", Any, Position], CompiledNode | None]
"""Compiles one declaration; ``None`` when it is no node at all."""


@dataclass
class Walk:
    """What one pass over a flow shares.

    Attributes:
        compile_node: Compiles one declaration.
        binder: Builds steps and dependencies.
        boundaries: Resolves topics.
        issues: Where problems go.
        at_least_once: Whether the source promises that no record is lost.
        terminal_sinks: Sinks found on paths that end themselves.
        needs_async_bridge: Whether a node runs coroutines.
    """

    compile_node: NodeCompiler
    binder: Binder
    boundaries: Boundaries
    issues: IssueCollector
    at_least_once: bool
    terminal_sinks: dict[NodePath, CompiledSink] = field(default_factory=dict)
    needs_async_bridge: bool = False
    names: UniqueNames = field(default_factory=UniqueNames)
    _state_ids: UniqueNames = field(default_factory=lambda: UniqueNames("_", RESERVED_STEP_IDS))

    def process(
        self, process: Process[Any, Any], place: Place, shape: StreamShape | None
    ) -> tuple[tuple[CompiledNode, ...], StreamShape | None]:
        """Compile the nodes of *process*; return them and the shape that leaves it."""
        nodes: list[CompiledNode] = []
        ended_by = ""
        for index, declared in enumerate(process.nodes):
            location = getattr(declared, "declared_at", None)
            if location is None or isinstance(declared, type):
                location = argument_location(process.declared_at, "Process", index, len(process))
            if ended_by:
                self.issues.add(
                    IssueCode.NODE_AFTER_TERMINAL,
                    f"nothing reaches this node: {ended_by} ends the path",
                    component=_describe(declared),
                    location=location,
                    hint="move the terminal to the end, or remove what follows it",
                )
                ended_by, shape = "", None
            compiled = self.compile_node(
                self,
                declared,
                Position(
                    place=place,
                    path=(*place.path, index),
                    shape=shape,
                    location=location,
                    following=process.nodes[index + 1] if index + 1 < len(process) else None,
                ),
            )
            if compiled is None:
                shape = _shape_after(declared, shape)
                continue
            nodes.append(compiled)
            shape = compiled.output_shape
            if shape is StreamShape.NONE:
                ended_by = compiled.name
        return tuple(nodes), shape

    def expect(self, expected: StreamShape, component: str, at: Position) -> None:
        """Report when another shape than *expected* comes in."""
        if at.shape is None or at.shape is expected:
            return
        change = {
            StreamShape.RECORD: "put ForEach() before it",
            StreamShape.BATCH: "put CollectBatch(…) before it",
        }.get(expected)
        self.issues.add(
            IssueCode.SHAPE_MISMATCH,
            f"it takes {_PLURAL[expected]}, and {_PLURAL[at.shape]} come in",
            component=component,
            location=at.location,
            hint=change,
        )

    def claim_state_id(self, name: str) -> str:
        """Return the Bytewax step id of the state of the node called *name*."""
        return self._state_ids.claim(safe_step_id(name))


_PLURAL = {
    StreamShape.RECORD: "records",
    StreamShape.BATCH: "batches",
    StreamShape.NONE: "no records",
}


def _shape_after(declared: object, shape: StreamShape | None) -> StreamShape | None:
    """Return the shape that leaves what is no node: it is passed over, unless its aim is plain."""
    if declared is ForEach:
        return StreamShape.RECORD
    if declared is CollectBatch:
        return StreamShape.BATCH
    return shape


def _describe(declared: object) -> str:
    cls = declared if isinstance(declared, type) else type(declared)
    return getattr(declared, "target", cls).__qualname__
