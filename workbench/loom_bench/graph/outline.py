"""A plan as vertices with plain keys, for graph languages that place them themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from loom_runtime.compiler.document_parts import EdgeDocument, EdgeKind, PlanDocument
from loom_runtime.compiler.plan import NodeKind

ERRORS_ID: Final = "errors"
"""Id of the vertex that stands for every node at which a record can fail."""


class Shape(Enum):
    """What a vertex is drawn as."""

    STEP = auto()
    CHOICE = auto()
    SCOPE = auto()
    TOPIC = auto()


@dataclass(frozen=True)
class Vertex:
    """One vertex.

    Attributes:
        key: A word of letters and digits, unique in the graph; says nothing of outside names.
        lines: Its text, not yet safe.
        shape: What it is drawn as.
    """

    key: str
    lines: tuple[str, ...]
    shape: Shape


_SHAPES = {
    NodeKind.ROUTER: Shape.CHOICE,
    NodeKind.FORK: Shape.CHOICE,
    NodeKind.BROADCAST: Shape.CHOICE,
    NodeKind.EXPAND_ROUTES: Shape.CHOICE,
    NodeKind.WITH: Shape.SCOPE,
    NodeKind.WITH_ASYNC: Shape.SCOPE,
}


def vertices_of(document: PlanDocument) -> dict[str, Vertex]:
    """Return every vertex of *document* by the id that its edges use."""
    source = document.source
    texts: dict[str, tuple[tuple[str, ...], Shape]] = {
        source.id: ((source.name, *_other_topics(source.name, source.topics)), Shape.TOPIC)
    }
    for node in document.nodes:
        lines = (node.name, node.detail) if node.detail else (node.name,)
        texts[node.id] = lines, _SHAPES.get(node.kind, Shape.STEP)
    for sink in document.sinks:
        texts[sink.id] = (sink.name, *_other_topics(sink.name, (sink.topic,))), Shape.TOPIC
    if document.error_routes:
        texts[ERRORS_ID] = ("records that fail",), Shape.SCOPE
    for edge in document.edges:  # dead-letter topics are named by edges only
        for end in (edge.origin, edge.target):
            texts.setdefault(end, ((end.removeprefix("sink:"),), Shape.TOPIC))
    return {
        vertex_id: Vertex(f"v{index}", lines, shape)
        for index, (vertex_id, (lines, shape)) in enumerate(texts.items())
    }


def links_of(document: PlanDocument) -> Iterator[EdgeDocument]:
    """Yield the edges to draw.

    Nearly every node has an edge of every error kind to the same topic. One edge from a vertex
    that stands for them all says the same and can be read.
    """
    kinds: dict[str, dict[str, None]] = {}
    for edge in document.edges:
        if edge.kind is EdgeKind.ERROR:
            kinds.setdefault(edge.target, {})[edge.label] = None
        else:
            yield edge
    for target, labels in kinds.items():
        yield EdgeDocument(ERRORS_ID, target, EdgeKind.ERROR, ", ".join(labels))


def _other_topics(name: str, topics: tuple[str, ...]) -> tuple[str, ...]:
    return () if topics == (name,) else (f"topic {', '.join(topics)}",)
