"""Contract, authoring rows on payloads, messages, boundaries, processes and flows."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
import pytest

from loom_runtime import (
    Drain,
    ErrorKind,
    ErrorRoute,
    FromMultiTypeTopic,
    FromTopic,
    IntoTopic,
    LoomFrozenStruct,
    LoomStruct,
    Message,
    MessageMeta,
    PartitionGuarantee,
    PartitionPolicy,
    PartitionStrategy,
    Process,
    StreamFlow,
    compile_flow,
)

KAFKA: dict[str, Any] = {
    "consumer": {"brokers": ["localhost:9092"], "group_id": "contract"},
    "producer": {"brokers": ["localhost:9092"]},
}


class Order(LoomFrozenStruct, frozen=True):
    id: str


class Refund(LoomStruct):
    __loom_message_type__: ClassVar[str] = "shop.refund.v2"
    id: str


class PartialRefund(Refund):
    share: float = 0.5


def test_loom_struct_is_a_msgspec_struct_with_a_stable_type_name() -> None:
    assert isinstance(Refund("1"), msgspec.Struct)
    assert Refund.loom_message_type() == "shop.refund.v2"
    refund = Refund("1")
    refund.id = "2"
    assert msgspec.json.decode(msgspec.json.encode(refund), type=Refund) == Refund("2")


def test_loom_frozen_struct_is_immutable_and_named_by_module_and_qualname() -> None:
    assert Order.loom_message_type() == f"{__name__}.Order"
    with pytest.raises(AttributeError):
        Order("1").id = "2"  # type: ignore[misc]


def test_loom_message_type_is_not_inherited() -> None:
    assert PartialRefund.loom_message_type() == f"{__name__}.PartialRefund"


def test_message_is_one_typed_event_with_its_metadata() -> None:
    message = Message(payload=Order("1"), meta=MessageMeta(message_id="orders:0:7"))
    assert message.payload.id == "1"
    with pytest.raises(AttributeError):
        message.payload = Order("2")  # type: ignore[misc]


def test_message_meta_has_every_field_of_the_contract_and_is_keyword_only() -> None:
    meta = MessageMeta(
        message_id="orders:0:7",
        correlation_id="c",
        trace_id="t",
        parent_trace_id="p",
        causation_id="m",
        produced_at_ms=1,
        message_type="order",
        message_version=2,
        topic="orders",
        partition=0,
        offset=7,
        key=b"k",
        headers={"h": b"v"},
    )
    assert set(meta.__struct_fields__) == {
        *("message_id", "correlation_id", "trace_id", "parent_trace_id", "causation_id"),
        *("produced_at_ms", "message_type", "message_version"),
        *("topic", "partition", "offset", "key", "headers"),
    }
    assert MessageMeta(message_id="1", key="text").headers == {}
    with pytest.raises(TypeError):
        MessageMeta("1")  # type: ignore[call-arg]
    with pytest.raises(AttributeError):
        meta.offset = 8  # type: ignore[misc]


def flow_from(source: FromTopic[Any] | FromMultiTypeTopic[Any]) -> StreamFlow[Any, Any]:
    return StreamFlow("contract", source, Process(Drain()))


def test_from_topic_falls_back_to_its_own_name() -> None:
    plan = compile_flow(flow_from(FromTopic("orders", payload=Order)), config={"kafka": KAFKA})
    assert plan.source.topics == ("orders",)
    assert plan.source.payload_types == (Order,)


def test_from_topic_is_resolved_to_physical_topics_by_config() -> None:
    own = {**KAFKA["consumer"], "topics": ["orders-eu", "orders-us"]}
    config = {"kafka": {**KAFKA, "consumers": {"orders": own}}}
    plan = compile_flow(flow_from(FromTopic("orders", payload=Order)), config=config)
    assert plan.source.topics == ("orders-eu", "orders-us")


def test_from_multi_type_topic_takes_two_types_and_more() -> None:
    source = FromMultiTypeTopic("events", payloads=(Order, Refund))
    plan = compile_flow(flow_from(source), config={"kafka": KAFKA})
    assert plan.source.payload_types == (Order, Refund)


def test_from_multi_type_topic_refuses_fewer_than_two() -> None:
    for payloads in ((), (Order,)):
        with pytest.raises(ValueError, match="two payload types"):
            FromMultiTypeTopic("events", payloads=payloads)


def test_into_topic_ends_the_path_it_stands_on() -> None:
    sink: IntoTopic[Order] = IntoTopic("out", payload=Order, dlq="out.dlq")
    flow: StreamFlow[Any, Any] = StreamFlow(
        "contract", FromTopic("orders", payload=Order), Process(sink)
    )
    plan = compile_flow(flow, config={"kafka": KAFKA})
    assert plan.output is None
    (compiled,) = plan.terminal_sinks.values()
    assert (compiled.topic, compiled.payload_type, compiled.dlq_topic) == ("out", Order, "out.dlq")


class ById:
    def partition_key(self, message: Message[Order]) -> str:
        return message.payload.id


def test_partition_policy_keeps_the_incoming_key_unless_told_otherwise() -> None:
    policy = PartitionPolicy(strategy=ById(), guarantee=PartitionGuarantee.ENTITY_STABLE)
    assert policy.allow_repartition is False
    assert PartitionPolicy(ById(), PartitionGuarantee.NONE, True).allow_repartition is True


def test_partition_strategy_is_a_protocol() -> None:
    assert isinstance(ById(), PartitionStrategy)
    assert not isinstance(Order("1"), PartitionStrategy)


def test_process_is_ordered_and_non_empty() -> None:
    first, last = Drain(), Drain()
    process: Process[Order, Order] = Process(first, last)
    assert list(process) == [first, last]
    assert process.nodes[0] is first
    with pytest.raises(ValueError, match="at least one node"):
        Process()


ERRORS: IntoTopic[Any] = IntoTopic("errors")
WIRE: IntoTopic[Any] = IntoTopic("wire")


@pytest.mark.parametrize(
    ("errors", "routes"),
    [
        (None, {}),
        (ERRORS, dict.fromkeys(ErrorKind, ERRORS)),
        (ErrorRoute((ErrorKind.WIRE,), WIRE), {ErrorKind.WIRE: WIRE}),
        (
            [ErrorRoute((ErrorKind.WIRE,), WIRE), ErrorRoute((ErrorKind.TASK,), ERRORS)],
            {ErrorKind.WIRE: WIRE, ErrorKind.TASK: ERRORS},
        ),
        ({ErrorKind.ROUTING: ERRORS}, {ErrorKind.ROUTING: ERRORS}),
    ],
)
def test_stream_flow_errors_in_every_form(
    errors: Any, routes: dict[ErrorKind, IntoTopic[Any]]
) -> None:
    flow: StreamFlow[Any, Any] = StreamFlow(
        "contract", FromTopic("orders", payload=Order), Process(Drain()), errors=errors
    )
    assert dict(flow.errors) == routes


def test_stream_flow_refuses_an_error_kind_that_is_claimed_twice() -> None:
    with pytest.raises(ValueError, match="'wire' is claimed by two routes"):
        StreamFlow(
            "contract",
            FromTopic("orders", payload=Order),
            Process(Drain()),
            errors=[
                ErrorRoute((ErrorKind.WIRE,), WIRE),
                ErrorRoute((ErrorKind.TASK, ErrorKind.WIRE), ERRORS),
            ],
        )
