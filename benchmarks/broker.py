"""The broker a benchmark runs on, and reading and writing whole topics of it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    Message,
    Producer,
    TopicPartition,
)

from benchmarks.job import CONSUMER_SETTINGS, HEADERS
from loom_bench.broker.embedded import EmbeddedBroker

_QUIET_READ_S: Final = 10.0


@contextlib.contextmanager
def open_broker(address: str | None) -> Iterator[str]:
    """Yield the address of a broker: the one given, or an embedded one that lives as long.

    Raises:
        loom_bench.broker.contract.BrokerError: The embedded broker did not come up.
    """
    if address is not None:
        yield address
        return
    with EmbeddedBroker.start() as broker:
        yield broker.bootstrap


def prefill(
    broker: str,
    topic: str,
    records: Iterable[tuple[int, bytes, bytes]],
    headers: bool = False,
) -> None:
    """Write records, each a partition, key and value, and wait for every delivery.

    Raises:
        RuntimeError: The broker refused a record.
    """
    refused: list[str] = []

    def delivered(error: object, _message: Message) -> None:
        if error is not None:
            refused.append(str(error))

    producer = Producer(
        {"bootstrap.servers": broker, "linger.ms": 20, "queue.buffering.max.messages": 1_000_000}
    )
    for index, (partition, key, value) in enumerate(records):
        producer.produce(
            topic,
            value,
            key,
            partition,
            on_delivery=delivered,
            headers=HEADERS if headers else None,
        )
        if index % 1_000 == 0:
            producer.poll(0)
    if producer.flush(60) != 0 or refused:
        raise RuntimeError(f"could not fill {topic!r}: {refused[:1] or 'timed out'}")


def reader(broker: str, topic: str, partitions: int) -> Consumer:
    """A consumer that stands at the beginning of every partition and belongs to no group."""
    consumer = Consumer(
        {
            "bootstrap.servers": broker,
            "group.id": "benchmark-reader",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            **CONSUMER_SETTINGS,
        }
    )
    consumer.assign([TopicPartition(topic, index, OFFSET_BEGINNING) for index in range(partitions)])
    return consumer


def read_all(broker: str, topic: str, partitions: int, visit: Callable[[Message], None]) -> None:
    """Show every record of a topic at rest to ``visit``.

    Raises:
        RuntimeError: The broker reported an error, or sent nothing for 10 s.
    """
    consumer = reader(broker, topic, partitions)
    at_end: set[int] = set()
    try:
        heard_s = time.monotonic()
        while len(at_end) < partitions:
            for message in consumer.consume(2_000, 0.2):
                heard_s = time.monotonic()
                error = message.error()
                partition = message.partition()
                if error is None:
                    visit(message)
                elif error.code() == KafkaError._PARTITION_EOF and partition is not None:
                    at_end.add(partition)
                else:
                    raise RuntimeError(f"cannot read {topic!r}: {error}")
            if time.monotonic() - heard_s > _QUIET_READ_S:
                raise RuntimeError(f"cannot read {topic!r}: nothing came for 10 s")
    finally:
        consumer.close()


def committed_total(consumer: Consumer, topic: str, partitions: int) -> Callable[[], int]:
    """A function that asks the broker for the sum of a group's committed offsets in a topic."""
    wanted = [TopicPartition(topic, index) for index in range(partitions)]

    def ask() -> int:
        return sum(max(0, found.offset) for found in consumer.committed(wanted, 10))

    return ask
