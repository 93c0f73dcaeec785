"""Where a run is to stop before a node takes a record."""

from __future__ import annotations

from typing import Any

from loom_runtime.compiler.plan import NodeKind, NodePath
from loom_runtime.execution.layout import Layout
from loom_runtime.expressions import Evaluate
from loom_runtime.message import Message
from loom_runtime.tracing.conditions import ConditionError, condition
from loom_runtime.tracing.labels import labels_of


class Breakpoints:
    """Breakpoints by their number. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._places: dict[int, tuple[NodePath, Evaluate | None]] = {}

    def __bool__(self) -> bool:
        return bool(self._places)

    def set(self, number: int, node: str, text: str | None, layout: Layout) -> None:
        """Stop before *node* takes a record that fits *text*.

        Raises:
            ConditionError: When there is no such node, no stop can be made there, or *text* is no
                condition.
        """
        path = _stopping_path(layout, node)
        self._places[number] = (path, None if text is None else condition(text).compiled())

    def clear(self, number: int) -> None:
        """Forget one."""
        self._places.pop(number, None)

    def met(self, path: NodePath, message: Message[Any]) -> int | None:
        """Return the number of one that *message* meets before the node at *path*."""
        for number, (place, evaluate) in list(self._places.items()):
            if place == path and (evaluate is None or _holds(evaluate, message)):
                return number
        return None

    def stand_at(self, path: NodePath) -> bool:
        """Return whether one stands before the node at *path*."""
        return any(place == path for place, _ in list(self._places.values()))


def _holds(evaluate: Evaluate, message: Message[Any]) -> bool:
    try:
        return bool(evaluate(message))
    except Exception:  # noqa: BLE001 - a record that has no such field does not fit
        return False


def _stopping_path(layout: Layout, node: str) -> NodePath:
    """Return the path of what is to stop before *node*: a node inside a ``WithAsync`` runs with
    others on the event loop, which cannot wait, so its scope stops."""
    found = next((each for each in labels_of(layout).values() if each.node == node), None)
    if found is None:
        raise ConditionError(f"the flow has no node {node!r}")
    if found.kind in (NodeKind.COLLECT_BATCH, NodeKind.FOR_EACH):
        raise ConditionError(f"{node} takes no single records: set it at the node before")
    for scope in layout.plan.nodes:
        inside = found.path[: len(scope.path)] == scope.path and found.path != scope.path
        if scope.kind is NodeKind.WITH_ASYNC and inside:
            return scope.path
    return found.path
