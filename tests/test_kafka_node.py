"""The Kafka node that tests run on is a real one: what only a real log does, and its lifecycle."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import (
    OFFSET_END,
    OFFSET_INVALID,
    Consumer,
    KafkaError,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.kafka_node import KafkaNode, KafkaNodeError, KafkaUnavailableError, find_kafka, jars

_TIMEOUT_S = 30.0


@pytest.mark.kafka
def test_records_keep_key_value_headers_and_timestamp(kafka_node: KafkaNode) -> None:
    topic = _new_topic(kafka_node)
    headers: list[tuple[str, str | bytes | None]]
    headers = [("trace", b"\x00\xff"), ("trace", b"second"), ("empty", b""), ("null", None)]
    producer = _producer(kafka_node)
    producer.produce(topic, key=b"k", value=b"v", headers=headers, timestamp=1_700_000_000_000)
    producer.produce(topic, key=b"k", value=None)
    assert producer.flush(_TIMEOUT_S) == 0

    record, tombstone = _read_all(kafka_node, topic)
    assert (record.key(), record.value(), record.headers()) == (b"k", b"v", headers)
    assert record.timestamp()[1] == 1_700_000_000_000
    assert (tombstone.value(), tombstone.headers()) == (None, None)


@pytest.mark.kafka
def test_an_unknown_topic_is_not_made_on_request(kafka_node: KafkaNode) -> None:
    admin = _admin(kafka_node)
    name = f"absent-{uuid.uuid4().hex}"
    error = admin.list_topics(name, timeout=_TIMEOUT_S).topics[name].error
    assert error is not None
    assert error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART
    assert name not in admin.list_topics(timeout=_TIMEOUT_S).topics


@pytest.mark.kafka
def test_an_aborted_transaction_leaves_an_offset_gap_and_nothing_to_read(
    kafka_node: KafkaNode,
) -> None:
    topic = _new_topic(kafka_node)
    producer = _producer(kafka_node, **{"transactional.id": topic})
    producer.init_transactions(_TIMEOUT_S)
    _in_transaction(producer, topic, [b"kept 0"], commit=True)
    _in_transaction(producer, topic, [b"aborted 0", b"aborted 1"], commit=False)
    _in_transaction(producer, topic, [b"kept 1"], commit=True)

    # Offsets 1, 4 and 6 hold the markers that end the transactions.
    committed = _read_all(kafka_node, topic, isolation="read_committed")
    assert _offsets_and_values(committed) == [(0, b"kept 0"), (5, b"kept 1")]
    uncommitted = _read_all(kafka_node, topic, isolation="read_uncommitted")
    assert [offset for offset, _ in _offsets_and_values(uncommitted)] == [0, 2, 3, 5]
    assert _watermarks(kafka_node, topic) == (0, 7)


@pytest.mark.kafka
def test_compaction_removes_records_and_leaves_offset_gaps(kafka_node: KafkaNode) -> None:
    config = {
        "cleanup.policy": "compact",
        "segment.ms": "50",
        "min.cleanable.dirty.ratio": "0.01",
        "max.compaction.lag.ms": "100",
        "delete.retention.ms": "0",
    }
    topic = _new_topic(kafka_node, config=config)
    producer = _producer(kafka_node)
    for turn in range(10):
        for key in (b"a", b"b"):
            producer.produce(topic, key=key, value=b"%d" % turn)
    assert producer.flush(_TIMEOUT_S) == 0

    def compacted() -> bool:
        # A segment that is too old is closed when the next record comes, and only closed
        # segments are compacted.
        producer.produce(topic, key=b"last", value=b"")
        assert producer.flush(_TIMEOUT_S) == 0
        return len([r for r in _read_all(kafka_node, topic) if r.key() != b"last"]) == 2

    _await(compacted, "compaction keeps one record per key")
    survivors = [r for r in _read_all(kafka_node, topic) if r.key() != b"last"]
    assert _offsets_and_values(survivors) == [(18, b"9"), (19, b"9")]


@pytest.mark.kafka
def test_retention_moves_the_low_watermark(kafka_node: KafkaNode) -> None:
    topic = _new_topic(kafka_node, config={"retention.ms": "50", "segment.ms": "50"})
    producer = _producer(kafka_node)
    producer.produce(topic, value=b"old")
    assert producer.flush(_TIMEOUT_S) == 0

    _await(lambda: _watermarks(kafka_node, topic) == (1, 1), "retention removes the record")


@pytest.mark.kafka
def test_commits_of_a_group_without_members_are_kept(kafka_node: KafkaNode) -> None:
    topic = _new_topic(kafka_node, partitions=2)
    group = f"group-of-{topic}"
    with contextlib.closing(_consumer(kafka_node, group)) as consumer:
        consumer.assign([TopicPartition(topic, 0, 0)])
        position = TopicPartition(topic, 0, 7, metadata="epoch 3")
        consumer.commit(offsets=[position], asynchronous=False)

    with contextlib.closing(_consumer(kafka_node, group)) as other:
        asked = [TopicPartition(topic, 0), TopicPartition(topic, 1)]
        kept, absent = other.committed(asked, timeout=_TIMEOUT_S)
    assert (kept.offset, kept.metadata) == (7, "epoch 3")
    assert absent.offset == OFFSET_INVALID


@pytest.mark.kafka
def test_offsets_are_found_by_time(kafka_node: KafkaNode) -> None:
    topic = _new_topic(kafka_node)
    producer = _producer(kafka_node)
    first_ms = 1_700_000_000_000
    for second in range(5):
        producer.produce(topic, value=b"v", timestamp=first_ms + 1_000 * second)
    assert producer.flush(_TIMEOUT_S) == 0

    def offset_at(time_ms: int) -> int:
        asked = [TopicPartition(topic, 0, time_ms)]
        [answer] = consumer.offsets_for_times(asked, timeout=_TIMEOUT_S)
        return int(answer.offset)

    with contextlib.closing(_consumer(kafka_node)) as consumer:
        assert offset_at(first_ms - 1) == 0
        assert offset_at(first_ms + 2_000) == 2
        assert offset_at(first_ms + 2_001) == 3
        assert offset_at(first_ms + 4_001) == OFFSET_END


@pytest.mark.kafka
def test_a_killed_node_restarts_with_its_data_and_port_and_stops_without_a_trace(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "node"
    with KafkaNode.start(folder) as node:
        topic = _new_topic(node)
        _produce(node, topic, b"before")
        bootstrap = node.bootstrap
        node.kill()
        assert node.pid is None

        node.restart()
        assert node.bootstrap == bootstrap
        _produce(node, topic, b"between")
        node.restart()
        _produce(node, topic, b"after")
        values = [record.value() for record in _read_all(node, topic)]
        assert values == [b"before", b"between", b"after"]
        group = node.pid
    assert group is not None
    _await(lambda: not _group_lives(group), "no process is left")
    assert not folder.exists()


@pytest.mark.kafka
@pytest.mark.parametrize("pipe_is_held", [False, True], ids=["alone", "with a forked child"])
def test_a_node_dies_with_the_process_that_started_it(tmp_path: Path, pipe_is_held: bool) -> None:
    folder = tmp_path / "node"
    with subprocess.Popen(
        [sys.executable, "-c", _OWNER, str(folder), str(int(pipe_is_held))],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    ) as owner:
        assert owner.stdout is not None
        group, child = (int(word) for word in owner.stdout.readline().split())
        assert _group_lives(group)
        owner.kill()
        owner.wait()
        try:
            _await(lambda: not _group_lives(group), "the node died with its owner")
            _await(lambda: not folder.exists(), "its folder went too")
        finally:
            if child:
                os.kill(child, signal.SIGKILL)


@pytest.mark.kafka
def test_a_node_that_cannot_start_says_why_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JDK_JAVA_OPTIONS", "-XX:NoSuchOption=1")
    with pytest.raises(KafkaNodeError, match=r"formatting .* ended with code 1(.|\n)*NoSuchOption"):
        KafkaNode.start(tmp_path / "node")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def uncached(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A folder that is all of PATH, no JAVA_HOME, and an empty cache."""
    commands = tmp_path / "bin"
    commands.mkdir()
    monkeypatch.setenv("PATH", str(commands))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    jars.find_kafka.cache_clear()
    yield commands
    jars.find_kafka.cache_clear()


