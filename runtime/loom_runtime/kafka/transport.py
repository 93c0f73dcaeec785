"""A process's way to its Kafka topics: which partitions are its own, readers, the writer."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

from confluent_kafka import KafkaException

from loom_runtime.compiler.plan import CompiledSource
from loom_runtime.execution.layout import Port
from loom_runtime.failures import BrokerUnavailableError, TopicMissingError
from loom_runtime.kafka.clients import METADATA_TIMEOUT_S, error_text, make_consumer
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
        self._readers: list[KafkaReader] = []
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
        self._readers.append(reader)
        return reader

    def writer(self) -> KafkaWriter:
        """Return the process's writer."""
        with self._lock:
            if self._writer is None:
                self._writer = KafkaWriter(self._ports)
            return self._writer

    def close(self) -> None:
        """Release readers and writer."""
        for reader in self._readers:
            reader.close()
        self._readers.clear()
        if self._writer is not None:
            self._writer.close()

    def _partition_count(self, topic: str) -> int:
        settings = self._source.settings
        consumer = make_consumer(settings, where=self._source.settings_key)
        try:
            found = consumer.list_topics(topic, timeout=METADATA_TIMEOUT_S).topics[topic]
        except KafkaException as error:
            raise BrokerUnavailableError(
                f"no broker answered: {error_text(error.args[0])}",
                where=f"brokers {', '.join(settings.brokers)} ({self._source.settings_key})",
                what_next="start the broker or correct the address",
            ) from error
        finally:
            consumer.close()
        if found.error is not None or not found.partitions:
            raise TopicMissingError(
                f"topic {topic!r} cannot be read: "
                f"{found.error.str() if found.error else 'it has no partitions'}",
                where=f"source {self._source.name} on brokers {', '.join(settings.brokers)}",
                what_next="create the topic, or name another one in "
                f"{self._source.settings_key}.topics",
            )
        return len(found.partitions)
