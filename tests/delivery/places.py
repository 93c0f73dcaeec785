"""The `place` fixture: a broker to run on, embedded always, real Apache Kafka when so marked."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from loom_bench.broker import topics as broker_topics
from loom_bench.broker.mock import MockBroker
from tests.broker_fixtures import ReadRecord, Topics

_TIMEOUT_S = 15.0

Kind = Literal["embedded", "kafka", "mock"]


@dataclass
class Place:
    """A broker, topics on it, and one consumer group.

    Attributes:
        kind: Which broker it is.
        topics: Makes, fills and reads topics.
        group: Consumer group of the flow under test.
        names: Physical topic of each logical reference.
    """

    kind: Kind
    topics: Topics
    group: str = field(default_factory=lambda: f"group-{uuid.uuid4().hex[:8]}")
    names: dict[str, str] = field(default_factory=dict)

    @property
    def bootstrap(self) -> str:
        """Address of the broker."""
        return self.topics.bootstrap

    def topic(self, reference: str, partitions: int = 1) -> str:
        """Create the topic of a logical reference and return its physical name."""
        self.names[reference] = self.topics.create(reference, partitions=partitions)
        return self.names[reference]

    def config(
        self,
        *,
        consumer: Mapping[str, Any] | None = None,
        producer: Mapping[str, Any] | None = None,
        store: Path | None = None,
        **runtime: Any,
    ) -> dict[str, Any]:
        """Return the configuration of a flow that reads ``items``; short epochs, small batches."""
        settings: dict[str, Any] = {"epoch_interval_ms": 30, **runtime}
        if store is not None:
            settings["recovery"] = {"db_dir": str(store), "partitions": 2}
        written = {"brokers": [self.bootstrap], **(producer or {})}
        return {
            "kafka": {
                "consumer": {
                    "brokers": [self.bootstrap],
                    "group_id": self.group,
                    "topics": [self.names.get("items", "items")],
                    "batch_size": 50,
                    **(consumer or {}),
                },
                "producer": written,
                "producers": {
                    reference: {**written, "topic": name}
                    for reference, name in self.names.items()
                    if reference != "items"
                },
            },
            "streaming": {"runtime": settings},
        }

    def read(self, reference: str) -> list[ReadRecord]:
        """Return what lies in the topic of a logical reference."""
        return self.topics.read(self.names[reference])

    def ends(self, reference: str) -> dict[int, int]:
        """Return the end offsets of the topic of a logical reference."""
        return self.topics.end_offsets(self.names[reference])

    def committed(self, reference: str = "items") -> dict[int, int | None]:
        """Return the group's committed offset of each partition; ``None`` where there is none."""
        topic = self.names[reference]
        with self._member() as consumer:
            partitions = consumer.list_topics(topic, timeout=_TIMEOUT_S).topics[topic].partitions
            places = [TopicPartition(topic, partition) for partition in sorted(partitions)]
            found = _when_ready(lambda: consumer.committed(places, timeout=_TIMEOUT_S))
        return {p.partition: p.offset if p.offset >= 0 else None for p in found}

    def commit(self, offsets: Mapping[int, int], reference: str = "items") -> None:
        """Commit offsets for the group."""
        with self._member() as consumer:
            places = [
                TopicPartition(self.names[reference], partition, offset)
                for partition, offset in offsets.items()
            ]
            _when_ready(lambda: consumer.commit(offsets=places, asynchronous=False))

    def recreate(self, reference: str) -> None:
        """Delete a topic and make it again, empty, under the same name."""
        topic = self.names[reference]
        count = len(self.ends(reference))
        broker_topics.delete_topics(self.bootstrap, [topic])
        deadline_s = time.monotonic() + _TIMEOUT_S
        while topic in broker_topics.partition_counts(self.bootstrap):
            assert time.monotonic() < deadline_s, f"{topic} is still there"
            time.sleep(0.02)
        broker_topics.create_topics(self.bootstrap, {topic: count})

    @contextmanager
    def _member(self) -> Iterator[Consumer]:
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": self.group,
                "enable.auto.commit": False,
                "log_level": 0,
            }
        )
        try:
            yield consumer
        finally:
            consumer.close()


def _when_ready(ask: Callable[[], list[TopicPartition]]) -> list[TopicPartition]:
    """Ask a group's coordinator, which a new node has not ready at once."""
    deadline_s = time.monotonic() + _TIMEOUT_S
    while True:
        try:
            return ask()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.NOT_COORDINATOR or time.monotonic() > deadline_s:
                raise
            time.sleep(0.05)


def cases(*arguments: object, kafka: bool = False) -> list[Any]:
    """Return a test's cases for `place` and what follows it: embedded, and on request Kafka too."""
    made = [pytest.param("embedded", *arguments)]
    if kafka:
        made.append(pytest.param("kafka", *arguments, marks=pytest.mark.kafka))
    return made


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """A broker to run flows on: the embedded one, and a real Apache Kafka."""
    kind: Kind = request.param
    started = request.getfixturevalue("broker" if kind == "embedded" else "kafka_node")
    made = Place(kind, Topics(started.bootstrap))
    yield made
    made.topics.delete_all()


@pytest.fixture
def embedded(request: pytest.FixtureRequest) -> Iterator[Place]:
    """The embedded broker, for what does not depend on the broker."""
    made = Place("embedded", Topics(request.getfixturevalue("broker").bootstrap))
    yield made
    made.topics.delete_all()


@pytest.fixture
def real_kafka(request: pytest.FixtureRequest) -> Iterator[Place]:
    """A real Apache Kafka; tests that use it are marked ``kafka``."""
    made = Place("kafka", Topics(request.getfixturevalue("kafka_node").bootstrap))
    yield made
    made.topics.delete_all()


@pytest.fixture
def faulty() -> Iterator[tuple[Place, MockBroker]]:
    """A mock broker that fails as it is told, alone in the test."""
    with MockBroker.start() as broker:
        yield Place("mock", Topics(broker.bootstrap, broker.create_topics)), broker
