"""Headless runs against a real broker: fed, finished, drained, killed."""

import json
from pathlib import Path

import pytest

from loom_bench.broker.embedded import EmbeddedBroker
from loom_bench.session.happenings import (
    BrokerReady,
    ErrorSummary,
    Failed,
    FeedEnded,
    FeedStarted,
    FlowLoaded,
    Happening,
    NewError,
    OutputShown,
    Progress,
    RunStarted,
    Stopping,
)
from tests.bench.modules import write_flow
from tests.bench.runs import ENDLESS, Run, SharedBroker, fed_flow
from tests.broker_fixtures import Topics

pytestmark = pytest.mark.usefixtures("nothing_is_left")


def test_a_flow_is_fed_run_and_finished(tmp_path: Path) -> None:
    run = Run(fed_flow(tmp_path, 5_000), until_idle_ms=500)
    assert run.outcome == "finished"
    assert run.session.succeeded
    assert [type(each) for each in run.told if not isinstance(each, Progress)][:3] == [
        BrokerReady,
        FlowLoaded,
        FeedStarted,
    ]
    assert run.one(RunStarted) == RunStarted(flow="orders")
    assert run.one(BrokerReady).kind == "embedded"
    assert run.one(FlowLoaded).nodes == 1
    assert run.one(FeedStarted) == FeedStarted(topic="orders", rate_per_s=None)
    assert run.one(FeedEnded) == FeedEnded(delivered=5_000)
    ledger = run.ledger
    assert ledger.balanced
    assert (ledger.consumed, ledger.written, ledger.records_written) == (5_000, 5_000, 5_000)
    assert ledger.fed == 5_000
    assert sum(row.consumed for row in ledger.partitions) == 5_000
    assert all(row.committed == row.end_offset for row in ledger.partitions if row.consumed)
    assert not run.all(Failed)


EVERY_FORM = """
from loom_runtime import MessageMeta

def bench_feed():
    yield Order(0)
    yield Message(
        payload=Order(1),
        meta=MessageMeta(message_id="m", key="k1", produced_at_ms=1_700_000_000_000,
                         correlation_id="c", headers={"h": b"v"}),
    )
    yield b"poison"
    yield (b"k3", b'{"id": 3}')
    yield ("k4", Order(4))
"""


def test_a_feed_gives_payloads_messages_bytes_and_pairs(
    tmp_path: Path, broker: EmbeddedBroker, topics: Topics
) -> None:
    shared = SharedBroker(broker)
    name = f"forms-{tmp_path.name}".lower().replace("_", "-")
    path = write_flow(tmp_path, more=EVERY_FORM)
    path.write_text(
        path.read_text().replace('"orders"', f'"{name}"').replace("copies", f"{name}-o")
    )
    run = Run(path, opener=lambda _, __: shared, max_records=5, broker="embedded")

    assert shared.stopped
    assert run.one(FeedEnded).failure is None
    records = {record.value: record for record in topics.read(name)}
    assert set(records) == {
        b'{"id":0}',
        b'{"id":1}',
        b"poison",
        b'{"id": 3}',
        b'{"id":4}',
    }
    message = records[b'{"id":1}']
    assert (message.key, message.timestamp_ms) == (b"k1", 1_700_000_000_000)
    assert {("x-correlation-id", b"c"), ("h", b"v")} <= set(message.headers)
    assert records[b'{"id": 3}'].key == b"k3"
    assert records[b'{"id":4}'].key == b"k4"
    assert records[b"poison"].key is None


def test_a_feed_keeps_its_rate(tmp_path: Path, broker: EmbeddedBroker, topics: Topics) -> None:
    shared = SharedBroker(broker)
    name = f"paced-{tmp_path.name}".lower().replace("_", "-")
    path = fed_flow(tmp_path, 90)
    path.write_text(
        path.read_text().replace('"orders"', f'"{name}"').replace("copies", f"{name}-o")
    )
    run = Run(
        path,
        opener=lambda _, __: shared,
        feed_rate_per_s=100.0,
        max_records=90,
        broker="embedded",
    )
    assert run.ledger.consumed == 90
    written_ms = sorted(record.timestamp_ms for record in topics.read(name))
    assert written_ms[-1] - written_ms[0] > 400


def test_a_run_ends_at_its_limit(tmp_path: Path) -> None:
    run = Run(fed_flow(tmp_path, 10_000), max_records=1_234)
    assert (run.outcome, run.ledger.consumed, run.ledger.written) == ("finished", 1_234, 1_234)


def stop_when_running(run: Run, happening: Happening) -> None:
    if isinstance(happening, Progress) and happening.consumed:
        run.session.request_stop()


