"""Reads a plan's picture out of its document: chains, splits and frames instead of paths."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from loom_bench.graph.shapes import Aside, Box, Chain, Frame, Item, Picture, Split, Way
from loom_bench.safe import cell_width, safe
from loom_runtime.compiler.document_parts import (
    EdgeDocument,
    EdgeKind,
    NodeDocument,
    PlanDocument,
    SinkDocument,
)
from loom_runtime.compiler.plan import NodeKind, NodePath
from loom_runtime.flow.shapes import StreamShape

MAX_TEXT_CELLS = 38
"""A box of this text is 42 cells wide: half of a terminal of 84."""

MAX_SHORT_LABEL_CELLS = 20
"""A branch's condition where boxes tell only their names."""

_MAX_DETAIL_LINES = 3

_SCOPES = frozenset({NodeKind.WITH, NodeKind.WITH_ASYNC})

_KIND_WORDS: Mapping[NodeKind, str] = {
    NodeKind.BATCH_STEP: "batch step",
    NodeKind.EXPAND_STEP: "expand step",
    NodeKind.BATCH_EXPAND_STEP: "batch expand step",
    NodeKind.STATEFUL_STEP: "keeps state",
}


def picture_of(
    document: PlanDocument,
    notes: Mapping[str, Sequence[str]] | None = None,
    *,
    folded: Collection[str] = (),
    names_only: bool = False,
) -> Picture:
    """Return what to draw for *document*.

    Args:
        document: The plan.
        notes: Further lines for boxes, by id: of a node, of the source, or of a sink.
        folded: Ids of nodes that are drawn without what lies inside them.
        names_only: Whether boxes tell their name and their notes only.
    """
    return _Reader(document, notes or {}, folded, names_only).picture()


