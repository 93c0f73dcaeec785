"""Plans as data: what the document holds, and that it survives the way to another process."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from loom_runtime import ErrorKind, NodeKind, StreamFlow, StreamShape, compile_flow
from loom_runtime.compiler.document import EdgeKind, PlanDocument, document_of
from tests.compiler.typed_flow import CONFIG, multiple, pricing, splitting


def document(flow: StreamFlow[Any, Any]) -> PlanDocument:
    return document_of(compile_flow(flow, config=CONFIG))


@pytest.mark.parametrize("flow", [pricing, splitting, multiple])
def test_a_document_survives_the_round_trip(flow: StreamFlow[Any, Any]) -> None:
    original = document(flow)
    assert PlanDocument.decode(original.encode()) == original


@pytest.mark.parametrize("flow", [pricing, splitting, multiple])
def test_compiling_twice_gives_the_same_document(flow: StreamFlow[Any, Any]) -> None:
    assert document(flow) == document(flow)


@pytest.mark.parametrize("flow", [pricing, splitting, multiple])
def test_every_edge_joins_two_things_of_the_document(flow: StreamFlow[Any, Any]) -> None:
    found = document(flow)
    ids = {found.source.id, *(node.id for node in found.nodes), *(sink.id for sink in found.sinks)}
    assert {edge.origin for edge in found.edges} <= ids
    assert {edge.target for edge in found.edges} <= ids
    assert set(found.error_routes.values()) <= ids


@pytest.mark.parametrize("flow", [pricing, splitting, multiple])
def test_every_node_is_reached(flow: StreamFlow[Any, Any]) -> None:
    found = document(flow)
    reached = {edge.target for edge in found.edges}
    assert {node.id for node in found.nodes} <= reached


def test_the_source_and_the_sinks_are_described() -> None:
    found = document(pricing)
    assert (found.source.name, found.source.topics) == ("orders", ("orders",))
    assert (found.source.payload_types, found.source.format) == (("Order",), "json")
    assert found.source.delivery == "at_least_once"
    sinks = {sink.name: sink for sink in found.sinks}
    assert found.output == sinks["priced"].id
    assert sinks["priced"].dlq_topic == "priced.dlq"
    assert sinks["failed"].payload_type == "ErrorEnvelope[Order]"
    assert found.error_routes[ErrorKind.WIRE] == sinks["unreadable"].id
    assert ErrorKind.ROUTING not in found.error_routes


def test_nodes_say_what_they_were_told() -> None:
    details = {node.name: node.detail for node in document(pricing).nodes}
    assert details["With"] == "batch scope: rates"
    assert details["WithAsync"] == "worker scope: rates, 4 at once, 500 ms each"
    assert details["Router"] == "by ByRegion"
    assert details["Router#2"] == "by payload.region"
    assert details["Router#3"] == "first condition that holds"
    assert details["CollectBatch"] == "100 records or 50 ms"
    assert details["CollectBatch#2"] == (
        "tumbling, 3600000 ms long, up to 100 records a batch, event time, lateness 60000 ms"
    )
    assert details["TaxedRemotely"] == "async"


def test_nodes_have_kind_shapes_path_and_place() -> None:
    node = next(node for node in document(pricing).nodes if node.name == "Unrolled")
    assert node.kind is NodeKind.BATCH_EXPAND_STEP
    assert (node.input_shape, node.output_shape) == (StreamShape.BATCH, StreamShape.RECORD)
    assert node.path == (14,)
    assert node.file is not None
    assert node.file.endswith("typed_flow.py")
    assert node.line is not None


def ways(flow: StreamFlow[Any, Any], kind: EdgeKind) -> set[tuple[str, str, str]]:
    return {
        (edge.origin, edge.target, edge.label) for edge in document(flow).edges if edge.kind is kind
    }


def test_branches_and_scopes_are_entered_by_labelled_edges() -> None:
    branches = ways(pricing, EdgeKind.BRANCH)
    assert ("With", "Taxed", "") in branches
    assert ("Router", "Saved", "eu") in branches
    assert ("Router", "Drain", "default") in branches
    assert ("Router#3", "Valid#5", "Large") in branches
    assert ("ExpandRoutes(Lines)", "KeepLine", "Line") in ways(splitting, EdgeKind.BRANCH)


def test_records_go_on_from_the_end_of_every_branch() -> None:
    onward = ways(pricing, EdgeKind.FLOW)
    assert ("Saved", "Router#2", "") in onward
    assert ("Valid#2", "Router#2", "") in onward
    assert ("Drain", "Router#2", "") not in onward
    assert ("Router", "Router#2", "") not in onward
    assert ("Taxed", "WithAsync", "") in onward


def test_writes_late_records_dead_letters_and_errors_have_edges() -> None:
    assert ("Unrolled", "sink:priced", "") in ways(pricing, EdgeKind.WRITE)
    assert ("IntoTopic(marked)", "sink:marked", "") in ways(pricing, EdgeKind.WRITE)
    assert ("Valid", "sink:copies", "") in ways(splitting, EdgeKind.WRITE)
    assert ways(pricing, EdgeKind.LATE) == {("CollectBatch#2", "sink:late", "late")}
    assert ways(pricing, EdgeKind.DEAD_LETTER) == {
        ("sink:priced", "sink:priced.dlq", "dead letter")
    }
    errors = ways(pricing, EdgeKind.ERROR)
    assert ("source:orders", "sink:unreadable", "wire") in errors
    assert ("Price", "sink:failed", "task") in errors
    assert ("Fork", "sink:unrouted", "routing") in ways(splitting, EdgeKind.ERROR)


def test_state_is_described_by_its_schema() -> None:
    states = {state.state_id: state for state in document(pricing).states}
    assert list(states) == ["RunningTotal", "collect_batch", "collect_batch_2"]
    total = states["RunningTotal"]
    assert (total.node, total.type) == ("RunningTotal", "Totals")
    fields = json.loads(total.schema)["$defs"]["Totals"]["properties"]
    assert set(fields) == {"count", "total"}
    assert states["collect_batch"].schema == "100 records or 50 ms"


def test_a_document_is_read_without_bytewax_or_a_kafka_client() -> None:
    code = (
        "import sys; from loom_runtime.compiler.document_parts import PlanDocument; "
        "PlanDocument.decode(sys.stdin.buffer.read()); "
        "print([m for m in ('bytewax', 'confluent_kafka', 'omegaconf') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=document(pricing).encode(),
        capture_output=True,
        check=True,
        env={"PYTHONPATH": "runtime"},
        timeout=30,
    )
    assert done.stdout.strip() == b"[]"