def test_the_first_request_drains(tmp_path: Path) -> None:
    run = Run(write_flow(tmp_path, more=ENDLESS), react=stop_when_running)
    assert run.outcome == "drained"
    assert run.session.succeeded
    assert run.one(Stopping) == Stopping(how="drain")
    ledger = run.ledger
    assert ledger.balanced
    assert ledger.consumed > 0
    assert all(row.position == row.committed for row in ledger.partitions if row.consumed)


def test_the_second_request_kills(tmp_path: Path) -> None:
    path = write_flow(tmp_path, more=ENDLESS)
    path.write_text(
        path.read_text().replace("return message.payload", "import time; time.sleep(600)")
    )

    def stop_twice(run: Run, happening: Happening) -> None:
        if isinstance(happening, RunStarted):
            run.session.request_stop()
            run.session.request_stop()

    run = Run(path, react=stop_twice)
    assert [each.how for each in run.all(Stopping)] == ["drain", "kill"]
    assert run.outcome == run.ledger.outcome == "killed"
    assert not run.session.succeeded


def test_a_request_before_the_run_ends_it_at_once(tmp_path: Path) -> None:
    path = write_flow(tmp_path, more="import time; time.sleep(600)")

    def stop(run: Run, happening: Happening) -> None:
        if isinstance(happening, BrokerReady):
            run.session.request_stop()

    assert Run(path, react=stop).outcome == "killed"


def test_failures_are_grouped_and_counted(tmp_path: Path) -> None:
    text = """
    from loom_runtime import ErrorEnvelope

    class Check(RecordStep[Order, Order]):
        def execute(self, message):
            if message.payload.id % 10 == 0:
                raise ValueError(f"bad order {message.payload.id}")
            if message.payload.id % 10 == 1:
                raise LookupError("unknown")
            return message.payload

    flow = StreamFlow(
        "orders", flow.source, Process(Check), flow.output,
        errors=IntoTopic("bad", payload=ErrorEnvelope[Order]),
    )
    """
    path = fed_flow(tmp_path, 1_000, more=text.replace("\n    ", "\n"))
    run = Run(path, until_idle_ms=300)
    summary = run.one(ErrorSummary)
    assert summary.seen == 200
    counts = {group.exception_type: group.count for group in summary.groups}
    assert counts == {"builtins.ValueError": 100, "builtins.LookupError": 100}
    assert len(run.all(NewError)) == 2
    for group in summary.groups:
        assert (group.kind, group.node, group.topic) == ("task", "Check", "orders")
        assert "orders.py" in (group.traceback or "")
    assert (run.ledger.errored, run.ledger.envelopes_written) == (200, 200)
    assert run.session.succeeded  # failed records are what envelopes are for


def test_nothing_is_created_or_fed_on_a_broker_of_the_users_own(
    tmp_path: Path, broker: EmbeddedBroker, topics: Topics
) -> None:
    source, sink = topics.create("orders", partitions=2), topics.create("copies")
    topics.produce(source, [b'{"id": %d}' % number for number in range(300)])
    path = fed_flow(tmp_path, 1_000)
    path.write_text(path.read_text().replace('"orders"', f'"{source}"').replace("copies", sink))
    run = Run(path, broker=broker.bootstrap, until_idle_ms=400)
    assert (run.one(BrokerReady).kind, run.one(BrokerReady).owned) == ("external", False)
    assert not run.all(FeedStarted)
    assert (run.ledger.consumed, run.ledger.written, run.ledger.fed) == (300, 300, None)
    written = [json.loads(record.value or b"")["id"] for record in topics.read(sink)]
    assert sorted(written) == list(range(300))


def test_what_the_flow_prints_is_told_as_it_is(tmp_path: Path) -> None:
    path = fed_flow(tmp_path, 3)
    text = path.read_text().replace(
        "return message.payload", "print('\\x1b[31mred'); return message.payload"
    )
    path.write_text(text)
    run = Run(path, max_records=3)
    lines = run.all(OutputShown)
    assert [(line.origin, line.stream, line.text) for line in lines] == [
        ("flow", "stdout", "\x1b[31mred")
    ] * 3


def test_a_flood_of_lines_takes_no_memory_and_is_counted(tmp_path: Path) -> None:
    path = fed_flow(tmp_path, 10)
    text = path.read_text().replace(
        "return message.payload", "print('x\\n' * 20_000); return message.payload"
    )
    path.write_text(text)
    run = Run(path, max_records=10)
    lines = run.all(OutputShown)
    assert len(lines) + sum(line.left_out for line in lines) <= 10 * 20_001
    assert run.ledger.written == 10
