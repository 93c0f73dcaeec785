"""Where reading a partition begins: snapshot, else committed offset, else the reset policy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from loom_runtime.config.kafka import ConsumerSettings
from loom_runtime.failures import PositionLostError
from loom_runtime.kafka.clients import METADATA_TIMEOUT_S
from loom_runtime.lazy_log import LazyLog
from loom_runtime.places import partition_text

_log = LazyLog(__name__)


@dataclass(frozen=True)
class Start:
    """A partition's beginning.

    Attributes:
        position: First offset to read.
        committed: The group's committed offset, which commits must not rewind; ``None`` when
            there is none, or one of another log.
    """

    position: int
    committed: int | None


class StartFinder:
    """Finds the start of one partition. Some brokers wait for ever at an offset that their log does
    not have, and others jump, so the positions are compared with the log first.

    Args:
        consumer: A consumer without assignment; it is left with any.
        settings: Its settings.
        topic: Topic.
        partition: Partition.
    """

    def __init__(
        self, consumer: Consumer, settings: ConsumerSettings, topic: str, partition: int
    ) -> None:
        self._consumer = consumer
        self._settings = settings
        self._place = TopicPartition(topic, partition)
        self._log = _log.bind(topic=topic, partition=partition)
        low, end = consumer.get_watermark_offsets(self._place, timeout=METADATA_TIMEOUT_S)
        self._low, self._listed_end = int(low), int(end)
        self._fetched_end: int | None = None

    def find(self, snapshot_offset: int | None, committed: int | None) -> Start:
        """Return where to begin.

        Raises:
            PositionLostError: When the snapshot stands beyond the end of the log.
            KafkaException: When the broker does not answer.
        """
        if snapshot_offset is not None and self._is_beyond(snapshot_offset):
            raise self._lost(snapshot_offset)
        known = self._known(committed)
        if snapshot_offset is not None:
            self._warn_of_replay(snapshot_offset, known)
            return Start(self._not_before_low(snapshot_offset), known)
        if known is None:
            return Start(self._by_policy(), None)
        if known < self._low:
            position = self._by_policy()
            self._log.warning(
                "the log begins after the committed offset: records are gone, and reading begins "
                "where auto_offset_reset says",
                committed=known,
                log_begins=self._low,
                position=position,
            )
            return Start(position, known)
        return Start(known, known)

    def _known(self, committed: int | None) -> int | None:
        """Return the committed offset if it is one of this log."""
        if committed is None or not self._is_beyond(committed):
            return committed
        self._log.warning(
            "the committed offset is beyond the end of the log: the topic was made anew or the "
            "broker lost its data; the committed offset counts for nothing",
            committed=committed,
            log_ends=self._end(),
        )
        return None

    def _by_policy(self) -> int:
        if self._settings.auto_offset_reset == "latest":
            return self._readable_end()
        return self._low

    def _not_before_low(self, snapshot_offset: int) -> int:
        if snapshot_offset >= self._low:
            return snapshot_offset
        self._log.warning(
            "the log begins after the recovery snapshot: records between the two are gone",
            snapshot_offset=snapshot_offset,
            log_begins=self._low,
        )
        return self._low

    def _is_beyond(self, offset: int) -> bool:
        return offset > self._listed_end and offset > self._end()

    def _end(self) -> int:
        """Return the log's end; ListOffsets answers too little on Tansu."""
        if self._fetched_end is None:
            for _ in self._fetching():
                known = self._consumer.get_watermark_offsets(self._place, cached=True)
                if known is not None and known[1] >= 0:
                    self._fetched_end = int(known[1])
                    break
        return self._listed_end if self._fetched_end is None else self._fetched_end

    def _readable_end(self) -> int:
        """Return where reading ends now: at the log's end, or where a transaction is open."""
        for message in self._fetching():
            error = None if message is None else message.error()
            if message and error is not None and error.code() == KafkaError._PARTITION_EOF:
                return int(message.offset() or 0)
        return self._listed_end

    def _fetching(self) -> Iterator[Message | None]:
        """Fetch from an offset that the log certainly has, as long as a broker may take."""
        place = TopicPartition(self._place.topic, self._place.partition, self._listed_end)
        self._consumer.assign([place])
        deadline_s = monotonic() + METADATA_TIMEOUT_S
        while monotonic() < deadline_s:
            yield self._consumer.poll(0.05)

    def _warn_of_replay(self, snapshot_offset: int, committed: int | None) -> None:
        if committed is not None and snapshot_offset < committed:
            self._log.warning(
                "the recovery snapshot is behind the committed offset: records are replayed and "
                "the committed offset is not rewound",
                records=committed - snapshot_offset,
                snapshot_offset=snapshot_offset,
                committed=committed,
            )

    def _lost(self, snapshot_offset: int) -> PositionLostError:
        partition = partition_text(self._place.topic, self._place.partition)
        return PositionLostError(
            f"the recovery store goes on at offset {snapshot_offset} of {partition}, and "
            f"the log ends at {self._end()}: the topic was made anew or the broker lost its data",
            where=f"{partition} on brokers {', '.join(self._settings.brokers)}, "
            "streaming.runtime.recovery.db_dir",
            what_next="point the flow to the broker that has the data; or delete the recovery "
            "store, and the flow begins without state at the committed offset or where "
            "auto_offset_reset says",
        )
