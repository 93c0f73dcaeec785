"""Contract, authoring rows on ``compile_flow``, ``CompiledPlan`` and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from loom_runtime import (
    BatchStep,
    Broadcast,
    BroadcastRoute,
    CollectBatch,
    CompilationError,
    CompilationIssue,
    CompiledPlan,
    ConfigContext,
    Drain,
    ErrorEnvelope,
    ErrorKind,
    Explode,
    ForEach,
    Fork,
    FromTopic,
    IntoTopic,
    LoomFrozenStruct,
    Message,
    Process,
    ProcessNode,
    RecordStep,
    Router,
    StreamFlow,
    StreamShape,
    compile_flow,
    payload,
)
from tests.contract.test_authoring_nodes import Rows

KAFKA: dict[str, Any] = {
    "consumer": {"brokers": ["b:9092"], "group_id": "contract"},
    "producer": {"brokers": ["b:9092"]},
}


class Order(LoomFrozenStruct, frozen=True):
    id: str


class Keep(RecordStep[Order, Order]):
    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor

    def execute(self, message: Message[Order]) -> Order:
        return message.payload


class Store(BatchStep[Order, Order]):
    def execute(self, messages: Any) -> Any:
        return [message.payload for message in messages]


TO_X: IntoTopic[Any] = IntoTopic("x")
OUT: IntoTopic[Any] = IntoTopic("out", payload=Order)


def flow_of(
    *nodes: ProcessNode,
    output: IntoTopic[Any] | None = OUT,
    errors: IntoTopic[Any] | None = None,
) -> StreamFlow[Any, Any]:
    return StreamFlow("contract", FromTopic("in", payload=Order), Process(*nodes), output, errors)


def refusals(
    flow: StreamFlow[Any, Any], kafka: dict[str, Any] | None = None
) -> tuple[CompilationIssue, ...]:
    with pytest.raises(CompilationError) as raised:
        compile_flow(flow, config={"kafka": KAFKA if kafka is None else kafka})
    return raised.value.issues


def codes(flow: StreamFlow[Any, Any], kafka: dict[str, Any] | None = None) -> list[str]:
    return [issue.code.value for issue in refusals(flow, kafka)]


def test_compile_flow_takes_a_mapping_or_a_context() -> None:
    config = {"kafka": KAFKA}
    for given in (config, ConfigContext.from_dict(config)):
        assert isinstance(compile_flow(flow_of(Keep), config=given), CompiledPlan)


def test_compile_flow_collects_every_issue_before_raising() -> None:
    flow = flow_of(Store, Keep.from_config("nowhere"), ForEach(), Explode(Rows))
    assert codes(flow, {"consumer": {"brokers": ["b:9092"]}}) == [
        "kafka_config_invalid",
        "shape_mismatch",
        "shape_mismatch",
        "step_cannot_be_built",
        "shape_mismatch",
        "explode_without_router",
        "kafka_config_missing",
    ]


def test_compile_flow_issues_have_code_message_component_field_file_and_line() -> None:
    mismatch, unbuilt = refusals(flow_of(Store, ForEach(), Keep.from_config("steps.keep")))
    assert (mismatch.code.value, mismatch.component) == ("shape_mismatch", "Store")
    assert mismatch.message == "it takes batches, and records come in"
    assert (unbuilt.component, unbuilt.field) == ("Keep", "steps.keep")
    assert unbuilt.file == __file__
    assert unbuilt.line == Keep.__init__.__code__.co_firstlineno - 1


def test_compiled_plan_has_every_attribute_of_the_contract() -> None:
    router: Router[Any, Any] = Router.by(payload.id, {"a": Process(TO_X), "b": Process(Keep)})
    nodes: list[ProcessNode] = [Keep, router, CollectBatch(5, 10), ForEach()]
    plan = compile_flow(flow_of(*nodes, errors=IntoTopic("errors")), config={"kafka": KAFKA})
    assert plan.name == "contract"
    assert plan.source.topics == ("in",)
    record, batch, none = StreamShape.RECORD, StreamShape.BATCH, StreamShape.NONE
    assert [(node.path, node.input_shape, node.output_shape) for node in plan.nodes] == [
        ((0,), record, record),
        ((1,), record, record),
        ((1, 0, 0), record, none),
        ((1, 1, 0), record, record),
        ((2,), record, batch),
        ((3,), batch, record),
    ]
    assert isinstance(plan.nodes[0].node, Keep)
    assert plan.output is not None
    assert plan.output.topic == "out"
    assert {path: sink.topic for path, sink in plan.terminal_sinks.items()} == {(1, 0, 0): "x"}
    assert set(plan.error_routes) == set(ErrorKind)
    assert plan.needs_async_bridge is False


def test_compiled_plan_is_frozen() -> None:
    plan = compile_flow(flow_of(Keep), config={"kafka": KAFKA})
    with pytest.raises(AttributeError):
        plan.name = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        plan.terminal_sinks[(0,)] = None  # type: ignore[index]


def test_refusal_of_a_shape_mismatch() -> None:
    assert codes(flow_of(Store, ForEach())) == ["shape_mismatch"]


def test_refusal_of_a_terminal_that_is_not_last() -> None:
    assert codes(flow_of(TO_X, Keep)) == ["node_after_terminal"]


def test_refusal_of_an_output_beside_a_fork_or_broadcast() -> None:
    fork: Fork[Any] = Fork.by(payload.id, {"a": Process(TO_X)}, default=Process(Drain()))
    broadcast: Broadcast[Any] = Broadcast(BroadcastRoute(Process(TO_X)))
    assert codes(flow_of(fork)) == ["output_beside_terminal"]
    assert codes(flow_of(broadcast)) == ["output_beside_terminal"]


def test_refusal_of_no_terminal_output() -> None:
    assert codes(flow_of(Keep, output=None)) == ["no_terminal_output"]


def test_refusal_of_a_fork_branch_without_terminal_output() -> None:
    fork: Fork[Any] = Fork.by(payload.id, {"a": Process(Keep)}, default=Process(TO_X))
    assert codes(flow_of(fork, output=None)) == ["branch_without_terminal"]


def test_refusal_of_unsafe_nodes_inside_a_router_branch() -> None:
    branch: Process[Any, Any] = Process(CollectBatch(5, 10), ForEach())
    assert set(codes(flow_of(Router.by(payload.id, {"a": branch})))) == {"unsafe_in_router"}


def test_refusal_of_explode_not_followed_by_a_router() -> None:
    assert codes(flow_of(Explode(Rows), Keep)) == ["explode_without_router"]


def test_refusal_of_an_unparameterised_error_envelope_payload() -> None:
    bare: IntoTopic[Any] = IntoTopic("errors", payload=ErrorEnvelope)
    named: IntoTopic[Any] = IntoTopic("errors", payload=ErrorEnvelope[Order])
    assert codes(flow_of(Keep, errors=bare)) == ["envelope_not_parameterised"]
    assert compile_flow(flow_of(Keep, errors=named), config={"kafka": KAFKA}).error_routes


def test_refusal_of_missing_kafka_configuration() -> None:
    assert codes(flow_of(Keep), {}) == ["kafka_config_missing"] * 2


def test_refusal_of_contradictory_kafka_configuration() -> None:
    extra = {"consumer": {**KAFKA["consumer"], "extra": {"group.id": "other"}}}
    assert codes(flow_of(Keep), {**KAFKA, **extra}) == ["kafka_config_contradictory"]
    assert codes(flow_of(Keep, output=IntoTopic("in"))) == ["topic_loop"]


def test_refusal_of_a_step_that_cannot_be_built_from_its_config_section() -> None:
    flow = flow_of(Keep.from_config("steps.keep"))
    with pytest.raises(CompilationError) as raised:
        compile_flow(flow, config={"kafka": KAFKA, "steps": {"keep": {"factor": "many"}}})
    (issue,) = raised.value.issues
    assert (issue.code.value, issue.field) == ("step_cannot_be_built", "steps.keep.factor")
