"""RecordStep: one record in, one out; what it may return and what becomes of its failures."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from loom_runtime import (
    DomainError,
    ErrorKind,
    LoomStruct,
    Message,
    MessageMeta,
    RecordStep,
)
from tests.nodes.running import Item, Pass, Result, Upper, at, ids, items, run, runner_of

SOURCE = Message(
    payload=Item("a"),
    meta=MessageMeta(
        message_id="in:2:7",
        correlation_id="order-1",
        trace_id="t" * 32,
        parent_trace_id="p" * 32,
        causation_id="cause",
        produced_at_ms=1_000,
        message_type="shop.Item",
        message_version=3,
        topic="in",
        partition=2,
        offset=7,
        key=b"k",
        headers={"tenant": b"x"},
    ),
)


class Returning(RecordStep[Any, Any]):
    """Returns whatever it was made with."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def execute(self, message: Message[Any]) -> Any:
        return self.value


class Raising(RecordStep[Item, Item]):
    """Raises what it was made with for items called ``bad``."""

    def __init__(self, error: BaseException | type[BaseException]) -> None:
        self.error = error

    def execute(self, message: Message[Item]) -> Item:
        if message.payload.id == "bad":
            raise self.error
        return message.payload


def test_each_record_becomes_one_in_order() -> None:
    runner = run(runner_of(Upper), items("a", "b", "c"))
    assert ids(runner) == ["A", "B", "C"]


def test_a_payload_keeps_the_metadata_of_the_record_it_was_made_of() -> None:
    runner = run(runner_of(Upper), [SOURCE])
    assert runner.output == [Message(payload=Result("A"), meta=SOURCE.meta)]


