"""Contract, rows on StreamingTestRunner."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loom_runtime import (
    ConfigContext,
    ErrorEnvelope,
    ErrorKind,
    FromTopic,
    IntoTopic,
    LoomFrozenStruct,
    Message,
    MessageMeta,
    Process,
    RecordStep,
    Router,
    StreamFlow,
    StreamingTestRunner,
    payload,
)

CONFIG: dict[str, Any] = {
    "kafka": {
        "consumer": {"brokers": ["none:9092"], "group_id": "contract"},
        "producer": {"brokers": ["none:9092"]},
    }
}


class Order(LoomFrozenStruct, frozen=True):
    id: str


class Check(RecordStep[Order, Order]):
    def execute(self, message: Message[Order]) -> Order:
        if message.payload.id == "bad":
            raise ValueError("bad")
        return message.payload


def flow(errors: Any = None) -> StreamFlow[Any, Any]:
    routes: dict[Any, Process[Any, Any]] = {"aside": Process(IntoTopic("aside"))}
    return StreamFlow(
        "contract",
        FromTopic("in", payload=Order),
        Process(Check, Router.by(payload.id, routes)),
        IntoTopic("out", payload=Order),
        errors,
    )


def test_from_flow_takes_a_mapping_or_a_config_context() -> None:
    for config in (CONFIG, ConfigContext.from_dict(CONFIG)):
        runner = StreamingTestRunner.from_flow(flow(), config=config)
        runner.with_payloads([Order("a")]).run()
        assert len(runner.output) == 1


def test_from_yaml_and_from_dict(tmp_path: Path) -> None:
    path = tmp_path / "flow.yaml"
    path.write_text(
        "kafka: {consumer: {brokers: ['none:9092'], group_id: g}, producer: {brokers: ['n:1']}}"
    )
    for runner in (
        StreamingTestRunner.from_yaml(flow(), str(path)),
        StreamingTestRunner.from_dict(flow(), CONFIG),
    ):
        runner.with_payloads([Order("a")]).run()
        assert len(runner.output) == 1


def test_with_payloads_with_messages_and_capture_errors_return_the_runner() -> None:
    runner = StreamingTestRunner.from_dict(flow(), CONFIG)
    assert runner.with_payloads([Order("a")]) is runner
    assert runner.with_messages([b'{"id": "b"}']) is runner
    assert runner.capture_errors(ErrorKind.TASK) is runner


def test_with_messages_takes_messages_and_raw_records() -> None:
    message = Message(payload=Order("m"), meta=MessageMeta(message_id="m"))
    given: list[Any] = [message, b'{"id": "a"}', (b"k", b'{"id": "b"}')]
    runner = StreamingTestRunner.from_dict(flow(), CONFIG).with_messages(given)
    runner.run()
    assert [each.payload.id for each in runner.output] == ["m", "a", "b"]


def test_output_is_a_list_of_messages_from_the_output_and_every_terminal_sink() -> None:
    runner = StreamingTestRunner.from_dict(flow(), CONFIG)
    runner.with_payloads([Order("a"), Order("aside")]).run()
    assert all(isinstance(each, Message) for each in runner.output)
    assert sorted(each.payload.id for each in runner.output) == ["a", "aside"]


def test_errors_are_envelopes_by_kind_wire_failures_included() -> None:
    runner = StreamingTestRunner.from_dict(flow(), CONFIG).capture_errors(*ErrorKind)
    runner.with_payloads([Order("bad")]).with_messages([b"{"]).run()
    assert [e.reason for e in runner.errors[ErrorKind.TASK]] == ["bad"]
    assert [e.raw for e in runner.errors[ErrorKind.WIRE]] == [b"{"]
    assert all(isinstance(e, ErrorEnvelope) for each in runner.errors.values() for e in each)


def test_reset_forgets_input_and_output() -> None:
    runner = StreamingTestRunner.from_dict(flow(), CONFIG).capture_errors()
    runner.with_payloads([Order("a"), Order("bad")]).run()
    runner.reset()
    assert (runner.output, runner.errors[ErrorKind.TASK]) == ([], [])
    runner.run()
    assert runner.output == []


@pytest.mark.asyncio
async def test_it_runs_in_a_unit_test_with_an_event_loop_and_no_broker() -> None:
    runner = StreamingTestRunner.from_dict(flow(), CONFIG).with_payloads([Order("a")])
    runner.run()
    assert len(runner.output) == 1
