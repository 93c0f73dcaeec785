"""Topics on the embedded broker: creation, true ends, and the test fixtures built on them."""

import pytest
from confluent_kafka import Producer

from loom_bench.broker import topics as broker_topics
from loom_bench.broker.contract import BrokerError
from loom_bench.broker.embedded import EmbeddedBroker
from tests.broker.processes import await_true
from tests.broker_fixtures import NewRecord, Topics
from tests.kafka_node import KafkaNode


def test_what_is_produced_is_read_back_whole(topics: Topics) -> None:
    name = topics.create("orders", partitions=4)
    written = [
        NewRecord(b"v%d" % i, b"k%d" % (i % 7), [("n", b"%d" % i), ("none", None)], i % 4)
        for i in range(1_000)
    ]

    assert topics.produce(name, written) == 1_000
    read = topics.read(name)

    assert [(r.partition, r.offset) for r in read] == [(p, o) for p in range(4) for o in range(250)]
    assert sorted((r.value, r.key, list(r.headers), r.partition) for r in read) == sorted(
        (r.value, r.key, list(r.headers), r.partition) for r in written
    )
    assert all(r.timestamp_ms > 0 for r in read)


def test_values_alone_and_tombstones_are_kept(topics: Topics) -> None:
    name = topics.create("plain")
    topics.produce(name, [b"a", NewRecord(None, b"gone"), b""])
    assert [(r.key, r.value) for r in topics.read(name)] == [
        (None, b"a"),
        (b"gone", None),
        (None, b""),
    ]


def test_an_empty_topic_reads_as_empty(topics: Topics) -> None:
    name = topics.create("empty", partitions=3)
    assert topics.end_offsets(name) == {0: 0, 1: 0, 2: 0}
    assert topics.read(name) == []


def test_ends_are_true_where_the_broker_answers_the_last_batch(topics: Topics) -> None:
    name = topics.create("ends", partitions=2)
    topics.produce(name, [NewRecord(b"x", partition=0) for _ in range(121)])
    topics.produce(name, [NewRecord(b"x", partition=0) for _ in range(100)])
    assert topics.end_offsets(name) == {0: 221, 1: 0}


def test_creating_again_is_harmless_but_not_with_other_partitions(
    broker: EmbeddedBroker, topics: Topics
) -> None:
    name = topics.create("again", partitions=3)
    broker.create_topics({name: 3})
    with pytest.raises(BrokerError, match="exists with 3 partitions, not 5"):
        broker.create_topics({name: 5})
    assert broker_topics.partition_counts(broker.bootstrap)[name] == 3


def test_asking_for_the_end_of_a_missing_topic_does_not_create_it(broker: EmbeddedBroker) -> None:
    with pytest.raises(BrokerError, match="no topic 'never-made'"):
        broker_topics.end_offsets(broker.bootstrap, "never-made")
    assert "never-made" not in broker_topics.partition_counts(broker.bootstrap)


def test_deleting_passes_over_what_is_not_there(broker: EmbeddedBroker, topics: Topics) -> None:
    name = topics.create("short-lived")
    broker_topics.delete_topics(broker.bootstrap, [name, "never-made"])
    assert name not in broker_topics.partition_counts(broker.bootstrap)


@pytest.mark.kafka
def test_topics_work_on_a_real_kafka_broker_with_transactions(kafka_node: KafkaNode) -> None:
    on_kafka = Topics(kafka_node.bootstrap)
    name = on_kafka.create("orders", partitions=2)
    on_kafka.produce(name, [NewRecord(b"%d" % i, partition=0) for i in range(50)])
    producer = Producer(
        {"bootstrap.servers": kafka_node.bootstrap, "transactional.id": name, "log_level": 0}
    )
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(name, b"committed", partition=0)
    producer.commit_transaction(30)

    # 51 records and the marker that ends the transaction, which is no record.
    assert on_kafka.end_offsets(name) == {0: 52, 1: 0}
    assert [record.offset for record in on_kafka.read(name)] == list(range(51))
    with pytest.raises(BrokerError, match="exists with 2 partitions, not 3"):
        broker_topics.create_topics(kafka_node.bootstrap, {name: 3})
    with pytest.raises(BrokerError, match="no topic 'never-made'"):
        on_kafka.end_offsets("never-made")
    on_kafka.delete_all()
    # Its metadata follow the answer.
    await_true(
        lambda: name not in broker_topics.partition_counts(kafka_node.bootstrap), "it is gone"
    )


def test_a_broker_that_is_gone_is_an_error_within_the_time_limit() -> None:
    with EmbeddedBroker.start() as gone:
        bootstrap = gone.bootstrap
    with pytest.raises(BrokerError, match="did not list its topics"):
        broker_topics.partition_counts(bootstrap, timeout_s=0.2)
    with pytest.raises(BrokerError, match="was not created"):
        broker_topics.create_topics(bootstrap, {"t": 1}, timeout_s=0.2)
    with pytest.raises(BrokerError, match="no end offsets"):
        broker_topics.end_offsets(bootstrap, "t", timeout_s=0.2)
