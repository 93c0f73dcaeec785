"""Nodes behind which a record has become several: run again, the others come out twice."""

from __future__ import annotations

from typing import Final

from loom_runtime.compiler.document_parts import PlanDocument
from loom_runtime.compiler.plan import NodeKind, NodePath

_COPIES_INSIDE: Final = frozenset({NodeKind.BROADCAST, NodeKind.EXPAND_ROUTES})


def behind_a_fan_out(plan: PlanDocument) -> frozenset[str]:
    """Return the ids of the nodes that take one of several parts of a source record.

    A step that expands is not looked at: it may as well filter.
    """
    inside = [node.path for node in plan.nodes if node.kind in _COPIES_INSIDE]
    behind = [node.path for node in plan.nodes if node.kind is NodeKind.EXPLODE]
    return frozenset(
        node.id
        for node in plan.nodes
        if any(_is_inside(node.path, each) for each in inside)
        or any(_is_behind(node.path, each) for each in behind)
    )


def _is_inside(path: NodePath, holder: NodePath) -> bool:
    return len(path) > len(holder) and path[: len(holder)] == holder


def _is_behind(path: NodePath, other: NodePath) -> bool:
    """Whether *path* comes after *other* on the same way, at any depth."""
    for depth in range(len(other), 0, -2):
        before, last = other[: depth - 1], other[depth - 1]
        if path[: depth - 1] == before and len(path) >= depth and path[depth - 1] > last:
            return True
    return False
