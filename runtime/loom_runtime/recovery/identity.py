"""Whose state a recovery store holds."""

from __future__ import annotations

from typing import Final

from loom_runtime.compiler.plan import CompiledPlan, NodeKind
from loom_runtime.model import LoomFrozenStruct

FORMAT_VERSION: Final = 1
"""Version of the identity file's layout."""


class StatefulStepIdentity(LoomFrozenStruct, frozen=True, kw_only=True):
    """A step that keeps state.

    Attributes:
        node: Name of the node.
        kind: What it is.
        state_type: Name of its state's type; empty for records that a batch holds.
    """

    node: str
    kind: NodeKind
    state_type: str = ""


class StoreIdentity(LoomFrozenStruct, frozen=True, kw_only=True):
    """What a store and a plan must agree on.

    Attributes:
        format: Version of this layout.
        flow: Name of the flow.
        topics: Physical source topics.
        steps: Steps that keep state, by Bytewax step id.
    """

    format: int = FORMAT_VERSION
    flow: str
    topics: tuple[str, ...]
    steps: dict[str, StatefulStepIdentity]


def identity_of(plan: CompiledPlan) -> StoreIdentity:
    """Return what *plan* demands of its store."""
    return StoreIdentity(
        flow=plan.name,
        topics=plan.source.topics,
        steps={
            node.state_id: StatefulStepIdentity(
                node=node.name,
                kind=node.kind,
                state_type="" if node.state_type is None else str(node.state_type),
            )
            for node in plan.nodes
            if node.state_id is not None
        },
    )
