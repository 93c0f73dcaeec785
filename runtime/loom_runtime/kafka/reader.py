"""Reading one partition: assigned, never subscribed, so that the engine owns its position."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, sleep
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from loom_runtime.config.kafka import ConsumerSettings
from loom_runtime.execution.travel import SourceBatch
from loom_runtime.failures import BrokerUnavailableError, PositionLostError
from loom_runtime.kafka.clients import METADATA_TIMEOUT_S, error_text, make_consumer
from loom_runtime.kafka.start import StartFinder
from loom_runtime.lazy_log import LazyLog
from loom_runtime.places import partition_text

_log = LazyLog(__name__)

_COMMIT_RETRY_S = 1.0
"""When a commit that failed is tried again, if the partition does not move on before."""

_COMMIT_TIMEOUT_S = 10.0
"""How long a commit that is waited for may take: the last one of a run."""

_COMMIT_POLL_S = 0.005
_NOT_READY_WAIT_S = 0.1

_SHORT_LIMIT_S = 2.0
"""How long a log may end before the offset where reading stands: a fetch may tell an end that is
older than its records."""

CommitListener = Callable[[str, int, int, str | None], None]
"""Told of every commit: topic, partition, offset, and what went wrong or ``None``."""


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
        self._name = partition_text(topic, partition)
        self._on_commit = on_commit
        self._manual = settings.delivery == "at_least_once"
        self._keepalive_s = settings.commit_keepalive_ms / 1000
        self._answered: int | None = None
        self._answer: KafkaError | None = None
        self._end_offset: int | None = None
        self._ahead: list[Message] = []
        self._short_since_s: float | None = None
        self._at_end = False
        where = f"the consumer of {topic} on brokers {', '.join(settings.brokers)}"
        self._consumer: Consumer = make_consumer(
            settings, where=where, on_commit=self._committed_by_broker
        )
        try:
            start = StartFinder(self._consumer, settings, topic, partition).find(
                snapshot_offset, self._fetch_committed()
            )
            self._consumer.assign([TopicPartition(topic, partition, start.position)])
        except KafkaException as error:
            self._consumer.close()
            raise _unavailable(settings, self._name, error) from error
        except BaseException:
            self._consumer.close()
            raise
        self._position = start.position
        self._committed = self._requested = start.committed
        # The first commit renews the group's offset: nobody knows how old it is.
        self._renew_at_s = 0.0 if self._manual else monotonic() + self._keepalive_s

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
        """End of the log as last seen, also while nothing is read.

        Raises:
            PositionLostError: When the log is another one than before, and shorter.
        """
        self._note_end()
        return self._end_offset

    @property
    def at_end(self) -> bool:
        """Whether everything that is there was read."""
        return self._at_end

    def read(self, limit: int) -> SourceBatch | None:
        """Return what the client has fetched, at most *limit* records, without waiting.

        Raises:
            BrokerUnavailableError: When the broker says that this partition cannot be read.
            PositionLostError: When the log is another one than before.
        """
        expected = self._position  # an end that comes with records moves it beyond them
        messages = self._next(limit)
        if any(map(Message.error, messages)):
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
        if records[0][0] < expected:
            raise _lost(
                self._settings,
                self._name,
                self._position,
                f"it continues at offset {records[0][0]}",
            )
        self._position = max(self._position, records[-1][0] + 1)
        return SourceBatch(self._topic, self._partition, records)

    def read_ahead(self, limit: int) -> bool:
        """Take from the client what the next read will return, while there is nothing else to do.

        Returns:
            Whether it took anything. At most once it never does: the client would commit it.
        """
        if self._ahead or not self._manual:
            return False
        self._ahead = self._consumer.consume(limit, 0)
        return bool(self._ahead)

    def commit(self, offset: int, *, wait: bool) -> None:
        """Commit *offset* unless it would rewind the group; an old commit is renewed.

        At most once the client commits by itself; only an old commit is renewed.

        Raises:
            BrokerUnavailableError: When it was to wait and the broker did not take the commit.
        """
        now_s = monotonic()
        if not self._is_due(offset, now_s, wait=wait):
            return
        self._requested, self._renew_at_s = offset, now_s + self._keepalive_s
        self._answered = None
        place = [TopicPartition(self._topic, self._partition, offset)]
        try:
            self._consumer.commit(offsets=place, asynchronous=True)
            if wait:
                self._await_commit(offset)
        except KafkaException as error:
            raise _unavailable(self._settings, self._name, error, "committed") from error

    def close(self) -> None:
        """Leave the broker; at most once, the client commits what it has before."""
        self._consumer.close()

    def _next(self, limit: int) -> list[Message]:
        messages = self._ahead
        if not messages:
            return self._consumer.consume(limit, 0)
        self._ahead = messages[limit:]
        return messages[:limit]

    def _fetch_committed(self) -> int | None:
        """Return the group's committed offset; a coordinator that is not ready is waited for."""
        place = TopicPartition(self._topic, self._partition)
        deadline_s = monotonic() + METADATA_TIMEOUT_S
        while True:
            try:
                (found,) = self._consumer.committed([place], timeout=METADATA_TIMEOUT_S)
            except KafkaException as error:
                if error.args[0].code() not in _NOT_READY or monotonic() > deadline_s:
                    raise
            else:
                if found.error is None:
                    return found.offset if found.offset >= 0 else None
                if found.error.code() not in _NOT_READY or monotonic() > deadline_s:
                    raise KafkaException(found.error)
            sleep(_NOT_READY_WAIT_S)

    def _is_due(self, offset: int, now_s: float, *, wait: bool) -> bool:
        if not self._manual:
            return now_s >= self._renew_at_s
        requested = self._requested
        if requested is None or offset > requested:
            return True
        unconfirmed = wait and offset != self._committed
        return offset == requested and (unconfirmed or now_s >= self._renew_at_s)

    def _await_commit(self, offset: int) -> None:
        """Wait for the broker's answer; records that come meanwhile are not wanted any more."""
        deadline_s = monotonic() + _COMMIT_TIMEOUT_S
        while self._answered != offset:
            if monotonic() > deadline_s:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
            self._consumer.poll(_COMMIT_POLL_S)
        if self._answer is not None:
            raise KafkaException(self._answer)

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
            raise _unavailable(self._settings, self._name, KafkaException(error))
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
        if known is None or known[1] < 0:
            return
        end = int(known[1])
        self._end_offset = max(end, self._position)
        if end >= self._position:
            self._short_since_s = None
        elif self._short_since_s is None:
            self._short_since_s = monotonic()
        elif monotonic() - self._short_since_s > _SHORT_LIMIT_S:
            raise _lost(self._settings, self._name, self._position, f"it ends at offset {end}")

    def _committed_by_broker(self, error: KafkaError | None, places: list[TopicPartition]) -> None:
        for place in places:
            problem = error or place.error
            self._answered, self._answer = place.offset, problem
            if problem is not None:
                self._renew_at_s = min(self._renew_at_s, monotonic() + _COMMIT_RETRY_S)
            elif place.offset >= 0:
                self._committed = place.offset
                self._renew_at_s = monotonic() + self._keepalive_s
            self._on_commit(
                self._topic, self._partition, place.offset, problem.str() if problem else None
            )


def _lost(
    settings: ConsumerSettings, partition: str, position: int, what: str
) -> PositionLostError:
    return PositionLostError(
        f"the log of {partition} is another one than before: reading stood at offset {position}, "
        f"and {what}",
        where=f"brokers {', '.join(settings.brokers)}",
        what_next="the topic was made anew or the broker lost its data; start the flow again to "
        "read the new log",
    )


def _unavailable(
    settings: ConsumerSettings, partition: str, error: KafkaException, what: str = "read"
) -> BrokerUnavailableError:
    return BrokerUnavailableError(
        f"{partition} cannot be {what}: {error_text(error.args[0])}",
        where=f"brokers {', '.join(settings.brokers)}, group {settings.group_id}",
        what_next="check that the broker runs and that the group may read the topic; nothing "
        "was committed past what is written",
    )


_NOT_READY = frozenset(
    {
        KafkaError.NOT_COORDINATOR,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
    }
)
"""What a broker says of a group while its coordinator starts or moves."""

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
