"""The mock broker: what it keeps, and the faults that tests can ask it for."""

import time
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from loom_bench.broker import topics as broker_topics
from loom_bench.broker.contract import BrokerError
from loom_bench.broker.mock import DROP_CONNECTION, MockBroker, RequestKind
from tests.broker.processes import await_true
from tests.broker_fixtures import NewRecord, Topics


@pytest.fixture
def mock() -> Iterator[MockBroker]:
    with MockBroker.start(brokers=2) as broker:
        yield broker


@pytest.fixture
def mock_topics(mock: MockBroker) -> Topics:
    return Topics(mock.bootstrap, mock.create_topics)


class Writer:
    """A producer that counts what came of its records and hears no log lines."""

    def __init__(self, broker: MockBroker, **config: int | bool) -> None:
        self.results: list[KafkaError | None] = []
        self._producer = Producer(
            {"bootstrap.servers": broker.bootstrap, "linger.ms": 0, "log_level": 0, **config}
        )

    def write(self, topic: str, value: bytes) -> KafkaError | None:
        self._producer.produce(topic, value, partition=0, on_delivery=self._done)
        assert self._producer.flush(20) == 0
        return self.results[-1]

    def _done(self, error: KafkaError | None, _message: Message) -> None:
        self.results.append(error)


def code(error: KafkaError | None) -> int:
    return error.code() if error is not None else 0


def test_what_is_produced_is_read_back(mock_topics: Topics) -> None:
    name = mock_topics.create("orders", partitions=3)
    mock_topics.produce(
        name, [NewRecord(b"%d" % i, b"k", [("h", b"x")], i % 3) for i in range(300)]
    )
    read = mock_topics.read(name)
    assert sorted(int(record.value or b"") for record in read) == list(range(300))
    assert {tuple(record.headers) for record in read} == {(("h", b"x"),)}
    assert mock_topics.end_offsets(name) == {0: 100, 1: 100, 2: 100}


def test_a_partition_keeps_about_5_mb_and_loses_the_oldest(mock_topics: Topics) -> None:
    name = mock_topics.create("full")
    mock_topics.produce(name, [b"%06d" % i + b"x" * 10_000 for i in range(1_000)])
    kept = mock_topics.read(name)
    assert mock_topics.end_offsets(name) == {0: 1_000}
    assert kept[-1].offset == 999
    assert 3_000_000 < len(kept) * 10_006 < 7_000_000


def test_a_topic_made_by_its_first_use_gets_4_partitions(
    mock: MockBroker, mock_topics: Topics
) -> None:
    mock_topics.produce("made-by-use", [b"x"])
    assert broker_topics.partition_counts(mock.bootstrap) == {"made-by-use": 4}


def test_creating_with_kafkas_own_request_fails_at_once(mock: MockBroker) -> None:
    started = time.monotonic()
    with pytest.raises(BrokerError, match="not supported by broker"):
        broker_topics.create_topics(mock.bootstrap, {"t": 1}, timeout_s=30)
    assert time.monotonic() - started < 10


def test_creating_again_is_harmless_but_not_with_other_partitions(mock: MockBroker) -> None:
    mock.create_topics({"t": 2})
    mock.create_topics({"t": 2})
    with pytest.raises(BrokerError, match="exists with 2 partitions, not 3"):
        mock.create_topics({"t": 3})


def test_pushed_errors_answer_the_next_requests_in_turn(
    mock: MockBroker, mock_topics: Topics
) -> None:
    name = mock_topics.create("t")
    writer = Writer(mock, retries=0)
    assert code(writer.write(name, b"before")) == 0
    mock.push_request_errors(
        RequestKind.PRODUCE, [KafkaError.REQUEST_TIMED_OUT, KafkaError.MSG_SIZE_TOO_LARGE]
    )
    assert code(writer.write(name, b"a")) == KafkaError.REQUEST_TIMED_OUT
    assert code(writer.write(name, b"b")) == KafkaError.MSG_SIZE_TOO_LARGE
    assert code(writer.write(name, b"after")) == 0
    assert [record.value for record in mock_topics.read(name)] == [b"before", b"after"]


def test_cleared_errors_are_forgotten(mock: MockBroker, mock_topics: Topics) -> None:
    name = mock_topics.create("t")
    mock.push_request_errors(RequestKind.PRODUCE, [KafkaError.MSG_SIZE_TOO_LARGE] * 3)
    mock.clear_request_errors(RequestKind.PRODUCE)
    assert code(Writer(mock, retries=0).write(name, b"a")) == 0


def test_errors_can_be_pushed_on_one_broker_with_a_delay(
    mock: MockBroker, mock_topics: Topics
) -> None:
    name = mock_topics.create("t")
    mock.set_partition_leader(name, 0, 2)
    mock.push_broker_request_errors(
        2, RequestKind.PRODUCE, [(0, 300), (KafkaError.MSG_SIZE_TOO_LARGE, 0)]
    )
    writer = Writer(mock, retries=0)
    started = time.monotonic()
    assert code(writer.write(name, b"slow")) == 0
    assert time.monotonic() - started >= 0.3
    assert code(writer.write(name, b"large")) == KafkaError.MSG_SIZE_TOO_LARGE


