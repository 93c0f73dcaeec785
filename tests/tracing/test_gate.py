"""A stop at any node: what is decided about a record happens, the rest of its batch goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import anyio
import msgspec
import pytest

from loom_runtime import (
    BatchStep,
    CollectBatch,
    ContextFactory,
    ErrorKind,
    ForEach,
    LoomStruct,
    Message,
    MessageMeta,
    Process,
    ProcessNode,
    RecordStep,
    ResourceScope,
    Router,
    StatefulStep,
    With,
    WithAsync,
    payload,
)
from loom_runtime.config.runtime import BytewaxRuntimeConfig
from loom_runtime.engine.observation import Observation
from loom_runtime.engine.prepared import assemble
from loom_runtime.engine_control import RunControl
from loom_runtime.errors import ErrorEnvelope
from loom_runtime.execution.layout import lay_out
from loom_runtime.execution.topic_encoders import topic_encoder
from loom_runtime.ledger import LedgerReport
from loom_runtime.memory import CapturedEnvelopes, CapturedMessages, InMemoryTransport
from loom_runtime.observability import ObservabilityRuntime
from loom_runtime.tracing.conditions import ConditionError
from loom_runtime.tracing.gate import Gate, GateAction, GateListener, RecordStop
from loom_runtime.tracing.shown import EditedMessage
from loom_runtime.tracing.trace import StopOutcome
from tests.nodes.any_flow import connection
from tests.nodes.running import Item, config_of, flow_of
from tests.tracing.records import plan_of

POISON = 13


class Strict(RecordStep[Item, Item]):
    def execute(self, message: Message[Item]) -> Item:
        if message.payload.value == POISON:
            raise ValueError("unlucky")
        return Item(message.payload.id, message.payload.value + 100)


class StrictLater(Strict):
    async def execute(self, message: Message[Item]) -> Item:  # type: ignore[override]
        await anyio.sleep(0)
        return super().execute(message)


class StrictBatch(BatchStep[Item, Item]):
    def execute(self, messages: Sequence[Message[Item]]) -> list[Item]:
        return [Strict().execute(message) for message in messages]


class Same(RecordStep[Item, Item]):
    def execute(self, message: Message[Item]) -> Item:
        return message.payload


class SameLater(Same):
    async def execute(self, message: Message[Item]) -> Item:  # type: ignore[override]
        return message.payload


class Sum(LoomStruct):
    total: int = 0


class StrictSum(StatefulStep[Item, Item, Sum]):
    def key(self, message: Message[Item]) -> str:
        return "one" if message.payload.value != 666 else "other"

    def initial(self) -> Sum:
        return Sum()

    def execute(self, state: Sum, message: Message[Item]) -> tuple[Sum, list[Item]]:
        if message.payload.value == POISON:
            raise ValueError("unlucky")
        total = state.total + message.payload.value
        return Sum(total), [Item(message.payload.id, message.payload.value + 100)]


Answer = tuple[GateAction, EditedMessage | None]


class Deciding(GateListener):
    """Answers stops at once."""

    def __init__(self, decide: Callable[[RecordStop], Answer]) -> None:
        self.gate = Gate(self)
        self.stops: list[RecordStop] = []
        self.problems: list[str] = []
        self._decide = decide

    def stopped(self, stop: RecordStop) -> None:
        self.stops.append(stop)
        self.gate.answer(stop.number, *self._decide(stop))

    def ended(self, number: int, action: GateAction | None, problem: str | None) -> None:
        if problem is not None:
            self.problems.append(problem)
            self.gate.answer(number, GateAction.GO_ON, None)


def run(
    nodes: Sequence[ProcessNode],
    values: Sequence[int],
    deciding: Deciding,
    *,
    breakpoint_at: str | None = None,
    condition: str | None = None,
    output: bool = True,
    records: Sequence[Any] = (),
) -> tuple[list[int], list[ErrorEnvelope[Any]], LedgerReport]:
    """Run *nodes* over *values* with a gate; return what was written, envelopes and ledger."""
    plan = plan_of(flow_of(*nodes, output=output), config_of())
    layout = lay_out(plan, ErrorKind)
    given = records or [
        Message(
            payload=Item(str(number), value),
            meta=MessageMeta(message_id=str(number), topic="in", partition=0, offset=number),
        )
        for number, value in enumerate(values)
    ]
    transport = InMemoryTransport("in", given)
    gate = deciding.gate
    if breakpoint_at is None:
        gate.set_pause_on_error(True)
    else:
        gate.set_breakpoint(1, breakpoint_at, condition, layout)
    prepared = assemble(
        layout,
        BytewaxRuntimeConfig(epoch_interval_ms=10),
        transport,
        control=RunControl(until_idle_ms=0),
        record_encoder=lambda port: CapturedMessages(topic_encoder(layout, port)),
        envelope_encoder=lambda kind: (layout.error_ports[kind], CapturedEnvelopes()),
        observation=Observation(plan, ObservabilityRuntime.noop()),
        gate=gate,
    )
    try:
        prepared.execute()
    finally:
        prepared.close()
    written, failed = [], []
    for port, made in transport.writer().written:
        if layout.ports[port].error_kind is None:
            written.append(made.payload.value)
        else:
            failed.append(made)
    report = prepared.context.last_report()
    assert report.balanced
    assert report.total("consumed") == len(given)
    return written, failed, report


def edited(stop: RecordStop, value: int = 1) -> Answer:
    taken = stop.trace.stops[-1].takes[0]
    item = msgspec.json.decode(taken.value.text, type=Item)
    text = msgspec.json.encode(Item(item.id, value)).decode()
    return GateAction.EDIT, EditedMessage(
        payload_type=taken.payload_type, value=text, meta=taken.meta
    )


def parted(step: type[RecordStep[Item, Item]]) -> Process[Any, Any]:
    return Process(Same, step, Same)


ANYWHERE: dict[str, tuple[ProcessNode, ...]] = {
    "record": (Same, Strict, Same),
    "batch": (CollectBatch(max_records=5, timeout_ms=60_000), StrictBatch, ForEach()),
    "worker scope": (With(process=parted(Strict), db=ContextFactory(connection)),),
    "batch scope": (
        With(ResourceScope.BATCH, process=parted(Strict), db=ContextFactory(connection)),
    ),
    "router": (
        Router.by(payload.id, {"none": Process(Same)}, default=parted(Strict)),
        Same,
    ),
    "async": (WithAsync(process=Process(SameLater, StrictLater, SameLater)), Same),
    "async router": (
        WithAsync(
            process=Process(
                SameLater,
                Router.by(payload.id, {"none": Process(SameLater)}, default=parted(StrictLater)),
                SameLater,
            )
        ),
    ),
    "keyed": (Same, StrictSum, Same),
}

VALUES = [1, POISON, 3, POISON, 5]


@pytest.mark.parametrize("where", ANYWHERE)
def test_an_edited_record_goes_on_at_its_place(where: str) -> None:
    deciding = Deciding(lambda stop: edited(stop, 40 + stop.trace.record.offset))
    written, failed, report = run(ANYWHERE[where], VALUES, deciding)
    assert deciding.problems == []
    assert failed == []
    if where == "batch":  # it failed as one, so each of its records was asked about
        assert sorted(written) == [140, 141, 142, 143, 144]
    else:
        assert written == [101, 141, 103, 143, 105]
    assert report.total("written") == 5


@pytest.mark.parametrize("where", [each for each in ANYWHERE if each != "batch"])
def test_a_skipped_record_is_filtered_and_another_becomes_its_envelope(where: str) -> None:
    answers = iter([GateAction.SKIP, GateAction.GO_ON])
    deciding = Deciding(lambda stop: (next(answers), None))
    written, failed, report = run(ANYWHERE[where], VALUES, deciding)
    assert written == [101, 103, 105]
    assert [each.reason for each in failed] == ["unlucky"]
    assert (report.total("filtered"), report.total("errored")) == (1, 1)
    stop = deciding.stops[0].trace.stops[-1]
    assert stop.outcome is StopOutcome.FAILED
    assert stop.failures[0].exception_type == "builtins.ValueError"
    assert stop.failures[0].frames[-1].function.endswith("execute")
    assert deciding.stops[0].trace.record.offset == 1


def test_a_record_that_fails_again_is_asked_about_again() -> None:
    answers = iter([None, POISON, 2])

    def decide(stop: RecordStop) -> Answer:
        value = next(answers)
        return (GateAction.RUN_AGAIN, None) if value is None else edited(stop, value)

    deciding = Deciding(decide)
    written, failed, _ = run((Strict,), [POISON], deciding)
    assert (written, failed, len(deciding.stops)) == ([102], [], 3)


def test_an_answer_that_cannot_be_used_is_told_and_the_run_waits_on() -> None:
    deciding = Deciding(lambda stop: edited(stop, 666))
    written, failed, _ = run((StrictSum,), [POISON], deciding)
    assert "another key" in deciding.problems[0]
    assert (written, len(failed)) == ([], 1)


def test_a_record_that_does_not_decode_is_asked_about() -> None:
    good = (0, None, b'{"id":"a","value":1}', None, 1)
    bad = (0, None, b"{", None, 1)
    deciding = Deciding(lambda stop: (GateAction.SKIP, None))
    written, failed, report = run((Strict,), [], deciding, records=[good, bad, good])
    assert (written, failed, report.total("filtered")) == ([101, 101], [], 1)
    assert deciding.stops[0].node == "source:in"
    assert deciding.stops[0].trace.record.value == b"{"


@pytest.mark.parametrize(
    ("nodes", "node"),
    [
        ((Same, Strict), "Strict"),
        ((Same, StrictSum), "StrictSum"),
        ((Same,), "sink:out"),
        ((Same,), "source:in"),
        ((WithAsync(process=Process(SameLater)),), "SameLater"),
    ],
    ids=["step", "keyed step", "sink", "source", "in an async scope"],
)
def test_a_breakpoint_stops_before_its_node(nodes: Sequence[ProcessNode], node: str) -> None:
    answers = {
        0: (GateAction.GO_ON, None),
        1: (GateAction.SKIP, None),
        2: None,
        3: (GateAction.DEAD_LETTER, None),
    }
    deciding = Deciding(lambda stop: answers[stop.trace.record.offset] or edited(stop, 50))
    raw = [(n, None, b'{"id":"a","value":%d}' % (n + 1), None, 1) for n in range(5)]
    written, failed, report = run(
        nodes, (), deciding, breakpoint_at=node, condition="payload.value < 5", records=raw
    )
    changed = [value % 100 for value in written]
    assert changed == [1, 50, 5]
    if node == "source:in":
        assert report.total("filtered") == 2
    else:
        assert [each.exception_type for each in failed] == [
            "loom_runtime.tracing.gate_watch.PutAsideError"
        ]
        assert (report.total("filtered"), report.total("errored")) == (1, 1)
    assert [stop.trace.record.offset for stop in deciding.stops] == [0, 1, 2, 3]
    assert all(stop.breakpoint == 1 for stop in deciding.stops)


def test_a_breakpoint_on_nothing_is_refused() -> None:
    layout = lay_out(plan_of(flow_of(Same), config_of()))
    gate = Gate(GateListener())
    with pytest.raises(ConditionError, match="no node 'Other'"):
        gate.set_breakpoint(1, "Other", None, layout)
    with pytest.raises(ConditionError, match="no expression"):
        gate.set_breakpoint(1, "Same", "payload.", layout)