@pytest.mark.parametrize(
    ("commands", "reason"),
    [
        ({}, "no Java 17"),
        ({"java": """echo 'openjdk version "11.0.2"' >&2"""}, r"no Java 17: .*java is Java 11"),
        ({"java": """echo 'java version "1.8.0_392"' >&2"""}, r"no Java 17: .*java is Java 8"),
        ({"java": """echo 'openjdk version "21.0.1"' >&2"""}, "no Maven"),
        (
            {
                "java": """echo 'openjdk version "17"' >&2""",
                "mvn": "echo '[ERROR] Could not transfer artifact x'; exit 1",
            },
            r"Maven could not resolve pom\.xml: Could not transfer artifact x",
        ),
    ],
)
def test_what_the_machine_lacks_is_named(
    uncached: Path, commands: dict[str, str], reason: str
) -> None:
    for name, script in commands.items():
        command = uncached / name
        command.write_text(f"#!/bin/sh\n{script}\n")
        command.chmod(0o755)
    with pytest.raises(KafkaUnavailableError, match=f"^{reason}"):
        find_kafka()


_OWNER = """
import os, sys, time
from pathlib import Path
from tests.kafka_node import KafkaNode

node = KafkaNode.start(Path(sys.argv[1]))
child = os.fork() if sys.argv[2] == "1" else 0
if child or sys.argv[2] == "0":
    print(node.pid, child, flush=True)
time.sleep(600)
"""


