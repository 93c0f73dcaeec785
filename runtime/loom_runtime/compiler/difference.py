"""What differs between two plans of a flow, and what that means for its state."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator

import msgspec

from loom_runtime.compiler.document_parts import (
    EdgeKind,
    NodeDocument,
    PlanDocument,
    SinkDocument,
    StateDocument,
)
from loom_runtime.model import LoomFrozenStruct


class NodeChange(LoomFrozenStruct, frozen=True):
    """A node that both plans have.

    Attributes:
        name: Name of the node.
        what: What changed, a few words each.
    """

    name: str
    what: tuple[str, ...]


class StateChange(LoomFrozenStruct, frozen=True):
    """State that both plans keep under one id.

    Attributes:
        state_id: Bytewax step id.
        what: What changed, a few words each.
    """

    state_id: str
    what: tuple[str, ...]


class StateDifference(LoomFrozenStruct, frozen=True):
    """What happens to the state of nodes.

    Attributes:
        gone: Ids whose state the new plan would not read again.
        new: Ids that start without state.
        changed: Ids whose state has another form now.
    """

    gone: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    changed: tuple[StateChange, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.gone or self.new or self.changed)


class PlanDifference(LoomFrozenStruct, frozen=True, kw_only=True):
    """Everything that differs.

    Attributes:
        added: Names of nodes that only the new plan has.
        removed: Names of nodes that only the old plan has.
        changed: Nodes that both have and that differ.
        boundaries: Differences of the flow's name, source, sinks and error routes, one line each.
        state: What happens to the state of nodes.
        other_code: Whether the flow's files changed while nothing else here tells how, as when a
            function that steps call was edited.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[NodeChange, ...] = ()
    boundaries: tuple[str, ...] = ()
    state: StateDifference = StateDifference()
    other_code: bool = False

    def __bool__(self) -> bool:
        return (
            self.other_code
            or bool(self.added or self.removed or self.changed)
            or bool(self.boundaries or self.state)
        )

    @property
    def summary(self) -> str:
        """One line, such as ``2 nodes changed, 1 added``."""
        counted = [
            (len(self.changed), "changed"),
            (len(self.added), "added"),
            (len(self.removed), "removed"),
        ]
        parts = [f"{count} {verb}" for count, verb in counted if count]
        if parts:
            count, _, verb = parts[0].partition(" ")
            parts[0] = f"{count} {'node' if count == '1' else 'nodes'} {verb}"
        parts += self.boundaries
        parts += [f"state of {name} is gone" for name in self.state.gone]
        parts += [f"state of {each.state_id} changed" for each in self.state.changed]
        if self.other_code:
            parts.append("code outside the nodes changed")
        return ", ".join(parts) or "nothing changed"


def difference(old: PlanDocument, new: PlanDocument) -> PlanDifference:
    """Return what differs between *old* and *new*. Line numbers don't count."""
    before = {node.name: node for node in old.nodes}
    after = {node.name: node for node in new.nodes}
    moved = _moved(old, new)
    changes = [
        NodeChange(name, what)
        for name, node in after.items()
        if name in before and (what := tuple(_node_changes(before[name], node, name in moved)))
    ]
    found = PlanDifference(
        added=tuple(name for name in after if name not in before),
        removed=tuple(name for name in before if name not in after),
        changed=tuple(changes),
        boundaries=tuple(_boundary_changes(old, new)),
        state=_state_difference(old, new),
    )
    if found or old.code_hash == new.code_hash:
        return found
    return msgspec.structs.replace(found, other_code=True)


def _node_changes(old: NodeDocument, new: NodeDocument, moved: bool) -> Iterator[str]:
    if old.kind is not new.kind:
        yield f"{old.kind.value} became {new.kind.value}"
    if old.source_hash != new.source_hash:
        yield "code"
    if old.settings_hash != new.settings_hash:
        yield "arguments"
    if old.detail != new.detail:
        yield f"{old.detail or 'nothing'} became {new.detail or 'nothing'}"
    for side in ("input_shape", "output_shape"):
        was, is_now = getattr(old, side), getattr(new, side)
        if was is not is_now:
            yield f"{side.replace('_', ' ')} {was.value} became {is_now.value}"
    if moved:
        yield "moved"


