"""Headless runs against a real broker: fed, finished, drained, killed, and every way to fail."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from loom_bench.broker.choice import open_broker
from loom_bench.broker.embedded import EmbeddedBroker
from loom_bench.session.happenings import (
    BrokerReady,
    ErrorSummary,
    Failed,
    FeedEnded,
    FeedStarted,
    FinalLedger,
    FlowLoaded,
    Happening,
    NewError,
    OutputShown,
    Progress,
    RunStarted,
    Stopping,
)
from loom_bench.session.run import RunOptions, RunSession
from tests.bench.modules import line_of, write_flow, write_module
from tests.bench.processes import await_true
from tests.broker_fixtures import Topics

HappeningT = TypeVar("HappeningT")

FEED = """
def bench_feed():
    for number in range(COUNT):
        yield Order(number)
"""


class SharedBroker:
    """The test run's broker as one that a session may feed and must not really stop."""

    kind = "embedded"
    owned = True
    reason = "The tests share it."
    limits = ()

    def __init__(self, broker: EmbeddedBroker) -> None:
        self._broker = broker
        self.bootstrap = broker.bootstrap
        self.stopped = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._broker, name)

    def stop(self) -> None:
        self.stopped = True


class Run:
    """One session, and everything that it told."""

    def __init__(
        self,
        target: Path | str,
        *,
        opener: Callable[[str], Any] = open_broker,
        react: Callable[["Run", Happening], None] = lambda run, happening: None,
        **options: Any,
    ) -> None:
        self.told: list[Happening] = []
        self._react = react
        self.session = RunSession(RunOptions(target=str(target), **options), opener, self._take)
        self.outcome = self.session.run()

    def _take(self, happening: Happening) -> None:
        self.told.append(happening)
        self._react(self, happening)

    def all(self, kind: type[HappeningT]) -> list[HappeningT]:
        return [each for each in self.told if isinstance(each, kind)]

    def one(self, kind: type[HappeningT]) -> HappeningT:
        (found,) = self.all(kind)
        return found

    @property
    def ledger(self) -> FinalLedger:
        last = self.told[-1]
        assert isinstance(last, FinalLedger)
        return last


def children() -> set[int]:
    """Processes that this one has started and that still run."""
    listings = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    return {int(pid) for listing in listings for pid in listing.read_text().split()}


@pytest.fixture(autouse=True)
def nothing_is_left(broker: EmbeddedBroker) -> Iterator[None]:
    """No session leaves a process behind."""
    before = children()
    yield
    await_true(lambda: children() <= before, "every process of the session is gone")


def fed_flow(folder: Path, count: int, *, name: str = "orders.py", more: str = "") -> Path:
    return write_flow(folder, name, FEED.replace("COUNT", str(count)) + more)


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
    run = Run(path, opener=lambda _: shared, max_records=5, broker="embedded")

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


def test_a_feed_that_raises_says_where_and_the_rest_is_finished(tmp_path: Path) -> None:
    path = write_flow(
        tmp_path,
        more="def bench_feed():\n    yield Order(1)\n    raise KeyError('gone')  # here\n",
    )
    run = Run(path, until_idle_ms=300)
    failure = run.one(FeedEnded).failure
    assert failure is not None
    assert failure.message == "KeyError: 'gone'"
    assert (failure.file, failure.line) == (str(path), line_of(path, "# here"))
    assert (run.outcome, run.ledger.consumed) == ("finished", 1)
    assert not run.session.succeeded


@pytest.mark.parametrize(
    ("feed", "said"),
    [
        ("def bench_feed(): return [object()]", "item 0 of bench_feed() is a object"),
        ("def bench_feed(): return [(1, b'x')]", "the key of item 0"),
        ("def bench_feed(): return 5", "not iterable"),
        ("def bench_feed(): import os; os._exit(4)", "exit code 4"),
    ],
)
def test_a_feed_of_the_wrong_kind(tmp_path: Path, feed: str, said: str) -> None:
    run = Run(write_flow(tmp_path, more=feed), until_idle_ms=200)
    failure = run.one(FeedEnded).failure
    assert failure is not None
    assert said in failure.message
    assert not run.session.succeeded


