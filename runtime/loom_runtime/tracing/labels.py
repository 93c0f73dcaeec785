"""What the stops of a trace are called: the node behind every path that counts something."""

from __future__ import annotations

from dataclasses import dataclass, field

from loom_runtime.compiler.edges import sink_id, source_id
from loom_runtime.compiler.plan import NodeKind, NodePath
from loom_runtime.execution.layout import Layout


@dataclass(frozen=True)
class Label:
    """Names of one node.

    Attributes:
        path: What it counts under; empty for the source, ``(-1, port)`` for a sink that is no node.
        node: Its id in the plan document.
        name: Its name.
        kind: What it is; ``None`` for the source and for a sink that is no node.
        branches: Labels of its branches by index.
    """

    path: NodePath
    node: str
    name: str
    kind: NodeKind | None = None
    branches: dict[int, str] = field(default_factory=dict)

    @property
    def writes(self) -> bool:
        """Whether it writes to a topic."""
        return self.kind is NodeKind.INTO_TOPIC or self.path[:1] == (-1,)


def labels_of(layout: Layout) -> dict[NodePath, Label]:
    """Return the labels of everything in *layout* that counts."""
    plan = layout.plan
    labels: dict[NodePath, Label] = {(): Label((), source_id(plan), plan.source.name)}
    for port in layout.ports:
        path = (-1, port.index)
        if port.sink is not None:
            labels[path] = Label(path, sink_id(port.sink), port.sink.name)
    for node in plan.nodes:
        branches = {branch.index: branch.label for branch in node.branches}
        labels[node.path] = Label(node.path, node.name, node.name, node.kind, branches)
    return labels
