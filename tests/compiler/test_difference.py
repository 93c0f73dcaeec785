"""What differs between two plans: nodes, boundaries, state."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from loom_runtime import (
    CollectBatch,
    Drain,
    ErrorKind,
    ForEach,
    FromTopic,
    IntoTopic,
    LoomFrozenStruct,
    Message,
    Process,
    ProcessNode,
    RecordStep,
    Router,
    StatefulStep,
    StreamFlow,
    compile_flow,
    payload,
)
from loom_runtime.compiler.difference import NodeChange, PlanDifference, StateChange, difference
from loom_runtime.compiler.document import PlanDocument, document_of
from tests.compiler.samples import KAFKA, OUT, config_of, flow_of
from tests.compiler.typed_flow import CONFIG, Priced, RunningTotal, Unrolled, Valid, pricing


class Scale(RecordStep[Priced, Priced]):
    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor

    def execute(self, message: Message[Priced]) -> Priced:
        return message.payload


def described(flow: StreamFlow[Any, Any], config: dict[str, Any] | None = None) -> PlanDocument:
    return document_of(compile_flow(flow, config=config or config_of()))


def compare(old: list[ProcessNode], new: list[ProcessNode]) -> PlanDifference:
    return difference(described(flow_of(*old)), described(flow_of(*new)))


def test_nothing_changed() -> None:
    found = compare([Valid, Scale], [Valid, Scale])
    assert not found
    assert found.summary == "nothing changed"


def test_a_node_was_added_and_one_removed() -> None:
    found = compare([Valid, RunningTotal], [Valid, Scale])
    assert (found.added, found.removed) == (("Scale",), ("RunningTotal",))
    assert found.summary == "1 node added, 1 removed, state of RunningTotal is gone"


def test_other_nodes_are_not_moved_by_a_node_in_front() -> None:
    found = compare([Valid, Scale], [RunningTotal, Valid, Scale])
    assert found.added == ("RunningTotal",)
    assert found.changed == ()
    assert found.summary == "1 node added"


def test_the_line_of_a_node_does_not_count() -> None:
    document = described(pricing, CONFIG)
    shifted = msgspec.structs.replace(
        document,
        nodes=tuple(
            msgspec.structs.replace(node, line=(node.line or 0) + 7) for node in document.nodes
        ),
    )
    assert not difference(document, shifted)


def test_changed_code_is_a_change() -> None:
    document = described(flow_of(Valid, Scale))
    edited = msgspec.structs.replace(
        document,
        nodes=(msgspec.structs.replace(document.nodes[0], source_hash="x"), document.nodes[1]),
    )
    assert difference(document, edited).changed == (NodeChange("Valid", ("code",)),)


def test_code_that_no_node_holds_is_told_when_nothing_else_explains_the_change() -> None:
    document = described(flow_of(Valid, Scale))
    edited = msgspec.structs.replace(document, code_hash="x")
    assert difference(document, edited).summary == "code outside the nodes changed"
    with_node = msgspec.structs.replace(described(flow_of(Valid, Scale, Scale)), code_hash="x")
    assert difference(document, with_node).summary == "1 node added"


def test_changed_arguments_are_a_change() -> None:
    binding = Scale.from_config("scale")
    old, new = (described(flow_of(binding), config_of(scale={"factor": n})) for n in (1, 2))
    found = difference(old, new)
    assert found.changed == (NodeChange("Scale", ("arguments",)),)
    assert found.summary == "1 node changed"


def test_a_changed_instruction_is_a_change() -> None:
    def batches(records: int) -> list[ProcessNode]:
        return [CollectBatch(records, 10), ForEach()]

    found = compare(batches(3), batches(4))
    assert found.changed == (
        NodeChange("CollectBatch", ("3 records or 10 ms became 4 records or 10 ms",)),
    )
    assert [change.state_id for change in found.state.changed] == ["collect_batch"]


def test_nodes_that_changed_places_are_moved() -> None:
    found = compare([Valid, Scale, RunningTotal], [Scale, Valid, RunningTotal])
    assert len(found.changed) == 1
    assert found.changed[0].what == ("moved",)


def test_a_node_on_another_branch_is_moved() -> None:
    def routed(**routes: Process[Any, Any]) -> list[ProcessNode]:
        return [Router.by(payload.id, dict(routes))]

    found = compare(
        routed(a=Process(Scale), b=Process(Valid)), routed(a=Process(Valid), b=Process(Scale))
    )
    assert {change.what for change in found.changed} == {("moved",)}


def test_two_changed_nodes_are_counted() -> None:
    binding = Scale.from_config("scale")
    old, new = (
        described(flow_of(binding, binding, *more), config_of(scale={"factor": n}))
        for n, more in ((1, ()), (2, (Valid,)))
    )
    assert difference(old, new).summary == "2 nodes changed, 1 added"


def boundary_flow(
    name: str = "f",
    source: str = "in",
    out: IntoTopic[Any] = OUT,
    errors: dict[ErrorKind, IntoTopic[Any]] | None = None,
) -> StreamFlow[Any, Any]:
    return StreamFlow(name, FromTopic(source, payload=Priced), Process(Valid), out, errors)


@pytest.mark.parametrize(
    ("new", "line"),
    [
        (boundary_flow(name="g"), "flow f became g"),
        (boundary_flow(source="other"), "source topics in became other"),
        (boundary_flow(out=IntoTopic("other")), "sink other new"),
        (boundary_flow(out=IntoTopic("out")), "sink out payload type Priced became none"),
        (
            boundary_flow(out=IntoTopic("out", payload=Priced, dlq="dead")),
            "sink out dlq topic none became dead",
        ),
        (boundary_flow(errors={ErrorKind.TASK: IntoTopic("e")}), "error routes changed"),
    ],
)
def test_boundaries(new: StreamFlow[Any, Any], line: str) -> None:
    found = difference(described(boundary_flow()), described(new))
    assert line in found.boundaries
    assert line in found.summary


def test_a_changed_guarantee_is_told() -> None:
    relaxed = {**KAFKA, "consumer": {**KAFKA["consumer"], "delivery": "at_most_once"}}
    found = difference(described(boundary_flow()), described(boundary_flow(), config_of(relaxed)))
    assert found.boundaries == ("source delivery at_least_once became at_most_once",)


class Wider(LoomFrozenStruct, frozen=True):
    count: str = ""
    since_ms: int = 0


class RenamedTotal(RunningTotal):
    name = "Renamed"


class WiderTotal(StatefulStep[Priced, Priced, Wider]):
    name = "RunningTotal"

    def key(self, message: Message[Priced]) -> str:
        return message.payload.region

    def initial(self) -> Wider:
        return Wider()

    def execute(self, state: Wider, message: Message[Priced]) -> tuple[Wider, Iterable[Priced]]:
        return state, []


def test_a_renamed_stateful_step_loses_its_state() -> None:
    found = compare([RunningTotal], [RenamedTotal])
    assert (found.state.gone, found.state.new) == (("RunningTotal",), ("Renamed",))


def test_a_state_of_another_form_is_told_field_by_field() -> None:
    found = compare([RunningTotal], [WiderTotal])
    assert found.state.changed == (
        StateChange(
            "RunningTotal",
            (
                "type Totals became Wider",
                "field total gone",
                "field since_ms new",
                "field count changed",
            ),
        ),
    )
    assert "state of RunningTotal changed" in found.summary


def test_stateless_edits_leave_state_alone() -> None:
    batch = CollectBatch(2, 10)
    found = compare([RunningTotal, batch, Unrolled], [Valid, RunningTotal, batch, Unrolled, Scale])
    assert not found.state


def test_an_ended_router_branch_becomes_an_open_one() -> None:
    ended: Router[Any, Any] = Router.by(payload.id, {"a": Process(Drain())})
    opened: Router[Any, Any] = Router.by(payload.id, {"a": Process(Scale)})
    found = compare([ended], [opened])
    assert (found.added, found.removed) == (("Scale",), ("Drain",))
