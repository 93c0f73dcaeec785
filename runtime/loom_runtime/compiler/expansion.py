"""Compiles nodes that make typed rows: Explode and ExpandRoutes."""

from __future__ import annotations

from typing import Any

from loom_runtime.compiler.branches import Way, ending_branches, key_label
from loom_runtime.compiler.issues import IssueCode
from loom_runtime.compiler.plan import CompiledNode, NodeKind
from loom_runtime.compiler.walk import Position, Walk
from loom_runtime.flow.expansion import ExpandRoutes, Explode
from loom_runtime.flow.routing import Router
from loom_runtime.flow.shapes import StreamShape
from loom_runtime.model import message_type_of

_MESSAGE_TYPE = "msg.meta.message_type"


def compile_explode(walk: Walk, declared: Explode[Any], at: Position) -> CompiledNode:
    """Compile an Explode: the Router after it has a route for every row type."""
    name = walk.names.claim(f"Explode({declared.expander.__qualname__})")
    walk.expect(StreamShape.RECORD, name, at)
    outputs = _outputs(walk, declared.expander, name, at)
    router = at.following
    if not isinstance(router, Router):
        walk.issues.add(
            IssueCode.EXPLODE_WITHOUT_ROUTER,
            "its rows are of several types, and no Router follows to tell them apart",
            component=name,
            location=at.location,
            hint="put Router.by(…) after it, or use ExpandRoutes",
        )
    elif router.default is None:
        _check_routes(walk, outputs, _routed(router, outputs), name, at)
    return CompiledNode(
        node=declared,
        kind=NodeKind.EXPLODE,
        name=name,
        input_shape=StreamShape.RECORD,
        output_shape=StreamShape.RECORD,
        path=at.path,
        location=at.location,
    )


def compile_expand_routes(walk: Walk, declared: ExpandRoutes[Any], at: Position) -> CompiledNode:
    """Compile an ExpandRoutes: each branch ends itself."""
    name = walk.names.claim(f"ExpandRoutes({declared.expander.__qualname__})")
    walk.expect(StreamShape.RECORD, name, at)
    outputs = _outputs(walk, declared.expander, name, at)
    if declared.default is None:
        _check_routes(walk, outputs, frozenset(declared.routes), name, at)
    ways = [Way(key_label(kind), process, key=kind) for kind, process in declared.routes.items()]
    if declared.default is not None:
        ways.append(Way("default", declared.default, is_default=True))
    return CompiledNode(
        node=declared,
        kind=NodeKind.EXPAND_ROUTES,
        name=name,
        input_shape=StreamShape.RECORD,
        output_shape=StreamShape.NONE,
        path=at.path,
        location=at.location,
        branches=ending_branches(walk, name, tuple(ways), at),
    )


def _outputs(walk: Walk, expander: type, name: str, at: Position) -> tuple[type, ...]:
    outputs = getattr(expander, "outputs", None)
    wrong = []
    if not isinstance(outputs, tuple | list) or not outputs:
        wrong.append("outputs, a tuple of row types")
        outputs = ()
    if not callable(getattr(expander, "expand", None)):
        wrong.append("expand(event)")
    if wrong:
        walk.issues.add(
            IssueCode.EXPANDER_INCOMPLETE,
            f"{expander.__qualname__} lacks {' and '.join(wrong)}",
            component=name,
            location=at.location,
            hint="see PayloadExpander",
        )
    return tuple(outputs)


def _routed(router: Router[Any, Any], outputs: tuple[type, ...]) -> frozenset[type] | None:
    """Return the row types that *router* has routes for, or ``None`` when its keys don't tell."""
    if not router.routes:
        return None
    keys = set(router.routes)
    if all(isinstance(key, type) for key in keys):
        return frozenset(kind for kind in outputs if kind in keys)
    if repr(router.selector) == _MESSAGE_TYPE:
        return frozenset(kind for kind in outputs if message_type_of(kind) in keys)
    return None


def _check_routes(
    walk: Walk,
    outputs: tuple[type, ...],
    routed: frozenset[type] | None,
    name: str,
    at: Position,
) -> None:
    if routed is None:
        return
    for kind in outputs:
        if kind not in routed:
            walk.issues.add(
                IssueCode.ROW_TYPE_WITHOUT_ROUTE,
                f"rows of type {kind.__qualname__} have no route",
                component=name,
                location=at.location,
                hint=f"add a route for {kind.__qualname__}, or a default",
            )
