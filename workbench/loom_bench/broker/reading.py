"""Reads topics as they lie on a broker: from the beginning, by place, following or to the end.

Nothing is committed and no group is joined: whoever else reads there does not notice.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, Self, cast

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from loom_bench.broker.contract import BrokerError
from loom_bench.broker.metadata import all_topics, what_next
from loom_bench.protocol.security import ClientSettings

Headers = tuple[tuple[str, bytes | None], ...]

_METADATA_TIMEOUT_S = 10.0

_QUEUE_KBYTES = 16_384
"""What the client may fetch ahead, in all partitions together: the bench's memory stays bounded."""

_EMBEDDED_SCAN_MS = 50
"""The embedded broker takes this wait as its scan budget; less makes many small batches slow."""


class TopicRecord(NamedTuple):
    """A record as it lies on a topic.

    Attributes:
        topic: Its topic.
        partition: Its partition.
        offset: Its offset.
        timestamp_ms: Its time, milliseconds since the Unix epoch; -1 for none.
        key: Its key.
        value: Its value; ``None`` for a tombstone.
        headers: Its headers, in order.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class RecordReader:
    """A consumer that is told where to read. A context manager; not for several threads.

    Attributes:
        ended: Partitions of which everything was read that was there, until more comes.

    Args:
        bootstrap: The broker's addresses.
        security: How to log in there.

    Raises:
        BrokerError: When the client refuses the addresses.
    """

    def __init__(self, bootstrap: str, security: ClientSettings | None = None) -> None:
        self.ended: set[tuple[str, int]] = set()
        self._bootstrap = bootstrap
        self._positions: dict[tuple[str, int], int] = {}
        # The newest: a broker that is gone is told of for as long as it is.
        self._reasons: deque[KafkaError] = deque(maxlen=8)
        try:
            self._consumer = Consumer(
                {
                    **(security or {}),
                    "bootstrap.servers": bootstrap,
                    "group.id": "loom-bench-reader",
                    "enable.auto.commit": False,
                    "enable.auto.offset.store": False,
                    "allow.auto.create.topics": False,
                    # A record that retention took is told apart by the greater offset that comes.
                    "auto.offset.reset": "earliest",
                    "enable.partition.eof": True,
                    "fetch.wait.max.ms": _EMBEDDED_SCAN_MS,
                    "queued.max.messages.kbytes": _QUEUE_KBYTES,
                    "error_cb": self._reasons.append,
                    "log_level": 0,
                }
            )
        except KafkaException as error:
            raise self._problem("the Kafka client cannot be made", error.args[0]) from error

    def partitions(self) -> dict[str, tuple[int, ...]]:
        """Return the partitions of every topic that there is.

        Raises:
            BrokerError: When the broker does not answer.
        """
        try:
            metadata = all_topics(self._consumer, self._reasons, _METADATA_TIMEOUT_S)
        except KafkaException as error:
            raise self._problem("the broker does not list its topics", error.args[0]) from error
        return {name: tuple(sorted(topic.partitions)) for name, topic in metadata.topics.items()}

    def read_from(self, starts: Mapping[tuple[str, int], int | None]) -> None:
        """Read these partitions too, from an offset, or from the beginning for ``None``.

        A partition that is read already goes on from the new offset.
        """
        new = []
        for (topic, partition), start in starts.items():
            place = topic, partition
            self.ended.discard(place)
            position = TopicPartition(
                topic, partition, OFFSET_BEGINNING if start is None else start
            )
            if place in self._positions:
                self._consumer.seek(position)
            else:
                new.append(position)
            self._positions[place] = start or 0
        if new:
            self._consumer.incremental_assign(new)

    def leave(self, places: Iterable[tuple[str, int]]) -> None:
        """Read these partitions no more."""
        gone = [place for place in places if self._positions.pop(place, None) is not None]
        if gone:
            self._consumer.incremental_unassign([TopicPartition(*place) for place in gone])
            self.ended.difference_update(gone)

    def take(self, limit: int, timeout_s: float) -> list[TopicRecord]:
        """Return the next records, at most *limit*; none when nothing came in time.

        Raises:
            BrokerError: When the broker refuses.
        """
        records = []
        for message in self._consumer.consume(limit, timeout_s):
            error = message.error()
            if error is not None:
                self._take_error(message, error)
                continue
            record = _record(message)
            place = record.topic, record.partition
            if place in self._positions:
                self._positions[place] = record.offset + 1
                self.ended.discard(place)
                records.append(record)
        return records

    def behind(self, topic: str, partitions: Iterable[int]) -> int | None:
        """Return how many records of a topic are there and were not read, as the last fetches told
        it; ``None`` before every partition was fetched from."""
        total = 0
        for partition in partitions:
            end = self.end(topic, partition)
            if end is None:
                return None
            total += max(0, end - self.position(topic, partition))
        return total

    def end(self, topic: str, partition: int) -> int | None:
        """Return the offset after the last record of a partition, as the last fetch told it."""
        # Cached: asked afresh, the embedded broker answers the beginning of the last batch.
        marks = self._consumer.get_watermark_offsets(TopicPartition(topic, partition), cached=True)
        return marks[1] if marks and marks[1] >= 0 else None

    def position(self, topic: str, partition: int) -> int:
        """Return the offset that is read next."""
        return self._positions.get((topic, partition), 0)

    def close(self) -> None:
        """Release the client."""
        self._consumer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take_error(self, message: Message, error: KafkaError) -> None:
        topic, partition = message.topic(), message.partition()
        if topic is not None and partition is not None:
            if error.code() == KafkaError._PARTITION_EOF:
                self.ended.add((topic, partition))
                offset = message.offset()
                if offset is not None and (topic, partition) in self._positions:
                    # Past markers of transactions, which are no records.
                    self._positions[topic, partition] = max(
                        offset, self._positions[topic, partition]
                    )
                return
            if error.code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_PARTITION):
                self.leave([(topic, partition)])
                return
        if error.fatal() or (not error.retriable() and error.code() > 0):
            where = f"topic {topic}" if topic else self._bootstrap
            raise self._problem(f"{where} cannot be read", error)

    def _problem(self, what: str, error: KafkaError) -> BrokerError:
        return BrokerError(f"{what}: {error.str()}", self._bootstrap, what_next(error))


def read_to_end(
    reader: RecordReader,
    places: Iterable[tuple[str, int]],
    *,
    start: int | None = None,
    quiet_s: float = 10.0,
) -> Iterator[list[TopicRecord]]:
    """Yield everything that lies in partitions, from the offset *start*, or their beginning, to
    their end.

    Raises:
        BrokerError: When the broker refuses, or nothing comes for *quiet_s* seconds.
    """
    waiting = set(places)
    reader.read_from(dict.fromkeys(waiting, start))
    heard_s = time.monotonic()
    while waiting:
        records = reader.take(2_000, 0.1)
        # The embedded broker never tells the end to whoever reads from beyond it.
        waiting = {
            place
            for place in waiting - reader.ended
            if (end := reader.end(*place)) is None or reader.position(*place) < end
        }
        if records:
            heard_s = time.monotonic()
            yield records
        elif time.monotonic() - heard_s > quiet_s:
            raise BrokerError(
                f"nothing came for {quiet_s:g} s", "the topics", "Check that the broker is up."
            )


def _record(message: Message) -> TopicRecord:
    headers = message.headers()
    return TopicRecord(
        message.topic() or "",
        cast(int, message.partition()),
        cast(int, message.offset()),
        message.timestamp()[1],
        message.key(),
        message.value(),
        tuple(cast(Headers, headers)) if headers else (),
    )