def test_the_flow_runs_over_thousands_of_records() -> None:
    runner = run(runner_of(Upper, Pass, Pass), items(*(f"i{n}" for n in range(5_000))))
    assert ids(runner) == [f"I{n}" for n in range(5_000)]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "returned None; it must return a LoomStruct or a Message; to filter records, use"),
        (7, "returned a int"),
        ({"id": "a"}, "returned a dict"),
        ([Result("a")], "returned a list"),
        (Message(payload="text", meta=SOURCE.meta), "a Message of a str"),  # type: ignore[type-var]
        (Message(payload=Result("a"), meta=None), "with None"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_payload_and_no_message_is_a_task_error(value: Any, said: str) -> None:
    runner = run(runner_of(Returning(value)), items("a"))
    assert runner.output == []
    (envelope,) = runner.errors[ErrorKind.TASK]
    assert said in envelope.reason
    assert envelope.exception_type == "builtins.TypeError"


def test_a_message_keeps_its_own_metadata_and_the_place_its_record_was_read_from() -> None:
    own = MessageMeta(
        message_id="mine",
        correlation_id="order-2",
        trace_id="n" * 32,
        causation_id="in:2:7",
        produced_at_ms=2_000,
        message_type="shop.Mine",
        topic="nowhere",
        partition=99,
        offset=99,
        key="other",
        headers={"own": b"y"},
    )
    runner = run(runner_of(Returning(Message(payload=Result("m"), meta=own))), [SOURCE])
    (message,) = runner.output
    assert message.payload == Result("m")
    meta = message.meta
    assert (meta.topic, meta.partition, meta.offset) == ("in", 2, 7)
    assert (meta.message_id, meta.correlation_id, meta.causation_id) == (
        "mine",
        "order-2",
        "in:2:7",
    )
    assert (meta.trace_id, meta.parent_trace_id) == ("n" * 32, None)
    assert (meta.produced_at_ms, meta.key, meta.headers) == (2_000, "other", {"own": b"y"})
    assert meta.message_type == "shop.Mine"


def test_a_message_takes_what_its_metadata_leaves_empty_from_its_record() -> None:
    bare = Message(payload=Result("m"), meta=MessageMeta(message_id="mine"))
    (message,) = run(runner_of(Returning(bare)), [SOURCE]).output
    meta = message.meta
    assert meta.message_id == "mine"
    assert meta.message_type == Result.loom_message_type()
    assert meta.message_version is None
    for field in (
        "correlation_id",
        "trace_id",
        "parent_trace_id",
        "causation_id",
        "produced_at_ms",
        "topic",
        "partition",
        "offset",
        "key",
        "headers",
    ):
        assert getattr(meta, field) == getattr(SOURCE.meta, field), field


def test_the_message_that_came_in_may_go_out_again() -> None:
    class Same(RecordStep[Item, Item]):
        def execute(self, message: Message[Item]) -> Any:
            return message

    assert run(runner_of(Same, Upper), [SOURCE]).output[0].meta == SOURCE.meta


def test_a_domain_error_is_business_and_anything_else_is_task() -> None:
    class OutOfStockError(DomainError):
        pass

    business = run(runner_of(Raising(OutOfStockError("no tea"))), items("a", "bad", "c"))
    assert ids(business) == ["a", "c"]
    assert [e.reason for e in business.errors[ErrorKind.BUSINESS]] == ["no tea"]
    assert business.errors[ErrorKind.TASK] == []
    task = run(runner_of(Raising(KeyError("tea"))), items("a", "bad", "c"))
    assert ids(task) == ["a", "c"]
    assert [e.reason for e in task.errors[ErrorKind.TASK]] == ["'tea'"]


def test_a_step_that_calls_sys_exit_ends_one_record() -> None:
    class Exits(RecordStep[Item, Item]):
        def execute(self, message: Message[Item]) -> Item:
            if message.payload.id == "bad":
                sys.exit("giving up")
            return message.payload

    runner = run(runner_of(Exits), items("a", "bad", "c"))
    assert ids(runner) == ["a", "c"]
    (envelope,) = runner.errors[ErrorKind.TASK]
    assert (envelope.exception_type, envelope.reason) == ("builtins.SystemExit", "giving up")


def test_a_keyboard_interrupt_is_no_record_of_ours_and_stops_the_run() -> None:
    runner = runner_of(Raising(KeyboardInterrupt)).with_payloads(items("a", "bad", "c"))
    with pytest.raises(KeyboardInterrupt):
        runner.run()


def test_an_exception_whose_text_cannot_be_made_is_named() -> None:
    class HostileError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text for you")

    runner = run(runner_of(Raising(HostileError())), items("bad", "b"))
    assert ids(runner) == ["b"]
    (envelope,) = runner.errors[ErrorKind.TASK]
    assert envelope.reason.endswith("HostileError (its text could not be made: RuntimeError)")


def test_an_exception_without_text_is_named() -> None:
    runner = run(runner_of(Raising(ValueError())), items("bad"))
    assert runner.errors[ErrorKind.TASK][0].reason == "ValueError"


def test_a_huge_text_is_cut_from_the_middle_and_costs_no_payload() -> None:
    text = "begin " + "x" * 5_000_000 + " end"
    runner = run(runner_of(Raising(ValueError(text))), items("bad"))
    (envelope,) = runner.errors[ErrorKind.TASK]
    assert len(envelope.reason) < 11_000
    assert envelope.reason.startswith("begin x")
    assert envelope.reason.endswith("x end")
    assert envelope.original_message is not None
    assert envelope.original_message.payload == Item("bad", 0)


def test_text_that_utf_8_cannot_say_is_escaped() -> None:
    runner = run(runner_of(Raising(ValueError("lone \udc80 surrogate"))), items("bad"))
    assert runner.errors[ErrorKind.TASK][0].reason == "lone \\udc80 surrogate"


def test_endless_recursion_ends_one_record() -> None:
    class Recursing(RecordStep[Item, Item]):
        def execute(self, message: Message[Item]) -> Item:
            return self.execute(message) if message.payload.id == "bad" else message.payload

    runner = run(runner_of(Recursing), items("a", "bad", "c"))
    assert ids(runner) == ["a", "c"]
    (envelope,) = runner.errors[ErrorKind.TASK]
    assert "recursion" in envelope.reason
    assert "frames left out" in (envelope.traceback or "")


def test_a_failed_record_does_not_reach_the_steps_after_it() -> None:
    seen: list[str] = []

    class Seeing(RecordStep[Item, Item]):
        def execute(self, message: Message[Item]) -> Item:
            seen.append(message.payload.id)
            return message.payload

    run(runner_of(Raising(ValueError("no")), Seeing()), items("a", "bad", "c"))
    assert seen == ["a", "c"]


def test_mutable_payloads_travel_too() -> None:
    class Basket(LoomStruct):
        goods: list[str]

    class Add(RecordStep[Any, Any]):
        def execute(self, message: Message[Any]) -> Any:
            message.payload.goods.append("tea")
            return message.payload

    runner = run(runner_of(Add), [at(1, Basket(["mug"]))])
    assert runner.output[0].payload.goods == ["mug", "tea"]


def test_what_the_output_topic_cannot_encode_is_a_task_error_of_the_output_alone() -> None:
    class Odd(LoomStruct):
        thing: Any

    class MakeOdd(RecordStep[Item, Odd]):
        def execute(self, message: Message[Item]) -> Odd:
            return Odd(object() if message.payload.id == "bad" else message.payload.id)

    runner = run(runner_of(MakeOdd), items("a", "bad", "c"))
    assert [m.payload.thing for m in runner.output] == ["a", "c"]
    (envelope,) = runner.errors[ErrorKind.TASK]
    assert envelope.node == "output out"
    assert "object" in envelope.reason
