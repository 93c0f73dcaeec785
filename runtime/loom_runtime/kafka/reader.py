"""Reading one partition: assigned, never subscribed, so that the engine owns its position."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

import structlog
from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from loom_runtime.config.kafka import ConsumerSettings, KafkaValue
from loom_runtime.execution.travel import SourceBatch
from loom_runtime.failures import BrokerUnavailableError

_log = structlog.get_logger(__name__)

METADATA_TIMEOUT_S = 15.0
"""How long a broker may take to answer before the run gives up."""

_CONSUMER_DEFAULTS: dict[str, KafkaValue] = {
    "enable.partition.eof": True,
    "fetch.wait.max.ms": 50,
    "queued.min.messages": 20_000,
    "fetch.queue.backoff.ms": 5,
    "log.connection.close": False,
}

CommitListener = Callable[[str, int, int, str | None], None]
"""Told of every commit: topic, partition, offset, and what went wrong or ``None``."""


def consumer_configuration(settings: ConsumerSettings) -> dict[str, Any]:
    """Return the librdkafka configuration of a reader; the user's ``extra`` wins over defaults."""
    return {**_CONSUMER_DEFAULTS, **settings.librdkafka()}


class KafkaReader:
    """Reads one partition.

    Args:
        settings: Consumer settings.
        topic: Topic.
        partition: Partition.
        snapshot_offset: Position that a recovery snapshot holds; ``None`` without one.
        on_commit: Told of every commit.

    Raises:
        BrokerUnavailableError: When the group's committed offset or the log's ends can't be had.
    """

    def __init__(
        self,
        settings: ConsumerSettings,
        topic: str,
        partition: int,
        snapshot_offset: int | None,
        on_commit: CommitListener,
    ) -> None:
        self._settings = settings
        self._topic, self._partition = topic, partition
        self._on_commit = on_commit
        self._manual = settings.delivery == "at_least_once"
        configuration = consumer_configuration(settings)
        configuration["on_commit"] = self._committed_by_broker
        self._consumer = Consumer(configuration)
        try:
            self._committed = self._fetch_committed()
            self._requested = self._committed
            self._position = self._start(snapshot_offset)
            self._consumer.assign([TopicPartition(topic, partition, self._position)])
        except KafkaException as error:
            self._consumer.close()
            raise _unavailable(settings, topic, partition, error) from error
        self._end_offset: int | None = None
        self._at_end = False
        self._committed_at_s = monotonic()
        self._warn_of_replay(snapshot_offset)

    @property
    def position(self) -> int:
        """Next offset to read."""
        return self._position

    @property
    def committed(self) -> int | None:
        """Committed offset of the group."""
        return self._committed

    @property
    def end_offset(self) -> int | None:
        """End of the log as last seen."""
        return self._end_offset

    @property
    def at_end(self) -> bool:
        """Whether everything that is there was read."""
        return self._at_end

    def read(self, limit: int) -> SourceBatch | None:
        """Return what the client has fetched, at most *limit* records, without waiting."""
        messages = self._consumer.consume(limit, 0)
        if any(message.error() is not None for message in messages):
            messages = self._without_errors(messages)
        elif messages:
            self._at_end = False
        records: list[Any] = [
            (
                message.offset(),
                message.key(),
                message.value(),
                message.headers(),
                message.timestamp()[1],
            )
            for message in messages
        ]
        if not records:
            return None
        self._position = max(self._position, records[-1][0] + 1)
        self._note_end()
        return SourceBatch(self._topic, self._partition, records)

    def commit(self, offset: int, *, wait: bool) -> None:
        """Commit *offset* unless it would rewind the group; an old commit is renewed."""
        if not self._manual:
            return
        now_s = monotonic()
        if self._requested is not None and offset <= self._requested:
            due_s = self._committed_at_s + self._settings.commit_keepalive_ms / 1000
            stale = offset == self._requested and now_s >= due_s
            unconfirmed = wait and offset == self._requested != self._committed
            if not (stale or unconfirmed):
                return
        self._requested, self._committed_at_s = offset, now_s
        place = [TopicPartition(self._topic, self._partition, offset)]
        if not wait:
            self._consumer.commit(offsets=place, asynchronous=True)
            return
        try:
            # The client calls back for commits that nobody waits for only.
            committed = self._consumer.commit(offsets=place, asynchronous=False)
        except KafkaException as error:
            raise _unavailable(self._settings, self._topic, self._partition, error) from error
        self._committed_by_broker(None, committed)

    def close(self) -> None:
        """Leave the broker; at most once, the client commits what it has before."""
        self._consumer.close()

    def _fetch_committed(self) -> int | None:
        place = TopicPartition(self._topic, self._partition)
        (found,) = self._consumer.committed([place], timeout=METADATA_TIMEOUT_S)
        if found.error is not None:
            raise KafkaException(found.error)
        return found.offset if found.offset >= 0 else None

    def _start(self, snapshot_offset: int | None) -> int:
        if snapshot_offset is not None:
            return snapshot_offset
        if self._committed is not None:
            return self._committed
        place = TopicPartition(self._topic, self._partition)
        if self._settings.auto_offset_reset == "latest":
            return self._latest()
        low, _ = self._consumer.get_watermark_offsets(place, timeout=METADATA_TIMEOUT_S)
        return int(low)

    def _latest(self) -> int:
        """Return the log's end as a fetch tells it; some brokers answer ListOffsets wrongly."""
        place = TopicPartition(self._topic, self._partition)
        _, high = self._consumer.get_watermark_offsets(place, timeout=METADATA_TIMEOUT_S)
        self._consumer.assign([TopicPartition(self._topic, self._partition, int(high))])
        deadline_s = monotonic() + METADATA_TIMEOUT_S
        while monotonic() < deadline_s:
            for message in self._consumer.consume(1000, 0.05):
                error = message.error()
                if error is not None and error.code() == KafkaError._PARTITION_EOF:
                    return int(message.offset() or 0)
        return int(high)

    def _without_errors(self, messages: list[Message]) -> list[Message]:
        """Return the records among *messages*; what else the client reports is taken note of."""
        records = []
        for message in messages:
            error = message.error()
            if error is None:
                records.append(message)
                self._at_end = False
            else:
                self._take_error(error, message.offset())
        return records

    def _take_error(self, error: KafkaError, offset: int | None) -> None:
        if error.code() == KafkaError._PARTITION_EOF:
            self._at_end = True
            if offset is not None and offset >= 0:
                self._position = max(self._position, offset)
                self._end_offset = max(self._end_offset or 0, offset)
            return
        if error.fatal() or error.code() in _HOPELESS:
            raise _unavailable(self._settings, self._topic, self._partition, KafkaException(error))
        _log.warning(
            "the broker reported an error; reading goes on",
            topic=self._topic,
            partition=self._partition,
            error=error.str(),
        )

    def _note_end(self) -> None:
        """Take the log's end from the last fetch; ListOffsets is wrong on some brokers."""
        place = TopicPartition(self._topic, self._partition)
        known = self._consumer.get_watermark_offsets(place, cached=True)
        if known is not None and known[1] >= 0:
            self._end_offset = max(int(known[1]), self._position)

    def _warn_of_replay(self, snapshot_offset: int | None) -> None:
        if snapshot_offset is None or self._committed is None:
            return
        if snapshot_offset < self._committed:
            _log.warning(
                "the recovery snapshot is behind the committed offset: records are replayed and "
                "the committed offset is not rewound",
                topic=self._topic,
                partition=self._partition,
                records=self._committed - snapshot_offset,
                snapshot_offset=snapshot_offset,
                committed=self._committed,
            )

    def _committed_by_broker(self, error: KafkaError | None, places: list[TopicPartition]) -> None:
        for place in places:
            problem = error or place.error
            if problem is None and place.offset >= 0:
                self._committed = max(self._committed or 0, place.offset)
            self._on_commit(
                self._topic, self._partition, place.offset, problem.str() if problem else None
            )


_HOPELESS = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError._AUTHENTICATION,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
        KafkaError._AUTO_OFFSET_RESET,
    }
)


def _unavailable(
    settings: ConsumerSettings, topic: str, partition: int, error: KafkaException
) -> BrokerUnavailableError:
    problem = error.args[0]
    text = problem.str() if isinstance(problem, KafkaError) else str(problem)
    return BrokerUnavailableError(
        f"{topic}[{partition}] cannot be read: {text}",
        where=f"brokers {', '.join(settings.brokers)}, group {settings.group_id}",
        what_next="check that the broker runs and that the group may read the topic; nothing was "
        "committed past what is written",
    )
