"""A plan as a Graphviz digraph."""

from __future__ import annotations

from collections.abc import Iterator

from loom_bench.graph.outline import Shape, Vertex, links_of, vertices_of
from loom_bench.safe import safe
from loom_runtime.compiler.document_parts import EdgeDocument, EdgeKind, PlanDocument

_DASHED = frozenset({EdgeKind.LATE, EdgeKind.ERROR, EdgeKind.DEAD_LETTER})

_SHAPES = {
    Shape.STEP: "box",
    Shape.CHOICE: "diamond",
    Shape.SCOPE: "box3d",
    Shape.TOPIC: "cylinder",
}


def dot(document: PlanDocument) -> str:
    """Return *document* as the text of a Graphviz digraph, from top to bottom."""
    return "\n".join([f"digraph {_quoted(document.flow)} {{", *_body(document), "}"]) + "\n"


def _body(document: PlanDocument) -> Iterator[str]:
    yield "    rankdir=TB;"
    yield '    node [fontname="sans-serif"];'
    vertices = vertices_of(document)
    for vertex in vertices.values():
        yield f"    {vertex.key} [shape={_SHAPES[vertex.shape]}, label={_label(vertex)}];"
    for edge in links_of(document):
        ends = f"{vertices[edge.origin].key} -> {vertices[edge.target].key}"
        yield f"    {ends}{_attributes(edge)};"


def _label(vertex: Vertex) -> str:
    return '"' + "\\n".join(_escaped(line) for line in vertex.lines) + '"'


def _attributes(edge: EdgeDocument) -> str:
    attributes = [f"label={_quoted(edge.label)}"] if edge.label else []
    if edge.kind in _DASHED:
        attributes.append("style=dashed")
    return f" [{', '.join(attributes)}]" if attributes else ""


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    """Return *text* for a double-quoted DOT string, in which a label's entities and escapes such
    as ``\\N`` would be replaced."""
    return safe(text).replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")