def _await(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline, f"waited {_TIMEOUT_S:g} s in vain: {what}"
        time.sleep(0.05)


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _admin(node: KafkaNode) -> AdminClient:
    return AdminClient({"bootstrap.servers": node.bootstrap})


def _new_topic(
    node: KafkaNode, *, partitions: int = 1, config: dict[str, str] | None = None
) -> str:
    name = f"topic-{uuid.uuid4().hex}"
    topic = NewTopic(name, num_partitions=partitions, replication_factor=1, config=config or {})
    admin = _admin(node)  # named, for a client that is collected drops what it is asked
    admin.create_topics([topic])[name].result(_TIMEOUT_S)
    return name


def _producer(node: KafkaNode, **config: str) -> Producer:
    return Producer({"bootstrap.servers": node.bootstrap, "linger.ms": 0, "log_level": 0, **config})


def _produce(node: KafkaNode, topic: str, value: bytes) -> None:
    producer = _producer(node)
    producer.produce(topic, value=value)
    assert producer.flush(_TIMEOUT_S) == 0


def _in_transaction(producer: Producer, topic: str, values: list[bytes], *, commit: bool) -> None:
    producer.begin_transaction()
    for value in values:
        producer.produce(topic, value=value)
    # Sent before the end, or an abort would drop them in the client and leave no trace.
    assert producer.flush(_TIMEOUT_S) == 0
    if commit:
        producer.commit_transaction(_TIMEOUT_S)
    else:
        producer.abort_transaction(_TIMEOUT_S)


def _consumer(node: KafkaNode, group: str = "unused", **config: str) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": node.bootstrap,
            "group.id": group,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "log_level": 0,
            **config,
        }
    )


def _read_all(node: KafkaNode, topic: str, *, isolation: str = "read_committed") -> list[Message]:
    """Read partition 0 from its beginning to its end."""
    records: list[Message] = []
    deadline = time.monotonic() + _TIMEOUT_S
    with contextlib.closing(_consumer(node, **{"isolation.level": isolation})) as consumer:
        consumer.assign([TopicPartition(topic, 0, 0)])
        while time.monotonic() < deadline:
            record = consumer.poll(1)
            if record is None:
                continue
            error = record.error()
            if error is None:
                records.append(record)
            elif error.code() == KafkaError._PARTITION_EOF:
                return records
            else:
                raise AssertionError(str(error))
    raise AssertionError(f"no end of {topic} in {_TIMEOUT_S:g} s")


def _offsets_and_values(records: list[Message]) -> list[tuple[int | None, bytes | None]]:
    return [(record.offset(), record.value()) for record in records]


def _watermarks(node: KafkaNode, topic: str) -> tuple[int, int]:
    with contextlib.closing(_consumer(node)) as consumer:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=_TIMEOUT_S)
    return low, high