def test_a_feed_keeps_its_rate(tmp_path: Path) -> None:
    run = Run(fed_flow(tmp_path, 60), feed_rate_per_s=100.0, max_records=60)
    assert run.ledger.consumed == 60
    assert run.ledger.elapsed_s > 0.4


def test_a_run_ends_at_its_limit(tmp_path: Path) -> None:
    run = Run(fed_flow(tmp_path, 10_000), max_records=1_234)
    assert (run.outcome, run.ledger.consumed, run.ledger.written) == ("finished", 1_234, 1_234)


ENDLESS = """
import itertools

def bench_feed():
    return (Order(number) for number in itertools.count())
"""


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


def test_a_failure_without_a_topic_ends_the_run(tmp_path: Path) -> None:
    path = fed_flow(tmp_path, 10)
    path.write_text(path.read_text().replace("return message.payload", "raise ValueError('no')"))
    run = Run(path, until_idle_ms=300)
    assert run.outcome == "failed"
    (diagnosis,) = run.one(Failed).diagnoses
    assert diagnosis.code == "run_failed"
    assert diagnosis.hint
    assert not run.session.succeeded


def test_a_module_that_does_not_load(tmp_path: Path) -> None:
    path = write_module(tmp_path, "orders.py", "1 / 0\n")
    run = Run(path)
    (diagnosis,) = run.one(Failed).diagnoses
    assert (diagnosis.file, diagnosis.line) == (str(path), 1)
    assert (run.outcome, run.ledger.flow, run.ledger.consumed) == ("failed", "", 0)


def test_a_module_that_never_loads(tmp_path: Path) -> None:
    path = write_module(tmp_path, "orders.py", "import time\ntime.sleep(600)\n")
    run = Run(path, load_time_limit_ms=600)
    (diagnosis,) = run.one(Failed).diagnoses
    assert (diagnosis.code, diagnosis.line) == ("import_timed_out", 2)


@pytest.mark.parametrize(
    ("crash", "said"),
    [
        ("import os; os._exit(7)", "exit code 7"),
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
    ],
)
def test_a_host_that_dies_while_it_runs(tmp_path: Path, crash: str, said: str) -> None:
    path = fed_flow(tmp_path, 10)
    path.write_text(path.read_text().replace("return message.payload", crash))
    run = Run(path, until_idle_ms=300)
    (diagnosis,) = run.one(Failed).diagnoses
    assert said in diagnosis.message
    assert run.outcome == "failed"


def test_a_broker_that_dies_while_the_flow_runs(tmp_path: Path) -> None:
    brokers = []

    def start(choice: str) -> Any:
        brokers.append(open_broker(choice))
        return brokers[-1]

    def kill_it(run: Run, happening: Happening) -> None:
        if isinstance(happening, Progress) and happening.consumed:
            brokers[0].stop()

    run = Run(write_flow(tmp_path, more=ENDLESS), opener=start, react=kill_it)
    assert run.outcome == "failed"
    assert run.one(Failed).diagnoses[0].code in ("broker_died", "run_failed")


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


def test_a_topic_that_is_missing_there(tmp_path: Path, broker: EmbeddedBroker) -> None:
    path = write_flow(tmp_path)
    path.write_text(path.read_text().replace('"orders"', '"nowhere-to-be-found"'))
    run = Run(path, broker=broker.bootstrap, until_idle_ms=400)
    (diagnosis,) = run.one(Failed).diagnoses
    assert "nowhere-to-be-found" in diagnosis.message + diagnosis.component


def test_a_broker_that_cannot_be_reached(tmp_path: Path) -> None:
    run = Run(write_flow(tmp_path), broker="127.0.0.1:1")
    (diagnosis,) = run.one(Failed).diagnoses
    assert diagnosis.code == "broker_unavailable"
    assert "127.0.0.1:1" in diagnosis.component


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