def test_a_dropped_connection_loses_nothing_with_retries(
    mock: MockBroker, mock_topics: Topics
) -> None:
    name = mock_topics.create("t")
    mock.push_request_errors(RequestKind.PRODUCE, [DROP_CONNECTION] * 2)
    assert code(Writer(mock, **{"enable.idempotence": True}).write(name, b"a")) == 0
    assert [record.value for record in mock_topics.read(name)] == [b"a"]


def test_a_broker_set_down_comes_back_with_its_data(mock: MockBroker, mock_topics: Topics) -> None:
    name = mock_topics.create("t")
    mock_topics.produce(name, [b"kept"])
    mock.set_broker_down()
    assert code(Writer(mock, **{"message.timeout.ms": 300}).write(name, b"lost")) == (
        KafkaError._MSG_TIMED_OUT
    )
    assert mock.alive()
    mock.set_broker_up()
    assert [record.value for record in mock_topics.read(name)] == [b"kept"]


def test_a_slow_broker_delays_every_answer(mock: MockBroker, mock_topics: Topics) -> None:
    mock_topics.create("t")
    mock.set_rtt(200)
    started = time.monotonic()
    broker_topics.partition_counts(mock.bootstrap)
    assert time.monotonic() - started >= 0.2


def test_a_leader_can_move_and_be_missing(mock: MockBroker, mock_topics: Topics) -> None:
    name = mock_topics.create("t")
    writer = Writer(mock, **{"message.timeout.ms": 5_000, "topic.metadata.refresh.interval.ms": 50})
    for broker_id in (1, 2):
        mock.set_partition_leader(name, 0, broker_id)
        assert code(writer.write(name, b"%d" % broker_id)) == 0
    mock.set_partition_leader(name, 0, -1)
    late = Writer(mock, **{"message.timeout.ms": 300})
    assert code(late.write(name, b"x")) == KafkaError._MSG_TIMED_OUT


def test_deleted_records_move_the_beginning_of_a_partition(
    mock: MockBroker, mock_topics: Topics
) -> None:
    name = mock_topics.create("t")
    writer = Writer(mock)  # one batch each: deletion keeps batches whole
    for i in range(5):
        writer.write(name, b"%d" % i)
    mock.delete_records(name, 0, 3)
    assert [record.value for record in mock_topics.read(name)] == [b"3", b"4"]


def test_a_topic_in_error_or_deleted_is_missing(mock: MockBroker, mock_topics: Topics) -> None:
    name = mock_topics.create("t")
    mock.set_topic_error(name, KafkaError.UNKNOWN_TOPIC_OR_PART)
    with pytest.raises(BrokerError, match="there is no topic"):
        broker_topics.end_offsets(mock.bootstrap, name)
    mock.set_topic_error(name, 0)
    assert mock_topics.end_offsets(name) == {0: 0}
    mock.delete_topic(name)
    assert broker_topics.partition_counts(mock.bootstrap) == {}


def test_commits_fail_on_request_and_at_the_chosen_coordinator(
    mock: MockBroker, mock_topics: Topics
) -> None:
    name = mock_topics.create("t")
    mock.set_group_coordinator("g", 2)
    consumer = Consumer({"bootstrap.servers": mock.bootstrap, "group.id": "g", "log_level": 0})
    try:
        position = TopicPartition(name, 0, 7)
        mock.push_broker_request_errors(
            2, RequestKind.OFFSET_COMMIT, [(KafkaError.GROUP_AUTHORIZATION_FAILED, 0)]
        )
        with pytest.raises(Exception, match="GROUP_AUTHORIZATION_FAILED"):
            consumer.commit(offsets=[position], asynchronous=False)
        consumer.commit(offsets=[position], asynchronous=False)
        committed = consumer.committed([TopicPartition(name, 0)], timeout=5)
        assert [found.offset for found in committed] == [7]
    finally:
        consumer.close()


def test_a_bad_argument_is_an_error_and_leaves_the_broker_usable(
    mock: MockBroker, mock_topics: Topics
) -> None:
    with pytest.raises(BrokerError, match="did not do set_rtt"):
        mock.set_rtt("soon")  # type: ignore[arg-type]
    with pytest.raises(BrokerError, match="Broker not available"):
        mock.set_rtt(1, broker_id=99)
    assert mock_topics.end_offsets(mock_topics.create("t")) == {0: 0}


def test_a_mock_broker_that_is_gone_says_so(mock: MockBroker) -> None:
    mock.stop()
    await_true(lambda: not mock.alive(), "it has ended")
    with pytest.raises(BrokerError, match="its process has ended"):
        mock.set_rtt(1)
