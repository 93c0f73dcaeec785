"""A real Kafka in a container: what one session writes, the next one reads."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, TopicPartition

from loom_bench.broker import topics
from loom_bench.broker.docker.broker import DockerBroker
from loom_bench.broker.docker.options import DockerOptions
from loom_bench.broker.feed import Feed, FeedRecord
from tests.broker.processes import await_true
from tests.cli.commands import environment
from tests.containers.engine import Engine
from tests.containers.kafka_image import write_filesystem
from tests.kafka_node import find_kafka

pytestmark = [pytest.mark.docker, pytest.mark.kafka]

RECORDS = [FeedRecord(b"key %d" % number, b"value %d" % number) for number in range(100)]
GROUP = "kept-readers"


@pytest.fixture(scope="module")
def image(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> str:
    filesystem = tmp_path_factory.mktemp("kafka-image") / "filesystem.tar"
    write_filesystem(find_kafka(), filesystem)
    name = engine.make_image("kafka", filesystem)
    filesystem.unlink()
    return name


@pytest.fixture
def kept(engine: Engine, image: str) -> Iterator[DockerOptions]:
    options = DockerOptions(image=image, keep="test-records")
    assert options.volume is not None
    yield options
    await_true(lambda: engine.containers() == [], "nobody uses the volume", timeout_s=30)
    engine.remove_volume(options.volume)


def reader(bootstrap: str) -> Consumer:
    return Consumer(
        {"bootstrap.servers": bootstrap, "group.id": GROUP, "enable.auto.commit": False}
    )


def read_all(bootstrap: str, count: int) -> list[tuple[bytes | None, bytes | None]]:
    consumer = reader(bootstrap)
    consumer.assign([TopicPartition("kept", 0, 0)])
    read: list[tuple[bytes | None, bytes | None]] = []

    def all_is_read() -> bool:
        read.extend(
            (message.key(), message.value())
            for message in consumer.consume(count, 0.1)
            if message.error() is None
        )
        return len(read) >= count

    await_true(all_is_read, "the records are there", timeout_s=30)
    consumer.close()
    return read


@pytest.mark.timeout(180)
def test_records_and_committed_offsets_outlast_a_session_that_ends_and_one_that_is_killed(
    kept: DockerOptions,
) -> None:
    with DockerBroker.start(kept) as broker:
        broker.create_topics({"kept": 1})
        with Feed(broker, "kept", RECORDS):
            pass
        consumer = reader(broker.bootstrap)
        consumer.commit(offsets=[TopicPartition("kept", 0, 60)], asynchronous=False)
        consumer.close()
        written = read_all(broker.bootstrap, 100)
    assert written == [(record.key, record.value) for record in RECORDS]

    with DockerBroker.start(kept) as broker:
        assert topics.partition_counts(broker.bootstrap) == {"kept": 1}
        assert read_all(broker.bootstrap, 100) == written
        consumer = reader(broker.bootstrap)
        (place,) = consumer.committed([TopicPartition("kept", 0)], timeout=10)
        consumer.close()
        assert place.offset == 60

    killed = subprocess.run(
        [sys.executable, "-c", KILLED, kept.image, kept.keep or ""], env=environment(), check=False
    )
    assert killed.returncode == -9
    with DockerBroker.start(kept) as broker:
        assert read_all(broker.bootstrap, 101)[-1] == (b"last", b"words")


KILLED = """
import os, signal, sys
from loom_bench.broker.docker.broker import DockerBroker
from loom_bench.broker.docker.options import DockerOptions
from loom_bench.broker.feed import Feed, FeedRecord

broker = DockerBroker.start(DockerOptions(image=sys.argv[1], keep=sys.argv[2]))
Feed(broker, "kept", [FeedRecord(b"last", b"words")]).start().join()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_data_that_nobody_keeps_is_gone(image: str, engine: Engine) -> None:
    volumes = engine.volumes()
    with DockerBroker.start(DockerOptions(image=image)) as broker:
        broker.create_topics({"thrown-away": 1})
    await_true(lambda: engine.containers() == [], "the container is gone")
    assert engine.volumes() == volumes
