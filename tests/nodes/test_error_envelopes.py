"""What an envelope tells: kind, reason, place, the user's own frames, the record itself."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loom_runtime import (
    DomainError,
    ErrorEnvelope,
    ErrorKind,
    FromMultiTypeTopic,
    FromTopic,
    LoomFrozenStruct,
    Message,
    MessageMeta,
    Process,
    RecordStep,
    Router,
    payload,
)
from tests.nodes.running import Item, Pass, Upper, at, items, run, runner_of

META = MessageMeta(
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
    key=b"\xff\x00",
    headers={"tenant": b"\xfe", "x-loom-attempt": b"2"},
)


def look_up(table: dict[str, int], key: str) -> int:
    return table[key]


class Failing(RecordStep[Item, Item]):
    """Fails in a function of the user's own, called through the standard library."""

    name = "failing step"

    def execute(self, message: Message[Item]) -> Item:
        if message.payload.id == "json":
            json.loads("{")
        if message.payload.id == "cause":
            try:
                look_up({}, "tea")
            except KeyError as error:
                raise DomainError("no such article") from error
        return Item(message.payload.id, look_up({}, message.payload.id))


def envelope_of(runner: Any, kind: ErrorKind = ErrorKind.TASK) -> ErrorEnvelope[Any]:
    (envelope,) = runner.errors[kind]
    assert isinstance(envelope, ErrorEnvelope)
    return envelope


def test_every_field_of_a_failed_record() -> None:
    routes: dict[Any, Process[Any, Any]] = {"a": Process(Pass, Failing)}
    runner = runner_of(Router.by(payload.id, routes))
    run(runner, [Message(payload=Item("a", 5), meta=META)])
    envelope = envelope_of(runner)
    assert (envelope.kind, envelope.reason) == (ErrorKind.TASK, "'a'")
    assert envelope.exception_type == "builtins.KeyError"
    assert envelope.payload_type == Item.loom_message_type()
    assert (envelope.flow, envelope.revision) == ("nodes", None)
    assert (envelope.node, envelope.node_path) == ("failing step", (0, 0, 1))
    assert envelope.attempt == 3
    assert (envelope.raw, envelope.transport) == (None, None)
    original = envelope.original_message
    assert original is not None
    assert original.payload == Item("a", 5)
    assert msgspec.structs.asdict(original.meta) == msgspec.structs.asdict(META)


def test_the_traceback_has_the_users_frames_with_file_line_and_text() -> None:
    envelope = envelope_of(run(runner_of(Failing), items("a")))
    trace = envelope.traceback or ""
    first, first_text, second, second_text = trace.splitlines()
    assert first.startswith(f'  File "{__file__}", line ')
    assert first.endswith("in Failing.execute")
    assert first_text == "    return Item(message.payload.id, look_up({}, message.payload.id))"
    assert second.endswith("in look_up")
    assert second_text == "    return table[key]"


def test_frames_of_the_standard_library_and_of_this_package_are_left_out() -> None:
    envelope = envelope_of(run(runner_of(Failing), items("json")))
    assert (envelope.traceback or "").count("  File ") == 1
    assert 'json.loads("{")' in (envelope.traceback or "")


def test_the_cause_of_an_error_is_told_with_its_frames() -> None:
    envelope = envelope_of(run(runner_of(Failing), items("cause")), ErrorKind.BUSINESS)
    trace = envelope.traceback or ""
    assert "caused by KeyError: 'tea'" in trace
    assert trace.index("Failing.execute") < trace.index("caused by") < trace.index("in look_up")


def test_notes_are_part_of_the_reason() -> None:
    class Noting(RecordStep[Item, Item]):
        def execute(self, message: Message[Item]) -> Item:
            error = ValueError("odd")
            error.add_note("seen in the winter catalogue")
            raise error

    envelope = envelope_of(run(runner_of(Noting), items("a")))
    assert envelope.reason == "odd\nseen in the winter catalogue"


def test_a_payload_of_another_type_in_the_middle_of_the_flow_is_named() -> None:
    class BadResult(RecordStep[Any, Any]):
        def execute(self, message: Message[Any]) -> Any:
            raise ValueError("bad")

    envelope = envelope_of(run(runner_of(Upper, BadResult), items("a")))
    assert envelope.payload_type == "tests.nodes.running.Result"


@pytest.mark.parametrize("value", [b"{", b'{"id": 7}', b"\xff", b"", None])
def test_a_record_that_does_not_decode_keeps_its_bytes_and_its_place(value: bytes | None) -> None:
    headers = [("x-correlation-id", b"c"), ("tenant", b"\xff"), ("x-loom-attempt", b"1")]
    runner = run(runner_of(Upper), [b'{"id": "a"}', (b"key", value, headers)])
    assert [m.payload.id for m in runner.output] == ["A"]
    envelope = envelope_of(runner, ErrorKind.WIRE)
    assert (envelope.raw, envelope.original_message) == (value, None)
    assert (envelope.flow, envelope.node, envelope.node_path) == ("nodes", None, ())
    assert (envelope.attempt, envelope.payload_type) == (2, Item.loom_message_type())
    assert envelope.exception_type
    meta = envelope.transport
    assert meta is not None
    assert (meta.topic, meta.partition, meta.offset) == ("in", 0, 1)
    assert (meta.message_id, meta.key, meta.correlation_id) == ("in:0:1", b"key", "c")
    assert meta.headers["tenant"] == b"\xff"


