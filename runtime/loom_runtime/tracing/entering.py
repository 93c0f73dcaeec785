"""A plan that begins at one of its nodes, for a record that is to go on from there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from loom_runtime.compiler.plan import (
    CompiledBranch,
    CompiledNode,
    CompiledPlan,
    NodeKind,
    NodePath,
)
from loom_runtime.message import Message


@dataclass(frozen=True)
class _Straight:
    """Stands in for a Router's or Fork's declaration: every record takes the default branch."""

    @property
    def selector(self) -> _Straight:
        return self

    def select(self, message: Message[Any]) -> object:  # noqa: ARG002 - the way is known
        return self


def plan_from(plan: CompiledPlan, path: NodePath) -> CompiledPlan:
    """Return *plan* without what stands before the node at *path*.

    Nodes that hold it stay: a scope opens its dependencies, a router leads to its branch without a
    choice, and what follows them follows. Paths and names of nodes stay what they are.
    """
    return replace(plan, process=_from(plan.process, path))


def _from(nodes: tuple[CompiledNode, ...], path: NodePath) -> tuple[CompiledNode, ...]:
    position, *within = path
    first = nodes[position]
    if within:
        first = _entered(first, within[0], tuple(within[1:]))
    return (first, *nodes[position + 1 :])


def _entered(node: CompiledNode, chosen: int, path: NodePath) -> CompiledNode:
    branches = tuple(
        _entry(branch, path) if branch.index == chosen else _closed(branch)
        for branch in node.branches
    )
    if node.kind in (NodeKind.ROUTER, NodeKind.FORK, NodeKind.EXPAND_ROUTES):
        kind = NodeKind.FORK if node.kind is NodeKind.EXPAND_ROUTES else node.kind
        return replace(node, node=_Straight(), kind=kind, branches=branches)
    return replace(node, branches=branches)


def _entry(branch: CompiledBranch, path: NodePath) -> CompiledBranch:
    return replace(branch, nodes=_from(branch.nodes, path), is_default=True)


def _closed(branch: CompiledBranch) -> CompiledBranch:
    return replace(branch, nodes=(), output=None, key=branch, is_default=False)
