"""Commits neither freeze nor rewind: idle partitions, failed commits, offsets with gaps."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec
import pytest
from confluent_kafka import KafkaError, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from loom_bench.broker.mock import MockBroker, RequestKind
from loom_runtime.observability import LifecycleEvent, LifecycleStatus, Scope
from tests.delivery.checks import ids
from tests.delivery.flows import Item, items, plain
from tests.delivery.places import Place
from tests.delivery.running import run_to_end, running


class Commits:
    """The commits that an observer is told of."""

    def __init__(self) -> None:
        self.offsets: list[int] = []
        self.problems: list[str] = []

    def __call__(self, event: LifecycleEvent) -> None:
        """Take an event."""
        if event.scope is not Scope.TRANSPORT or event.name != "commit":
            return
        if event.status is LifecycleStatus.SUCCESS:
            self.offsets.append(event.meta["offset"])
        else:
            self.problems.append(event.error or "")


def prepare(place: Place, count: int = 100) -> None:
    """Make the topics and fill the source."""
    source = place.topic("items")
    place.topic("out")
    place.topic("errors")
    place.topics.produce(source, items(count))


def await_true(condition: Callable[[], bool], what: str, timeout_s: float = 15.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, f"not within {timeout_s:g} s: {what}"
        time.sleep(0.01)


def test_an_idle_partition_commits_its_position_again_now_and_then(place: Place) -> None:
    """Brokers forget the offsets of groups without members some time after the last commit."""
    prepare(place)
    commits = Commits()
    config = place.config(consumer={"commit_keepalive_ms": 100})
    with running(plain(), config, observers=[commits]) as run:
        run.reports.wait_for_consumed(100)
        await_true(lambda: commits.offsets.count(100) >= 4, "the position is committed again")
        run.drain()
    assert commits.problems == []
    assert sorted(commits.offsets) == commits.offsets


def test_a_flow_that_is_started_idle_renews_the_commit_of_its_group(place: Place) -> None:
    prepare(place)
    run_to_end(plain(), place.config())
    commits = Commits()
    with running(plain(), place.config(), observers=[commits], until_idle_ms=100) as run:
        run.wait()
    assert commits.offsets == [100]


def test_a_busy_partition_commits_once_an_epoch_and_an_idle_one_not_at_all(
    embedded: Place,
) -> None:
    prepare(embedded)
    commits = Commits()
    with running(plain(), embedded.config(), observers=[commits]) as run:
        epoch = run.reports.wait_for_consumed(100).epoch
        run.reports.wait_for(lambda report: report.epoch > epoch + 10, "ten idle epochs")
        run.drain()
    assert len(commits.offsets) == len(set(commits.offsets))


def test_a_commit_that_failed_is_tried_again_though_nothing_more_comes(
    faulty: tuple[Place, MockBroker],
) -> None:
    place, broker = faulty
    prepare(place)
    commits = Commits()
    with running(plain(), place.config(), observers=[commits]) as run:
        run.reports.wait_for_consumed(100)
        await_true(lambda: 100 in commits.offsets, "the position is committed")
        broker.push_request_errors(
            RequestKind.OFFSET_COMMIT, [KafkaError.GROUP_AUTHORIZATION_FAILED]
        )
        place.topics.produce(place.names["items"], items(1, start=100))
        await_true(lambda: 101 in commits.offsets, "the commit is tried again")
        run.drain()
    assert len(commits.problems) == 1
    assert "authorization" in commits.problems[0]
    assert place.committed() == {0: 101}


def test_a_flow_held_idle_for_long_goes_on_where_it_was(faulty: tuple[Place, MockBroker]) -> None:
    """An hour in small: many keep-alives, lost connections, then records again."""
    place, broker = faulty
    prepare(place)
    commits = Commits()
    config = place.config(consumer={"commit_keepalive_ms": 50})
    with running(plain(), config, observers=[commits]) as run:
        run.reports.wait_for_consumed(100)
        await_true(lambda: commits.offsets.count(100) >= 3, "it is idle")
        broker.set_broker_down()
        broker.set_broker_up()
        count = len(commits.offsets)
        await_true(lambda: len(commits.offsets) >= count + 3, "it is idle on a new connection")
        place.topics.produce(place.names["items"], items(10, start=100))
        await_true(lambda: 110 in commits.offsets, "it goes on")
        run.drain()
    assert sorted(commits.offsets) == commits.offsets
    assert ids(place) == list(range(110))
    assert place.committed() == {0: 110}


def transactional(place: Place) -> Producer:
    producer = Producer(
        {
            "bootstrap.servers": place.bootstrap,
            "transactional.id": f"writer-{place.group}",
            "linger.ms": 0,
            "log_level": 0,
        }
    )
    producer.init_transactions(15)
    return producer


def transaction(place: Place, producer: Producer, start: int, *, commit: bool) -> None:
    """Write ten items in one transaction."""
    producer.begin_transaction()
    for record in items(10, start=start):
        producer.produce(place.names["items"], record.value, record.key, 0)
    assert producer.flush(15) == 0
    if commit:
        producer.commit_transaction(15)
    else:
        producer.abort_transaction(15)


@pytest.mark.kafka
@pytest.mark.parametrize("last", ["committed", "aborted"])
def test_a_partition_that_ends_in_a_transaction_marker_reaches_lag_0_and_commits_past_it(
    real_kafka: Place, last: str
) -> None:
    prepare(real_kafka, 0)
    producer = transactional(real_kafka)
    transaction(real_kafka, producer, 0, commit=True)
    transaction(real_kafka, producer, 100, commit=False)
    transaction(real_kafka, producer, 10, commit=True)
    if last == "aborted":
        transaction(real_kafka, producer, 200, commit=False)
    # Ten records and a marker each.
    end = 33 if last == "committed" else 44
    assert real_kafka.ends("items") == {0: end}
    run = run_to_end(plain(), real_kafka.config())
    row = run.last.partitions[0]
    assert ids(real_kafka) == list(range(20))
    assert row.consumed == 20
    assert (row.position, row.end_offset, row.committed) == (end, end, end)
    assert row.balanced
    assert real_kafka.committed() == {0: end}
    # Nothing is read twice, and what comes next is read.
    transaction(real_kafka, producer, 20, commit=True)
    run_to_end(plain(), real_kafka.config())
    assert ids(real_kafka) == list(range(30))
    assert real_kafka.committed() == {0: end + 11}


@pytest.mark.kafka
def test_an_open_transaction_is_waited_for(real_kafka: Place) -> None:
    prepare(real_kafka, 5)
    producer = transactional(real_kafka)
    producer.begin_transaction()
    for record in items(5, start=5):
        producer.produce(real_kafka.names["items"], record.value, record.key, 0)
    assert producer.flush(15) == 0
    real_kafka.topics.produce(real_kafka.names["items"], items(5, start=10))
    with running(plain(), real_kafka.config()) as run:
        run.reports.wait_for_consumed(5)
        report = run.reports.wait_for(lambda report: report.partitions[0].committed == 5, "commit")
        assert report.partitions[0].consumed == 5
        producer.commit_transaction(15)
        end = run.reports.wait_for(lambda report: report.partitions[0].position == 16, "the end")
        assert end.partitions[0].consumed == 15
        run.drain()
    assert ids(real_kafka) == list(range(15))
    assert real_kafka.committed() == {0: 16}


@pytest.mark.kafka
def test_compacted_offsets_are_passed_over(real_kafka: Place) -> None:
    prepare(real_kafka, 0)
    compacted = NewTopic(
        f"{real_kafka.names['items']}-compacted",
        1,
        1,
        config={
            "cleanup.policy": "compact",
            "segment.ms": "50",
            "min.cleanable.dirty.ratio": "0.01",
            "max.compaction.lag.ms": "100",
            "delete.retention.ms": "0",
        },
    )
    admin = AdminClient({"bootstrap.servers": real_kafka.bootstrap})
    admin.create_topics([compacted])[compacted.topic].result(10)
    source = real_kafka.names["items"] = compacted.topic
    real_kafka.topics.produce(source, items(100))
    last = 100

    def is_compacted() -> bool:
        # A segment is closed when a record comes after its time, and closed ones are compacted.
        nonlocal last
        real_kafka.topics.produce(source, items(1, start=last))
        last += 1
        return len(real_kafka.read("items")) < 50

    await_true(is_compacted, "compaction keeps the last items of each account")
    kept = [msgspec.json.decode(r.value or b"", type=Item).id for r in real_kafka.read("items")]
    run = run_to_end(plain(), real_kafka.config())
    assert ids(real_kafka) == kept
    assert run.last.total("consumed") == len(kept)
    assert run.last.partitions[0].position == last
    assert real_kafka.committed() == {0: last}


def test_records_that_retention_removes_while_they_wait_leave_a_gap(
    faulty: tuple[Place, MockBroker],
) -> None:
    place, broker = faulty
    prepare(place, 0)
    with running(plain(), place.config(consumer={"extra": {"queued.min.messages": 1}})) as run:
        run.reports.wait_for(lambda report: report.partitions[0].position == 0, "it has begun")
        run.control.pause()
        place.topics.produce(place.names["items"], items(100))
        broker.delete_records(place.names["items"], 0, 50)
        run.control.resume()
        run.reports.wait_for(lambda report: report.partitions[0].committed == 100, "it is done")
        end = run.drain()
    written = ids(place)
    assert written == list(range(100 - len(written), 100))
    assert end.total("consumed") == len(written)
    assert end.balanced