def test_a_record_of_an_undeclared_type_is_a_wire_error() -> None:
    class Other(LoomFrozenStruct, frozen=True):
        id: str

    source = FromMultiTypeTopic("in", payloads=(Item, Other))
    runner = run(
        runner_of(Pass, source=source),
        [
            (None, b'{"id": "a"}', {"x-message-type": Other.loom_message_type().encode()}),
            (None, b'{"id": "b"}', {"x-message-type": b"shop.Unknown"}),
            (None, b'{"id": "c"}'),
        ],
    )
    assert [m.payload for m in runner.output] == [Other("a")]
    reasons = [e.reason for e in runner.errors[ErrorKind.WIRE]]
    assert "'shop.Unknown' is not declared" in reasons[0]
    assert "names no message type" in reasons[1]


def test_metadata_that_a_step_made_odd_costs_no_envelope() -> None:
    odd: list[MessageMeta] = [
        MessageMeta(message_id="1", key="lone \udc80"),
        MessageMeta(message_id="2", headers={"x-loom-attempt": 7}),  # type: ignore[dict-item]
        MessageMeta(message_id="3", headers="none"),  # type: ignore[arg-type]
        MessageMeta(message_id="4", key=7),  # type: ignore[arg-type]
        MessageMeta(message_id="5", headers={"x-loom-attempt": b"many"}),
    ]

    class Odd(RecordStep[Item, Item]):
        def execute(self, message: Message[Item]) -> Any:
            return Message(payload=message.payload, meta=odd[message.payload.value])

    class Bad(RecordStep[Item, Item]):
        def execute(self, message: Message[Item]) -> Item:
            raise ValueError("bad")

    runner = run(runner_of(Odd, Bad), items(*"abcde"))
    envelopes = runner.errors[ErrorKind.TASK]
    assert [e.reason for e in envelopes] == ["bad"] * 5
    assert [e.attempt for e in envelopes] == [1] * 5


class HostileStr(str):
    """Text whose length and form cannot be relied on."""

    __slots__ = ()

    def __str__(self) -> str:
        raise ValueError("hostile")


@settings(max_examples=60, deadline=None)
@given(st.text() | st.binary() | st.none() | st.integers() | st.tuples(st.text(), st.binary()))
def test_any_exception_text_makes_an_envelope_that_can_be_written(content: Any) -> None:
    class Bad(RecordStep[Item, Item]):
        def execute(self, message: Message[Item]) -> Item:
            raise ValueError(content)

    envelope = envelope_of(run(runner_of(Bad), items("a")))
    assert msgspec.json.decode(msgspec.json.encode(envelope), type=ErrorEnvelope[Item]) == envelope


def test_hostile_exception_classes_cost_one_record_each() -> None:
    class ArgsError(Exception):
        @property
        def args(self) -> Any:  # type: ignore[override]
            raise ValueError("no args")

    class NamesError(Exception):
        pass

    NamesError.__module__ = None  # type: ignore[assignment]
    NamesError.__qualname__ = "x" * 10_000

    class NotesError(Exception):
        __notes__ = "no list"  # type: ignore[assignment]

    class TextError(Exception):
        def __str__(self) -> str:
            raise SystemExit(1)

    class NoTextError(Exception):
        def __str__(self) -> str:
            return None  # type: ignore[return-value]  # noqa: PLE0307

    errors: list[BaseException] = [
        ArgsError(),
        NamesError("named"),
        NotesError("noted"),
        TextError(),
        NoTextError(),
        ValueError(HostileStr("x")),
        OSError(2, "no file", "name"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
    ]

    class Bad(RecordStep[Item, Item]):
        def execute(self, message: Message[Item]) -> Item:
            raise errors[message.payload.value]

    runner = run(runner_of(Bad), items(*(str(n) for n in range(len(errors)))))
    envelopes = runner.errors[ErrorKind.TASK]
    assert len(envelopes) == len(errors)
    assert all(envelope.reason for envelope in envelopes)


def test_envelopes_can_be_read_by_a_flow_and_redriven() -> None:
    failed = run(runner_of(Failing), [at(1, Item("a"), topic="in", partition=0, offset=4)])
    envelope = envelope_of(failed)

    class Redrive(RecordStep[ErrorEnvelope[Item], Item]):
        def execute(self, message: Message[ErrorEnvelope[Item]]) -> Item:
            original = message.payload.original_message
            assert original is not None
            return original.payload

    source = FromTopic("errors", payload=ErrorEnvelope[Item])
    runner = run(runner_of(Redrive, source=source), [(b"k", msgspec.json.encode(envelope))])
    assert [m.payload for m in runner.output] == [Item("a")]
