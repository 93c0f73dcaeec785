"""Fixtures that give tests a real broker of their own and short ways to fill and read topics."""

import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple, cast

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from loom_bench.broker import topics as broker_topics
from loom_bench.broker.embedded import EmbeddedBroker

Headers = Sequence[tuple[str, bytes | None]]


class NewRecord(NamedTuple):
    """A record to produce; `partition` None leaves the choice to the client."""

    value: bytes | None
    key: bytes | None = None
    headers: Headers = ()
    partition: int | None = None


class ReadRecord(NamedTuple):
    """A record as it lies in a topic."""

    key: bytes | None
    value: bytes | None
    headers: Headers
    partition: int
    offset: int
    timestamp_ms: int


class Topics:
    """Makes topics with unique names on one broker, fills and reads them."""

    def __init__(
        self, bootstrap: str, create_topics: Callable[[Mapping[str, int]], None] | None = None
    ) -> None:
        """`create_topics`: how, where the broker's admin requests cannot (a mock broker)."""
        self.bootstrap = bootstrap
        self._create_topics = create_topics or partial(broker_topics.create_topics, bootstrap)
        self._created: list[str] = []

    def create(self, name: str, *, partitions: int = 1) -> str:
        """Create a topic; returns its unique name, which starts with `name`."""
        unique = f"{name}-{uuid.uuid4().hex[:8]}"
        self._create_topics({unique: partitions})
        self._created.append(unique)
        return unique

    def produce(self, name: str, records: Iterable[NewRecord | bytes]) -> int:
        """Write records, plain bytes being values without a key; returns when all are acknowledged.
        The result is their number."""
        failures: list[KafkaError] = []

        def delivered(error: KafkaError | None, _message: Message) -> None:
            if error is not None:
                failures.append(error)

        producer = Producer(
            {
                "bootstrap.servers": self.bootstrap,
                "linger.ms": 20,
                "delivery.report.only.error": True,
            }
        )
        count = 0
        for item in records:
            record = NewRecord(item) if isinstance(item, bytes) else item
            while True:
                try:
                    producer.produce(
                        name,
                        value=record.value,
                        key=record.key,
                        partition=-1 if record.partition is None else record.partition,
                        headers=list(record.headers) or None,
                        on_delivery=delivered,
                    )
                except BufferError:
                    producer.poll(0.1)
                else:
                    break
            count += 1
        left = producer.flush(30)
        assert not left, f"{left} of {count} records were not written to {name} in 30 s"
        assert not failures, f"{len(failures)} records were not written to {name}: {failures[0]}"
        return count

    def end_offsets(self, name: str) -> dict[int, int]:
        """The offset after the last record of each partition."""
        return broker_topics.end_offsets(self.bootstrap, name)

    def read(self, name: str, *, timeout_s: float = 30.0) -> list[ReadRecord]:
        """Everything in the topic up to its end now, sorted by partition and offset."""
        ends = {p: end for p, end in self.end_offsets(name).items() if end > 0}
        records: list[ReadRecord] = []
        deadline = time.monotonic() + timeout_s
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": f"read-{uuid.uuid4().hex[:8]}",
                "enable.auto.commit": False,
                # Offset 0 may be gone by retention.
                "auto.offset.reset": "earliest",
                "log_level": 0,
                # Tells that a partition ends in something other than a record: a compacted offset
                # or the marker of a transaction.
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 50,
            }
        )
        try:
            consumer.assign([TopicPartition(name, p, 0) for p in ends])
            while ends:
                assert time.monotonic() < deadline, f"partitions {ends} of {name} were not read"
                for message in consumer.consume(10_000, timeout=0.05):
                    _take(message, ends, records)
        finally:
            consumer.close()
        return sorted(records, key=lambda record: (record.partition, record.offset))

    def delete_all(self) -> None:
        """Delete the topics created here; frees the broker's memory."""
        broker_topics.delete_topics(self.bootstrap, self._created)
        self._created.clear()


def _take(message: Message, ends: dict[int, int], records: list[ReadRecord]) -> None:
    error = message.error()
    partition, offset = message.partition(), message.offset()
    assert partition is not None
    assert offset is not None
    if error is not None:
        if error.code() != KafkaError._PARTITION_EOF:
            raise KafkaException(error)
        next_offset = offset
    else:
        if offset >= ends.get(partition, 0):
            return
        records.append(
            ReadRecord(
                message.key(),
                message.value(),
                cast(Headers, message.headers() or ()),
                partition,
                offset,
                message.timestamp()[1],
            )
        )
        next_offset = offset + 1
    if next_offset >= ends.get(partition, 0):
        ends.pop(partition, None)


@pytest.fixture(scope="session")
def broker() -> Iterator[EmbeddedBroker]:
    """One embedded broker for the whole run; use topics of your own, made by `topics`."""
    with EmbeddedBroker.start() as started:
        yield started


@pytest.fixture
def topics(broker: EmbeddedBroker) -> Iterator[Topics]:
    """Topics on the session's broker, deleted after the test."""
    made = Topics(broker.bootstrap)
    yield made
    made.delete_all()
