"""StreamingTestRunner: what it is given, what it keeps, how it fails, where it runs."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from loom_runtime import (
    CollectBatch,
    CompilationError,
    ConfigContext,
    DomainError,
    ErrorEnvelope,
    ErrorKind,
    ErrorRoute,
    ForEach,
    FromMultiTypeTopic,
    FromTopic,
    IntoTopic,
    LoomFrozenStruct,
    Message,
    MessageMeta,
    PartitionGuarantee,
    PartitionPolicy,
    Process,
    ProcessNode,
    RecordStep,
    Router,
    StreamFlow,
    StreamingTestRunner,
    WithAsync,
)
from loom_runtime.failures import UnroutedErrorError
from loom_runtime.testing import payloads_of

CONFIG: dict[str, Any] = {
    "kafka": {
        "consumer": {"brokers": ["none:9092"], "group_id": "kit"},
        "producer": {"brokers": ["none:9092"]},
    }
}


class Order(LoomFrozenStruct, frozen=True):
    __loom_message_type__: ClassVar[str] = "shop.order"

    id: str
    amount: int = 0


class Refund(LoomFrozenStruct, frozen=True):
    __loom_message_type__: ClassVar[str] = "shop.refund"

    id: str


class Check(RecordStep[Order, Order]):
    """Fails in each of the ways that a step can."""

    def __init__(self, limit: int = 100) -> None:
        self.limit = limit

    def execute(self, message: Message[Order]) -> Order:
        if message.payload.amount < 0:
            raise DomainError("less than nothing")
        if message.payload.amount > self.limit:
            raise OverflowError("too much")
        return message.payload


def flow_of(*nodes: ProcessNode, errors: Any = None, source: Any = None) -> StreamFlow[Any, Any]:
    return StreamFlow(
        "kit",
        source or FromTopic("orders", payload=Order),
        Process(*(nodes or (Check,))),
        IntoTopic("out"),
        errors,
    )


def kit(*nodes: ProcessNode, errors: Any = None, source: Any = None) -> StreamingTestRunner:
    return StreamingTestRunner.from_flow(
        flow_of(*nodes, errors=errors, source=source), config=CONFIG
    )


def ids(runner: StreamingTestRunner) -> list[str]:
    return [order.id for order in payloads_of(runner.output)]


def test_payloads_become_messages_of_the_source_topic() -> None:
    runner = kit().with_payloads([Order("a"), Order("b")])
    runner.run()
    first, second = runner.output
    assert (first.payload, second.payload) == (Order("a"), Order("b"))
    assert (second.meta.topic, second.meta.partition, second.meta.offset) == ("orders", 0, 1)
    assert (second.meta.message_id, second.meta.message_type) == ("orders:0:1", "shop.order")


def test_messages_are_taken_as_they_are() -> None:
    meta = MessageMeta(message_id="m", key="k", topic="elsewhere", offset=9, headers={"h": b"1"})
    runner = kit().with_messages([Message(payload=Order("a"), meta=meta)])
    runner.run()
    assert [message.meta for message in runner.output] == [meta]


def test_raw_records_go_through_the_decoder() -> None:
    runner = kit().with_messages(
        [
            b'{"id": "a"}',
            (b"key", b'{"id": "b", "amount": 7}'),
            (b"key", b'{"id": "c"}', [("x-trace-id", b"t"), ("tenant", b"x")]),
            (None, b'{"id": "d"}', {"x-correlation-id": b"c"}),
            (None, b'{"id": "e"}', None),
        ]
    )
    runner.run()
    assert ids(runner) == list("abcde")
    _, second, third, fourth, _ = (message.meta for message in runner.output)
    assert (second.key, second.offset) == (b"key", 1)
    assert (third.trace_id, third.headers) == ("t", {"tenant": b"x"})
    assert fourth.correlation_id == "c"


def test_raw_records_are_of_the_sources_format() -> None:
    config = {"kafka": {**CONFIG["kafka"], "consumer": {**CONFIG["kafka"]["consumer"]}}}
    config["kafka"]["consumer"]["format"] = "msgpack"
    runner = StreamingTestRunner.from_dict(flow_of(), config)
    runner.with_messages([b"\x81\xa2id\xa1a"]).run()
    assert ids(runner) == ["a"]


def test_given_kinds_mix_and_keep_their_order() -> None:
    message = Message(payload=Order("b"), meta=MessageMeta(message_id="b"))
    runner = kit().with_payloads([Order("a")]).with_messages([b'{"id": "c"}', message, b"{"])
    runner.with_payloads([Order("d")]).capture_errors().run()
    assert ids(runner) == ["a", "c", "b", "d"]
    assert len(runner.errors[ErrorKind.WIRE]) == 1


@pytest.mark.parametrize(
    "wrong", [Order("a"), "text", (b"k",), (b"k", b"v", None, 1, None), None, 7]
)
def test_what_is_no_message_and_no_record_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="with_messages takes Message, bytes, "):
        kit().with_messages([wrong])


def test_captured_kinds_are_kept_by_kind() -> None:
    runner = kit().capture_errors(ErrorKind.TASK, ErrorKind.BUSINESS)
    runner.with_payloads([Order("a", -1), Order("b", 101), Order("c", -2), Order("d")]).run()
    assert ids(runner) == ["d"]
    assert [e.reason for e in runner.errors[ErrorKind.BUSINESS]] == ["less than nothing"] * 2
    assert [e.reason for e in runner.errors[ErrorKind.TASK]] == ["too much"]
    assert set(runner.errors) == {ErrorKind.TASK, ErrorKind.BUSINESS}


def test_capturing_without_a_kind_captures_all() -> None:
    runner = kit().capture_errors().with_messages([b"{", b'{"id": "a", "amount": -1}'])
    runner.run()
    assert {kind.value: len(each) for kind, each in runner.errors.items()} == {
        "wire": 1,
        "routing": 0,
        "task": 0,
        "business": 1,
    }


def test_a_kind_that_is_neither_captured_nor_routed_fails_the_run() -> None:
    runner = kit().capture_errors(ErrorKind.BUSINESS)
    runner.with_payloads([Order("a"), Order("b", -1), Order("c", 101), Order("d", 102)])
    with pytest.raises(UnroutedErrorError) as raised:
        runner.run()
    assert "record orders[0]@2 failed with a task error (and 1 more of its batch)" in (
        raised.value.what
    )
    assert "too much" in raised.value.what
    assert raised.value.where == "Check"
    assert "errors=" in raised.value.what_next


def test_a_wire_failure_that_nobody_takes_fails_the_run_too() -> None:
    with pytest.raises(UnroutedErrorError, match="failed with a wire error"):
        kit().with_messages([b"{"]).run()


def test_a_run_after_a_failed_one_starts_afresh() -> None:
    runner = kit().with_payloads([Order("a", 101)])
    with pytest.raises(UnroutedErrorError):
        runner.run()
    runner.reset().with_payloads([Order("b")]).run()
    assert ids(runner) == ["b"]


def test_routed_kinds_are_kept_without_capturing() -> None:
    errors: IntoTopic[Any] = IntoTopic("errors", payload=ErrorEnvelope[Order])
    everything = kit(errors=errors).with_payloads([Order("a", -1), Order("b", 101)])
    everything.run()
    assert {kind.value: len(each) for kind, each in everything.errors.items()} == {
        "business": 1,
        "task": 1,
    }
    one = kit(errors=ErrorRoute((ErrorKind.TASK,), errors)).with_payloads([Order("b", 101)])
    one.run()
    assert [e.reason for e in one.errors[ErrorKind.TASK]] == ["too much"]
    with pytest.raises(UnroutedErrorError):
        one.with_payloads([Order("a", -1)]).run()


def test_errors_of_a_kind_that_has_none_are_an_empty_list() -> None:
    runner = kit().with_payloads([Order("a")])
    runner.run()
    assert runner.errors == {}
    assert runner.errors[ErrorKind.TASK] == []
    assert runner.errors == {}


def test_every_call_that_sets_up_returns_the_runner() -> None:
    runner = kit()
    assert runner.with_payloads([]) is runner
    assert runner.with_messages([]) is runner
    assert runner.capture_errors() is runner
    assert runner.reset() is runner


def test_reset_forgets_everything_but_what_is_captured() -> None:
    runner = kit().capture_errors(ErrorKind.BUSINESS)
    runner.with_payloads([Order("a"), Order("b", -1)]).run()
    runner.reset()
    assert (runner.output, runner.errors, runner.ledger) == (
        [],
        {ErrorKind.BUSINESS: []},
        None,
    )
    runner.run()
    assert runner.output == []
    runner.with_payloads([Order("c", -1)]).run()
    assert len(runner.errors[ErrorKind.BUSINESS]) == 1


def test_run_twice_reads_the_same_again() -> None:
    runner = kit().with_payloads([Order("a"), Order("b")])
    runner.run()
    runner.run()
    assert ids(runner) == ["a", "b", "a", "b"]


def test_what_is_given_after_a_run_is_read_by_the_next_alone() -> None:
    runner = kit().with_payloads([Order("a")])
    runner.run()
    runner.with_payloads([Order("b")]).with_payloads([Order("c")]).run()
    assert ids(runner) == ["a", "b", "c"]
    assert [message.meta.offset for message in runner.output] == [0, 0, 1]


def test_output_is_of_the_flow_and_of_every_terminal_sink() -> None:
    class Kind:
        def select(self, message: Message[Any]) -> object:
            return type(message.payload)

    source = FromMultiTypeTopic("shop", payloads=(Order, Refund))
    router: Router[Any, Any] = Router.by(
        Kind(), {Refund: Process(IntoTopic("refunds", payload=Refund))}
    )
    runner = kit(router, source=source).with_payloads([Order("a"), Refund("b")])
    runner.run()
    assert sorted(each.id for each in payloads_of(runner.output)) == ["a", "b"]


def test_output_has_the_key_that_it_would_be_written_with() -> None:
    class ById:
        def partition_key(self, message: Message[Order]) -> str:
            return message.payload.id

    policy = PartitionPolicy[Order](ById(), PartitionGuarantee.ENTITY_STABLE)
    out: IntoTopic[Order] = IntoTopic("out", payload=Order, partitioning=policy)
    flow: StreamFlow[Any, Any] = StreamFlow(
        "kit", FromTopic("orders", payload=Order), Process(Check), out
    )
    runner = StreamingTestRunner.from_flow(flow, config=CONFIG)
    runner.with_messages([(b"given", b'{"id": "a"}'), b'{"id": "b"}']).run()
    assert [message.meta.key for message in runner.output] == [b"given", b"b"]


def test_the_ledger_says_what_became_of_every_record() -> None:
    runner = kit().capture_errors()
    assert runner.ledger is None
    runner.with_messages([b"{", b'{"id": "a"}']).with_payloads([Order("b", -1)]).run()
    assert runner.ledger is not None
    (row,) = runner.ledger.partitions
    assert (row.topic, row.partition, row.balanced) == ("orders", 0, True)
    assert (row.consumed, row.written, row.errored, row.held) == (3, 1, 2, 0)
    assert (row.position, row.committed, row.end_offset) == (3, 3, 3)


def test_a_flow_without_records_runs() -> None:
    runner = kit(CollectBatch(max_records=2, timeout_ms=60_000), ForEach())
    runner.run()
    assert (runner.output, runner.errors) == ([], {})
    assert runner.ledger is not None
    assert runner.ledger.total("consumed") == 0


def test_from_flow_takes_a_mapping_or_a_context() -> None:
    config = {**CONFIG, "steps": {"check": {"limit": 5}}}
    flow = flow_of(Check.from_config("steps.check"))
    for given in (config, ConfigContext.from_dict(config)):
        runner = StreamingTestRunner.from_flow(flow, config=given).capture_errors()
        runner.with_payloads([Order("a", 6)]).run()
        assert len(runner.errors[ErrorKind.TASK]) == 1


def test_from_dict_and_from_yaml(tmp_path: Path) -> None:
    path = tmp_path / "kit.yaml"
    path.write_text(
        "kafka:\n"
        "  consumer: {brokers: ['none:9092'], group_id: kit}\n"
        "  producer: {brokers: ['none:9092']}\n"
        "steps: {check: {limit: 5}}\n"
    )
    flow = flow_of(Check.from_config("steps.check"))
    makers: list[Callable[[], StreamingTestRunner]] = [
        lambda: StreamingTestRunner.from_yaml(flow, str(path)),
        lambda: StreamingTestRunner.from_dict(flow, {**CONFIG, "steps": {"check": {"limit": 5}}}),
    ]
    for make in makers:
        runner = make().capture_errors().with_payloads([Order("a", 6), Order("b", 5)])
        runner.run()
        assert ids(runner) == ["b"]


def test_a_flow_that_cannot_run_is_told_by_the_compiler() -> None:
    with pytest.raises(CompilationError):
        kit(ForEach())


class Wait(RecordStep[Order, Order]):
    """A coroutine, so the run needs an event loop of its own."""

    async def execute(self, message: Message[Order]) -> Order:
        await asyncio.sleep(0)
        return message.payload


@pytest.mark.asyncio
async def test_it_runs_inside_a_running_event_loop() -> None:
    scope: WithAsync[Any, Any] = WithAsync(process=Process(Wait))
    runner = kit(scope).with_payloads([Order("a"), Order("b")])
    runner.run()
    assert ids(runner) == ["a", "b"]
    await asyncio.to_thread(runner.run)
    assert ids(runner) == ["a", "b", "a", "b"]


def test_it_runs_in_threads_many_at_once() -> None:
    scope: WithAsync[Any, Any] = WithAsync(process=Process(Wait))
    runners = [
        kit(scope, Check).with_payloads([Order(f"{n}-{each}") for each in range(200)])
        for n in range(4)
    ]
    threads = [threading.Thread(target=runner.run) for runner in runners]
    thresholds = gc.get_threshold()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for n, runner in enumerate(runners):
        assert ids(runner) == [f"{n}-{each}" for each in range(200)]
    assert gc.get_threshold() == thresholds


def test_steps_are_made_anew_for_each_run() -> None:
    class Counting(RecordStep[Order, Order]):
        def __init__(self) -> None:
            self.count = 0

        def execute(self, message: Message[Order]) -> Order:
            self.count += 1
            return Order(message.payload.id, self.count)

    runner = kit(Counting).with_payloads([Order("a"), Order("b")])
    runner.run()
    runner.run()
    assert [each.amount for each in payloads_of(runner.output)] == [1, 2, 1, 2]