def _moved(old: PlanDocument, new: PlanDocument) -> frozenset[str]:
    """Return the nodes that both plans have in another order or on another branch."""
    common = {node.name for node in old.nodes} & {node.name for node in new.nodes}
    before, after = (
        [(node.name, place[node.name]) for node in document.nodes if node.name in common]
        for document, place in ((old, _branches(old)), (new, _branches(new)))
    )
    matcher = difflib.SequenceMatcher(a=before, b=after, autojunk=False)
    kept = {
        before[index][0]
        for block in matcher.get_matching_blocks()
        for index in range(block.a, block.a + block.size)
    }
    return frozenset(common - kept)


def _branches(document: PlanDocument) -> dict[str, tuple[str, str]]:
    """Return, by node, the node and label of the branch that it stands on."""
    by_path = {node.path: node.name for node in document.nodes}
    labels = {
        (edge.origin, edge.target): edge.label
        for edge in document.edges
        if edge.kind is EdgeKind.BRANCH
    }
    found = {}
    for node in document.nodes:
        parent = by_path.get(node.path[:-2], "")
        first = by_path.get((*node.path[:-1], 0), "")
        found[node.name] = (parent, labels.get((parent, first), ""))
    return found


def _boundary_changes(old: PlanDocument, new: PlanDocument) -> Iterator[str]:
    if old.flow != new.flow:
        yield f"flow {old.flow} became {new.flow}"
    for field in ("name", "topics", "payload_types", "format", "delivery"):
        was, is_now = getattr(old.source, field), getattr(new.source, field)
        if was != is_now:
            yield f"source {field.replace('_', ' ')} {_shown(was)} became {_shown(is_now)}"
    before = {sink.id: sink for sink in old.sinks}
    after = {sink.id: sink for sink in new.sinks}
    yield from (f"sink {before[each].name} gone" for each in before if each not in after)
    yield from (f"sink {after[each].name} new" for each in after if each not in before)
    for each, sink in after.items():
        if each in before:
            yield from _sink_changes(before[each], sink)
    if old.output != new.output:
        yield "output changed"
    if old.error_routes != new.error_routes:
        yield "error routes changed"


def _sink_changes(old: SinkDocument, new: SinkDocument) -> Iterator[str]:
    for field in ("topic", "payload_type", "format", "dlq_topic"):
        was, is_now = getattr(old, field), getattr(new, field)
        if was != is_now:
            shown = field.replace("_", " ")
            yield f"sink {new.name} {shown} {_shown(was)} became {_shown(is_now)}"


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple | list) else str(value or "none")


def _state_difference(old: PlanDocument, new: PlanDocument) -> StateDifference:
    before = {state.state_id: state for state in old.states}
    after = {state.state_id: state for state in new.states}
    return StateDifference(
        gone=tuple(each for each in before if each not in after),
        new=tuple(each for each in after if each not in before),
        changed=tuple(
            StateChange(each, what)
            for each, state in after.items()
            if each in before and (what := tuple(_state_changes(before[each], state)))
        ),
    )


def _state_changes(old: StateDocument, new: StateDocument) -> Iterator[str]:
    if old.type != new.type:
        yield f"type {old.type or 'batch'} became {new.type or 'batch'}"
    if old.schema == new.schema:
        return
    before, after = _fields(old), _fields(new)
    if before is None or after is None:
        yield f"{old.schema} became {new.schema}"
        return
    yield from (f"field {each} gone" for each in before if each not in after)
    yield from (f"field {each} new" for each in after if each not in before)
    yield from (
        f"field {each} changed" for each in after if each in before and before[each] != after[each]
    )
    if before == after:
        yield "a nested type changed"


def _fields(state: StateDocument) -> dict[str, object] | None:
    """Return the fields of a struct's schema, or ``None`` when it is no struct's."""
    if not state.type:
        return None
    schema = json.loads(state.schema)
    definition = schema.get("$defs", {}).get(str(schema.get("$ref", "")).rpartition("/")[2], schema)
    properties: dict[str, object] = definition.get("properties", {})
    required = definition.get("required", [])
    return {name: (value, name in required) for name, value in properties.items()}
