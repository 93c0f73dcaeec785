"""Sources, sinks and the kafka section: what is missing, malformed or contradictory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loom_runtime import (
    CollectBatch,
    CompilationIssue,
    ConfigContext,
    ErrorEnvelope,
    ErrorKind,
    FromMultiTypeTopic,
    FromTopic,
    IntoTopic,
    IssueCode,
    LoomFrozenStruct,
    Process,
    StreamFlow,
    WindowStrategy,
    WireFormat,
    compile_flow,
)
from tests.compiler.samples import KAFKA, config_of, flow_of, issues_of, refused
from tests.compiler.typed_flow import Order, Priced, Refund, Valid

CONSUMER: dict[str, Any] = KAFKA["consumer"]
PRODUCER: dict[str, Any] = KAFKA["producer"]


def kafka_issues(**kafka: Any) -> list[tuple[IssueCode, str | None]]:
    """Return code and config field of what is refused in a flow from ``in`` to ``out``."""
    return [(issue.code, issue.field) for issue in issues_of(flow_of(Valid), config_of(kafka))]


def flow_to(*sinks: IntoTopic[Any], source: str = "in") -> StreamFlow[Any, Any]:
    """Return a flow to an output and, for each further sink, an error route."""
    output, *errors = sinks
    routes = dict(zip(ErrorKind, errors, strict=False))
    return StreamFlow("sample", FromTopic(source, payload=Priced), Process(Valid), output, routes)


def test_references_resolve_to_physical_topics_else_to_themselves() -> None:
    kafka = {
        "consumers": {"orders.v1": {**CONSUMER, "topics": ["orders-a", "orders-b"]}},
        "producer": PRODUCER,
        "producers": {
            "priced.v1": {**PRODUCER, "topic": "priced", "format": "msgpack"},
            "dead": {**PRODUCER, "topic": "dead-letters"},
        },
    }
    sinks: list[IntoTopic[Any]] = [
        IntoTopic("priced.v1", payload=Priced, dlq="dead"),
        IntoTopic("errors", dlq="other"),
    ]
    plan = compile_flow(flow_to(*sinks, source="orders.v1"), config=config_of(kafka))
    assert plan.source.topics == ("orders-a", "orders-b")
    assert plan.source.settings_key == "kafka.consumers.orders.v1"
    assert plan.output is not None
    assert (plan.output.topic, plan.output.dlq_topic) == ("priced", "dead-letters")
    assert plan.output.settings.format is WireFormat.MSGPACK
    errors = plan.error_routes[ErrorKind.WIRE]
    assert (errors.topic, errors.dlq_topic) == ("errors", "other")


def test_common_settings_serve_every_reference_without_its_own() -> None:
    plan = compile_flow(flow_of(Valid), config=config_of())
    assert plan.source.topics == ("in",)
    assert plan.source.settings_key == "kafka.consumer"


@pytest.mark.parametrize("config", [{}, {"kafka": {}}, {"kafka": {"consumers": {"x": CONSUMER}}}])
def test_missing_settings_name_the_key_to_write(config: dict[str, Any]) -> None:
    consumer, producer = issues_of(flow_of(Valid), config)
    assert {consumer.code, producer.code} == {IssueCode.KAFKA_CONFIG_MISSING}
    assert (consumer.component, consumer.field) == ("FromTopic(in)", "kafka.consumers.in")
    assert (producer.component, producer.field) == ("IntoTopic(out)", "kafka.producers.out")
    assert str(consumer.hint).startswith("configure kafka.consumers.in or kafka.consumer")


def test_missing_settings_name_the_references_that_are_there() -> None:
    config = config_of({"consumers": {"inn": CONSUMER, "other": CONSUMER}, "producer": PRODUCER})
    (issue,) = issues_of(flow_of(Valid), config)
    assert str(issue.hint).endswith("; there is kafka.consumers.{inn, other}")


def test_a_malformed_section_is_reported_by_its_field_and_not_as_missing_too() -> None:
    found = kafka_issues(consumer={"group_id": "g"}, producer={"brokers": 3})
    assert found == [
        (IssueCode.KAFKA_CONFIG_INVALID, "kafka.consumer.brokers"),
        (IssueCode.KAFKA_CONFIG_INVALID, "kafka.producer.brokers"),
    ]


@pytest.mark.parametrize(
    ("consumer", "field"),
    [
        ({"brokers": []}, "kafka.consumer.brokers"),
        ({"brokers": [" "]}, "kafka.consumer.brokers"),
        ({"group_id": " "}, "kafka.consumer.group_id"),
        ({"delivery": "exactly_once"}, "kafka.consumer.delivery"),
        ({"format": "xml"}, "kafka.consumer.format"),
        ({"broker": "a:1"}, "kafka.consumer.broker"),
        ({"security": {"protocol": "TLS"}}, "kafka.consumer.security.protocol"),
    ],
)
def test_settings_that_mean_nothing_are_refused(consumer: dict[str, Any], field: str) -> None:
    found = kafka_issues(consumer={**CONSUMER, **consumer}, producer=PRODUCER)
    assert found == [(IssueCode.KAFKA_CONFIG_INVALID, field)]


def test_every_piece_of_the_section_is_read_even_when_another_is_wrong() -> None:
    found = kafka_issues(
        consumer=CONSUMER,
        producer={"brokers": ["a:1"], "topik": "x"},
        consumers={"other": {"group_id": "g"}},
        producers=["no mapping"],
        consumer_defaults={},
    )
    assert sorted(found, key=str) == [
        (IssueCode.KAFKA_CONFIG_INVALID, "kafka.consumer_defaults"),
        (IssueCode.KAFKA_CONFIG_INVALID, "kafka.consumers.other.brokers"),
        (IssueCode.KAFKA_CONFIG_INVALID, "kafka.producer.topik"),
        (IssueCode.KAFKA_CONFIG_INVALID, "kafka.producers"),
    ]


def test_a_section_that_is_no_mapping_is_refused() -> None:
    issues = issues_of(flow_of(Valid), {"kafka": "localhost"})
    assert (IssueCode.KAFKA_CONFIG_INVALID, "kafka") in [(i.code, i.field) for i in issues]


def test_extra_settings_may_not_shadow_typed_ones() -> None:
    found = kafka_issues(
        consumer={**CONSUMER, "extra": {"group.id": "other", "fetch.max.bytes": 1}},
        producer={**PRODUCER, "extra": {"bootstrap.servers": "x:1"}},
    )
    assert found == [
        (IssueCode.KAFKA_CONFIG_CONTRADICTORY, "kafka.consumer.extra"),
        (IssueCode.KAFKA_CONFIG_CONTRADICTORY, "kafka.producer.extra"),
    ]


def test_a_topic_named_twice_would_have_two_consumers() -> None:
    found = kafka_issues(consumer={**CONSUMER, "topics": ["a", "b", "a"]}, producer=PRODUCER)
    assert found == [(IssueCode.KAFKA_CONFIG_CONTRADICTORY, "kafka.consumer.topics")]


def test_a_common_producer_topic_cannot_serve_two_sinks() -> None:
    config = config_of({"consumer": CONSUMER, "producer": {**PRODUCER, "topic": "one"}})
    assert issues_of(flow_to(IntoTopic("a")), config) == ()
    (issue,) = issues_of(flow_to(IntoTopic("a"), IntoTopic("b")), config)
    assert issue.code is IssueCode.KAFKA_CONFIG_CONTRADICTORY
    assert issue.field == "kafka.producer.topic"
    assert "a, b" in issue.message


def test_one_topic_has_one_wire_format() -> None:
    producers = {
        "a": {**PRODUCER, "topic": "t"},
        "b": {**PRODUCER, "topic": "t", "format": "msgpack"},
    }
    config = config_of({"consumer": CONSUMER, "producers": producers})
    (issue,) = issues_of(flow_to(IntoTopic("a"), IntoTopic("b")), config)
    assert issue.code is IssueCode.KAFKA_CONFIG_CONTRADICTORY
    assert issue.field == "kafka.producers.b.format"


def loops(*sinks: IntoTopic[Any], **kafka: Any) -> list[CompilationIssue]:
    config = config_of({**KAFKA, **kafka})
    return [
        issue for issue in issues_of(flow_to(*sinks), config) if issue.code is IssueCode.TOPIC_LOOP
    ]


def test_an_output_into_the_source_is_a_loop() -> None:
    (issue,) = loops(IntoTopic("in"))
    assert issue.component == "IntoTopic(in)"
    assert issue.file == __file__


def test_a_loop_is_seen_in_physical_topics() -> None:
    assert loops(IntoTopic("out"), producers={"out": {**PRODUCER, "topic": "in"}})
    assert not loops(IntoTopic("in"), producers={"in": {**PRODUCER, "topic": "elsewhere"}})


def test_error_routes_and_dead_letters_into_the_source_are_loops() -> None:
    assert loops(IntoTopic("out"), IntoTopic("in"))
    assert loops(IntoTopic("out", dlq="in"))


def test_late_records_into_the_source_are_a_loop() -> None:
    window = CollectBatch(
        1, 1, WindowStrategy.TUMBLING, event_time=True, late=IntoTopic("in", payload=Priced)
    )
    assert IssueCode.TOPIC_LOOP in refused(window)


def test_the_same_name_on_another_cluster_is_no_loop() -> None:
    assert not loops(IntoTopic("in"), producer={"brokers": ["elsewhere:9092"]})


def test_a_topic_is_not_its_own_dead_letter_topic() -> None:
    (issue,) = issues_of(flow_to(IntoTopic("out", dlq="out")))
    assert issue.code is IssueCode.KAFKA_CONFIG_CONTRADICTORY


def test_an_issue_of_a_configuration_file_has_its_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text("kafka:\n  producer: {brokers: [a:1]}\n  consumer:\n    group_id: g\n")
    (issue,) = issues_of(flow_of(Valid), ConfigContext.from_yaml(file))
    assert (issue.field, issue.file) == ("kafka.consumer.brokers", str(file))
    assert issue.line is not None


def test_an_environment_variable_that_is_not_set_is_an_issue(tmp_path: Path) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text(
        "kafka:\n  producer: {brokers: ['${oc.env:NOT_SET_ANYWHERE}']}\n"
        "  consumer: {brokers: [a:1], group_id: g}\n"
    )
    (issue,) = issues_of(flow_of(Valid), ConfigContext.from_yaml(file))
    assert "NOT_SET_ANYWHERE" in issue.message


def payload_codes(payload: Any) -> list[IssueCode]:
    """Return what is refused when a source, an output and an error route carry *payload*."""
    flow: StreamFlow[Any, Any] = StreamFlow(
        "sample",
        FromTopic("in", payload=payload),
        Process(Valid),
        IntoTopic("out", payload=payload),
        IntoTopic("errors", payload=payload),
    )
    return [issue.code for issue in issues_of(flow)]


def test_an_unparameterised_envelope_is_refused_wherever_it_stands() -> None:
    codes = payload_codes(ErrorEnvelope)
    assert set(codes) == {IssueCode.ENVELOPE_NOT_PARAMETERISED}
    assert len(codes) == 3


def test_an_envelope_of_a_named_payload_is_fine() -> None:
    assert payload_codes(ErrorEnvelope[Order]) == []


@pytest.mark.parametrize("payload", [int, dict, "Order", object()])
def test_a_payload_that_is_no_struct_is_refused(payload: Any) -> None:
    assert set(payload_codes(payload)) == {IssueCode.PAYLOAD_NOT_A_STRUCT}


def test_a_sink_may_name_no_payload_or_several() -> None:
    assert issues_of(flow_to(IntoTopic("out"), IntoTopic("e", payload=Order | Refund))) == ()
    assert [
        issue.code for issue in issues_of(flow_to(IntoTopic("out", payload=Order | ErrorEnvelope)))
    ] == [IssueCode.ENVELOPE_NOT_PARAMETERISED]


class FirstVersion(LoomFrozenStruct, frozen=True):
    __loom_message_type__ = "order"


class SecondVersion(LoomFrozenStruct, frozen=True):
    __loom_message_type__ = "order"


def test_two_types_of_one_source_must_not_share_a_message_type() -> None:
    flow: StreamFlow[Any, Any] = StreamFlow(
        "sample",
        FromMultiTypeTopic("in", payloads=(FirstVersion, SecondVersion, Refund)),
        Process(Valid),
        IntoTopic("out"),
    )
    (issue,) = issues_of(flow)
    assert issue.code is IssueCode.MESSAGE_TYPE_CLAIMED_TWICE
    assert "'order'" in issue.message
