"""Contract, authoring rows on steps: what they take and give, how they stand in a process."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import structlog.testing

from loom_runtime import (
    BatchExpandStep,
    BatchStep,
    CollectBatch,
    CompiledNode,
    ConfigBinding,
    Configurable,
    ExpandStep,
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
    Step,
    StreamFlow,
    StreamShape,
    With,
    WithAsync,
    compile_flow,
    payload,
)

CONFIG: dict[str, Any] = {
    "kafka": {
        "consumer": {"brokers": ["localhost:9092"], "group_id": "contract"},
        "producer": {"brokers": ["localhost:9092"]},
    },
    "steps": {"price": {"factor": 3, "label": "configured"}},
}
COLLECT = CollectBatch(max_records=10, timeout_ms=100)


class Order(LoomFrozenStruct, frozen=True):
    id: str


class Seen(LoomFrozenStruct, frozen=True):
    count: int = 0


class Price(RecordStep[Order, Order]):
    def __init__(self, factor: float = 1.0, label: str = "") -> None:
        self.factor, self.label = factor, label

    def execute(self, message: Message[Order]) -> Order:
        return message.payload


class Store(BatchStep[Order, Order]):
    def execute(self, messages: Sequence[Message[Order]]) -> Sequence[Order]:
        return [message.payload for message in messages]


class Split(ExpandStep[Order, Order]):
    def execute(self, message: Message[Order]) -> Iterable[Order]:
        yield message.payload


class SplitAll(BatchExpandStep[Order, Order]):
    def execute(self, messages: Sequence[Message[Order]]) -> list[list[Order]]:
        return [[message.payload] for message in messages]


class Count(StatefulStep[Order, Order, Seen]):
    def key(self, message: Message[Order]) -> str:
        return message.payload.id

    def initial(self) -> Seen:
        return Seen()

    def execute(self, state: Seen, message: Message[Order]) -> tuple[Seen, Iterable[Order]]:
        return Seen(state.count + 1), [message.payload]


class Remote(RecordStep[Order, Order]):
    name = "remote price"

    async def execute(self, message: Message[Order], *, client: object) -> Order:
        return message.payload


def compiled(*nodes: ProcessNode) -> tuple[CompiledNode, ...]:
    flow: StreamFlow[Any, Any] = StreamFlow(
        "contract", FromTopic("in", payload=Order), Process(*nodes), IntoTopic("out")
    )
    return compile_flow(flow, config=CONFIG).nodes


def shapes(node: CompiledNode) -> tuple[str, str]:
    return node.input_shape.value, node.output_shape.value


def test_record_step_takes_a_record_and_gives_one() -> None:
    assert shapes(compiled(Price)[0]) == ("record", "record")


def test_batch_step_takes_a_batch_and_gives_one() -> None:
    assert shapes(compiled(COLLECT, Store, ForEach())[1]) == ("batch", "batch")


def test_expand_step_takes_a_record_and_gives_records() -> None:
    assert shapes(compiled(Split)[0]) == ("record", "record")


def test_batch_expand_step_takes_a_batch_and_gives_records() -> None:
    assert shapes(compiled(COLLECT, SplitAll)[1]) == ("batch", "record")


def test_stateful_step_keeps_a_struct_under_a_stable_id() -> None:
    (node,) = compiled(Count)
    assert shapes(node) == ("record", "record")
    assert (node.state_id, node.state_type) == ("Count", Seen)


def test_declaring_steps_as_class_instance_and_binding() -> None:
    instance = Price(factor=2.0)
    nodes = compiled(Price, instance, Price.from_config("steps.price"), Price.configure(factor=4.0))
    assert [node.node.factor for node in nodes] == [1.0, 2.0, 3.0, 4.0]
    assert nodes[1].node is instance


def test_declaring_steps_gives_every_worker_its_own() -> None:
    (node,) = compiled(Price)
    assert node.build is not None
    assert node.build() is not node.build()


def test_declaring_steps_deps_arrive_as_keyword_arguments_by_name() -> None:
    class Lookup(RecordStep[Order, Order]):
        def execute(self, message: Message[Order], *, table: dict[str, str]) -> Order:
            return message.payload

    assert compiled(With(process=Process(Lookup), table={}, other=1))[1].dependencies == ("table",)


def test_declaring_steps_execute_may_be_a_coroutine_inside_with_async() -> None:
    node = compiled(WithAsync(process=Process(Remote), client=object()))[1]
    assert node.is_coroutine


def test_declaring_steps_batch_step_inside_a_router_branch_runs_on_a_batch_of_one() -> None:
    assert shapes(compiled(Router.by(payload.id, {"a": Process(Store)}))[1]) == ("record", "record")


def test_stream_shape_is_record_batch_and_none() -> None:
    assert [shape.value for shape in StreamShape] == ["record", "batch", "none"]
    assert (Store.input_shape, Store.output_shape) == (StreamShape.BATCH, StreamShape.BATCH)


def test_step_name_is_the_class_name_or_what_name_says() -> None:
    assert Price.step_name() == "Price"
    assert Remote.step_name() == "remote price"
    assert compiled(WithAsync(process=Process(Remote), client=1))[1].name == "remote price"


def test_step_log_is_a_structured_logger_that_knows_its_step() -> None:
    with structlog.testing.capture_logs() as lines:
        Price().log.info("priced", amount=3)
    assert lines == [
        {
            "event": "priced",
            "log_level": "info",
            "amount": 3,
            "step": "Price",
            "step_class": "Price",
        }
    ]


class Client(Configurable):
    def __init__(self, url: str) -> None:
        self.url = url


def test_configurable_from_config_is_deferred_and_overrides_win() -> None:
    binding = Price.from_config("steps.price", label="override")
    assert isinstance(binding, ConfigBinding)
    (node,) = compiled(binding)
    assert (node.node.factor, node.node.label) == (3.0, "override")
    assert issubclass(Step, Configurable)


def test_configurable_configure_needs_no_section() -> None:
    scope: With[Any, Any] = With(process=Process(Price), client=Client.configure(url="http://x"))
    assert compiled(scope)[0].node.values["client"].url == "http://x"
