"""A plan as a Mermaid flowchart."""

from __future__ import annotations

from collections.abc import Iterator

from loom_bench.graph.outline import Shape, Vertex, links_of, vertices_of
from loom_bench.safe import safe
from loom_runtime.compiler.document_parts import EdgeDocument, EdgeKind, PlanDocument

_ARROWS = {EdgeKind.LATE: "-.->", EdgeKind.ERROR: "-.->", EdgeKind.DEAD_LETTER: "-.->"}

_BRACKETS = {
    Shape.STEP: ("[", "]"),
    Shape.CHOICE: ("{{", "}}"),
    Shape.SCOPE: ("[[", "]]"),
    Shape.TOPIC: ("([", "])"),
}


def mermaid(document: PlanDocument) -> str:
    """Return *document* as the text of a Mermaid flowchart, from top to bottom."""
    return "\n".join(["flowchart TB", *_body(document)]) + "\n"


def _body(document: PlanDocument) -> Iterator[str]:
    vertices = vertices_of(document)
    for vertex in vertices.values():
        opening, closing = _BRACKETS[vertex.shape]
        yield f"    {vertex.key}{opening}{_label(vertex)}{closing}"
    for edge in links_of(document):
        yield f"    {vertices[edge.origin].key} {_arrow(edge)} {vertices[edge.target].key}"


def _label(vertex: Vertex) -> str:
    return '"' + "<br/>".join(_escaped(line) for line in vertex.lines) + '"'


def _arrow(edge: EdgeDocument) -> str:
    arrow = _ARROWS.get(edge.kind, "-->")
    return f'{arrow}|"{_escaped(edge.label)}"|' if edge.label else arrow


def _escaped(text: str) -> str:
    """Return *text* as Mermaid shows it literally: anything but plain words as entity codes.

    Mermaid reads labels as HTML and, in backquotes, as Markdown; ``#35;`` is its own form of a
    numeric entity.
    """
    return "".join(
        character if character.isalnum() or character in " _.,:-" else f"#{ord(character)};"
        for character in safe(text)
    )
