"""A process's way to its Kafka topics: which partitions are its own, readers, the writer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from threading import Lock, get_ident
from time import monotonic
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException

from loom_runtime.compiler.plan import CompiledSource
from loom_runtime.execution.layout import Port
from loom_runtime.failures import BrokerUnavailableError, TopicMissingError
from loom_runtime.kafka.clients import METADATA_TIMEOUT_S, REFUSED, error_text, make_consumer
from loom_runtime.kafka.reader import CommitListener, KafkaReader
from loom_runtime.kafka.writer import KafkaWriter


class KafkaTransport:
    """Kafka for one process of a flow.

    Args:
        source: The flow's source.
        ports: The flow's sinks.
        process_id: Index of this process in its cluster; 0 outside one.
        process_count: Processes of the cluster.
        on_commit: Told of every commit.
    """

    def __init__(
        self,
        source: CompiledSource,
        ports: Sequence[Port],
        *,
        process_id: int,
        process_count: int,
        on_commit: CommitListener,
    ) -> None:
        self._source = source
        self._ports = ports
        self._process_id, self._process_count = process_id, process_count
        self._on_commit = on_commit
        self._lock = Lock()
        self._writer: KafkaWriter | None = None
        self._readers: dict[int, list[KafkaReader]] = {}  # by the worker thread that opened them
        self._every: list[tuple[str, int]] | None = None

    def partitions(self) -> list[tuple[str, int]]:
        """Return this process's partitions: every *process_count*-th of all, in order.

        Raises:
            BrokerUnavailableError: When no broker answers.
            TopicMissingError: When a topic does not exist.
        """
        return self.every_partition()[self._process_id :: self._process_count]

    def every_partition(self) -> list[tuple[str, int]]:
        """Return the partitions of all processes; raises as :meth:`partitions`."""
        if self._every is None:
            self._every = [
                (topic, partition)
                for topic in self._source.topics
                for partition in range(self._partition_count(topic))
            ]
        return self._every

    def open_reader(self, topic: str, partition: int, snapshot_offset: int | None) -> KafkaReader:
        """Open a partition at the snapshot's offset, else the committed one, else by policy."""
        reader = KafkaReader(
            self._source.settings, topic, partition, snapshot_offset, self._on_commit
        )
        self._readers.setdefault(get_ident(), []).append(reader)
        return reader

    def writer(self) -> KafkaWriter:
        """Return the process's writer."""
        with self._lock:
            if self._writer is None:
                self._writer = KafkaWriter(self._ports, while_waiting=self._read_ahead)
            return self._writer

    def close(self) -> None:
        """Release readers and writer."""
        for reader in chain.from_iterable(self._readers.values()):
            reader.close()
        self._readers.clear()
        if self._writer is not None:
            self._writer.close()

    def _read_ahead(self) -> bool:
        """Let one partition of this worker thread read ahead; return whether one did."""
        limit = self._source.settings.batch_size
        readers = self._readers.get(get_ident(), [])
        return any(reader.read_ahead(limit) for reader in readers)

    def _partition_count(self, topic: str) -> int:
        settings = self._source.settings
        brokers = ", ".join(settings.brokers)
        reasons: list[KafkaError] = []
        consumer = make_consumer(settings, where=self._source.settings_key, on_error=reasons.append)
        try:
            found = _described(consumer, topic, reasons)
        except KafkaException as error:
            problem = reasons[-1] if reasons else error.args[0]
            raise BrokerUnavailableError(
                f"no broker answered: {error_text(problem)}",
                where=f"brokers {brokers} ({self._source.settings_key})",
                what_next="start the broker, or correct its address and how to log in",
            ) from error
        finally:
            consumer.close()
        if found.error is not None or not found.partitions:
            raise TopicMissingError(
                f"topic {topic!r} cannot be read: "
                f"{found.error.str() if found.error else 'it has no partitions'}",
                where=f"source {self._source.name} on brokers {brokers}",
                what_next="create the topic, or name another one in "
                f"{self._source.settings_key}.topics",
            )
        return len(found.partitions)


def _described(consumer: Consumer, topic: str, reasons: list[KafkaError]) -> Any:
    """Return what the brokers say of *topic*, as soon as one answers.

    Raises:
        KafkaException: When none does in time, or will not talk to this client.
    """
    deadline_s = monotonic() + METADATA_TIMEOUT_S
    attempt_s = _FIRST_ATTEMPT_S
    while True:
        try:
            return consumer.list_topics(topic, timeout=attempt_s).topics[topic]
        except KafkaException:
            consumer.poll(0)  # has the client tell why: to the log, and to reasons
            refused = any(reason.code() in REFUSED for reason in reasons)
            if refused or monotonic() > deadline_s:
                raise
            attempt_s *= 2


_FIRST_ATTEMPT_S = 1.0
"""A login that is refused is known after so much time; a slow broker is given longer each time."""