class _Reader:
    def __init__(
        self,
        document: PlanDocument,
        notes: Mapping[str, Sequence[str]],
        folded: Collection[str],
        names_only: bool,
    ) -> None:
        self._document = document
        self._notes = notes
        self._folded = folded
        self._names_only = names_only
        self._sinks = {sink.id: sink for sink in document.sinks}
        self._from: dict[str, list[EdgeDocument]] = defaultdict(list)
        for edge in document.edges:
            self._from[edge.origin].append(edge)
        self._branches: dict[NodePath, dict[int, list[NodeDocument]]] = defaultdict(dict)
        for node in document.nodes:
            branches = self._branches[node.path[:-2]]
            branches.setdefault(node.path[-2] if len(node.path) > 1 else 0, []).append(node)

    def picture(self) -> Picture:
        top = [self._part(node) for node in self._branches[()].get(0, [])]
        parts = [self._source(), *top]
        if self._document.output is not None:
            parts.append(self._sink_item(self._document.output))
        return Picture(Chain(tuple(parts)), tuple(self._error_boxes()))

    def _source(self) -> Item:
        source = self._document.source
        lines = [source.name]
        if source.topics != (source.name,):
            lines.append(f"topic {', '.join(source.topics)}")
        lines.append(f"source of {', '.join(source.payload_types)}")
        if source.delivery != "at_least_once":
            lines.append(source.delivery.replace("_", " "))
        return Item(self._box(source.id, lines))

    def _part(self, node: NodeDocument) -> Item | Split | Frame:
        gives = "batch" if node.output_shape is StreamShape.BATCH else ""
        box = self._box(node.id, self._node_lines(node))
        branches = self._branches.get(node.path, {})
        if not branches:
            return Item(
                box,
                gives=gives,
                ends=node.output_shape is StreamShape.NONE,
                aside=self._aside(node),
            )
        if node.id in self._folded:
            return self._folded_item(node, gives)
        if node.kind in _SCOPES:
            return Frame(box, self._chain(branches[min(branches)]), gives)
        ways = [self._way(node, branches[index]) for index in sorted(branches)]
        passed = self._passed_on(node)
        if passed is not None:
            ways.append(Way(self._way_label(passed), Chain(())))
        return Split(box, tuple(ways), gives)

    def _folded_item(self, node: NodeDocument, gives: str) -> Item:
        depth = len(node.path)
        inside = [each for each in self._document.nodes if each.path[:depth] == node.path]
        name, *more = self._node_lines(node)
        hidden = len(inside) - 1
        box = self._box(node.id, [f"{name} [+{hidden}]", *more])
        ends = not self._loose_ends(node) or node.kind is NodeKind.BROADCAST
        return Item(box, gives=gives, ends=ends)

    def _chain(self, nodes: Iterable[NodeDocument]) -> Chain:
        return Chain(tuple(self._part(node) for node in nodes))

    def _way(self, origin: NodeDocument, nodes: Sequence[NodeDocument]) -> Way:
        chain = self._chain(nodes)
        if origin.kind is NodeKind.BROADCAST and not chain.ends:
            chain = Chain((*chain.parts, self._broadcast_end(nodes[-1])))
        entered = (edge for edge in self._from[origin.id] if edge.target == nodes[0].id)
        return Way(self._way_label(next(entered, None)), chain)

    def _way_label(self, edge: EdgeDocument | None) -> str:
        max_cells = MAX_SHORT_LABEL_CELLS if self._names_only else MAX_TEXT_CELLS
        return "" if edge is None else safe(edge.label, max_cells=max_cells)

    def _passed_on(self, node: NodeDocument) -> EdgeDocument | None:
        """Return the edge by which a router hands on records that no branch of it claims."""
        if node.kind is not NodeKind.ROUTER:
            return None
        depth = len(node.path)
        inside = {each.id for each in self._document.nodes if each.path[:depth] == node.path}
        ways = (EdgeKind.BRANCH, EdgeKind.WRITE)
        leaving = (edge for edge in self._from[node.id] if edge.kind in ways)
        return next((edge for edge in leaving if edge.target not in inside), None)

    def _broadcast_end(self, last: NodeDocument) -> Item:
        for end in self._loose_ends(last):
            for edge in self._from[end.id]:
                if edge.kind is EdgeKind.WRITE:
                    return self._sink_item(edge.target)
        return Item(Box(f"{last.id}:dropped", ("dropped",), dashed=True), ends=True)

    def _loose_ends(self, node: NodeDocument) -> list[NodeDocument]:
        branches = self._branches.get(node.path, {})
        if not branches:
            return [] if node.output_shape is StreamShape.NONE else [node]
        inner = [end for nodes in branches.values() for end in self._loose_ends(nodes[-1])]
        return inner if self._passed_on(node) is None else [*inner, node]

    def _aside(self, node: NodeDocument) -> Aside | None:
        late = (edge for edge in self._from[node.id] if edge.kind is EdgeKind.LATE)
        edge = next(late, None)
        if edge is None:
            return None
        return Aside("late", self._box(edge.target, self._sink_lines(edge.target), dashed=True))

    def _sink_item(self, sink_id: str) -> Item:
        return Item(self._box(sink_id, self._sink_lines(sink_id)), ends=True)

    def _error_boxes(self) -> Iterable[Box]:
        kinds: dict[str, list[str]] = defaultdict(list)
        for kind, sink_id in self._document.error_routes.items():
            kinds[sink_id].append(kind.value)
        for sink_id, routed in kinds.items():
            lines = [*self._sink_lines(sink_id), f"errors: {', '.join(routed)}"]
            yield self._box(sink_id, lines, dashed=True)

    def _node_lines(self, node: NodeDocument) -> list[str]:
        lines = [node.name]
        if node.kind in _KIND_WORDS:
            lines.append(_KIND_WORDS[node.kind])
        if node.kind is NodeKind.INTO_TOPIC:
            written = (edge for edge in self._from[node.id] if edge.kind is EdgeKind.WRITE)
            for edge in written:
                lines.extend(self._sink_lines(edge.target)[1:])
        if node.detail:
            lines.append(node.detail)
        return lines

    def _sink_lines(self, sink_id: str) -> list[str]:
        sink = self._sinks.get(sink_id)
        if sink is None:
            return [sink_id]
        return [sink.name, *_sink_details(sink)]

    def _box(self, box_id: str, lines: Sequence[str], *, dashed: bool = False) -> Box:
        name, *details = lines
        text = [safe(name, max_cells=MAX_TEXT_CELLS)]
        for detail in () if self._names_only else details:
            text.extend(_wrapped(safe(detail)))
        text.extend(safe(note, max_cells=MAX_TEXT_CELLS) for note in self._notes.get(box_id, ()))
        return Box(box_id, tuple(text), dashed)


def _sink_details(sink: SinkDocument) -> Iterable[str]:
    if sink.topic != sink.name:
        yield f"topic {sink.topic}"
    if sink.dlq_topic is not None:
        yield f"dead letters to {sink.dlq_topic}"


def _wrapped(text: str) -> list[str]:
    """Return *text* in lines of at most ``MAX_TEXT_CELLS``, broken at spaces where it can be."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if cell_width(longer) <= MAX_TEXT_CELLS or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > _MAX_DETAIL_LINES:
        lines[_MAX_DETAIL_LINES - 1 :] = [" ".join(lines[_MAX_DETAIL_LINES - 1 :])]
    return [safe(line, max_cells=MAX_TEXT_CELLS) for line in lines]
