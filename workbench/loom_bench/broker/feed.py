"""Writes a stream of records into a topic, at a rate the user sets."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from loom_bench.broker import topics
from loom_bench.broker.contract import BrokerError, NotOwnedError
from loom_bench.broker.pace import Pace, feed_burst_s
from loom_bench.protocol.security import ClientSettings

# Tansu reads many tiny batches slowly: let records gather. More only delays a slow feed.
LINGER_MS = 20
# A broker on this machine that takes longer than this is gone.
DELIVERY_TIMEOUT_S = 10.0
# How long a full queue, a change of rate or a cancellation may go unnoticed.
_TICK_S = 0.05


Headers = Sequence[tuple[str, bytes | None]]
RawRecord = tuple[bytes | None, bytes | None, Headers | None]
"""What a record is on the wire: `(key, value, headers)`."""


class FeedRecord(NamedTuple):
    """A raw record with names for its parts, and the event time that readers see; without one the
    time at which it is written."""

    key: bytes | None
    value: bytes | None
    headers: Headers | None = None
    timestamp_ms: int | None = None


class FeedTarget(Protocol):
    """What a feed needs to know of a broker."""

    @property
    def bootstrap(self) -> str:
        """Address of the broker."""

    @property
    def writable(self) -> bool:
        """Whether anything may be written there."""


class FeedError(BrokerError):
    """A feed ended early: its records failed (that error is chained), or the broker did not take
    them."""


class Feed:
    """Writes records on a thread of its own until they end or `cancel` is called.

    Args:
        broker: a broker that the bench may write to.
        topic: a topic that exists.
        records: read on the feed's thread, once; what it raises ends the feed with an error.
        rate_per_s: records per second; None writes as fast as the broker takes them.
        security: how to log in there.
        delivery_timeout_s: a record not acknowledged within this time ends the feed with an error.

    Raises:
        NotOwnedError: nothing may be written there.
        ValueError: the rate is not above zero.
    """

    def __init__(
        self,
        broker: FeedTarget,
        topic: str,
        records: Iterable[RawRecord | FeedRecord],
        *,
        rate_per_s: float | None = None,
        security: ClientSettings | None = None,
        delivery_timeout_s: float = DELIVERY_TIMEOUT_S,
    ) -> None:
        if not broker.writable:
            raise NotOwnedError(f"write a feed into {topic!r}", broker.bootstrap)
        _check_rate(rate_per_s)
        self._bootstrap = broker.bootstrap
        self._security = security or {}
        self._topic = topic
        self._records = records
        self._rate_per_s = rate_per_s
        self._delivery_timeout_ms = max(LINGER_MS + 1, round(delivery_timeout_s * 1000))
        self._delivered = 0
        self._delivery_error: KafkaError | None = None
        self._error: Exception | None = None
        self._turns: Iterator[int] = iter(())
        self._paused = False
        self._cancelled = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"feed-{topic}", daemon=True)

    @property
    def delivered(self) -> int:
        """Records that the broker has acknowledged so far."""
        return self._delivered

    @property
    def running(self) -> bool:
        """Whether the feed still writes."""
        return self._thread.is_alive()

    @property
    def rate_per_s(self) -> float | None:
        """Records per second, None for as fast as possible. May be set while the feed runs."""
        return self._rate_per_s

    @rate_per_s.setter
    def rate_per_s(self, rate_per_s: float | None) -> None:
        _check_rate(rate_per_s)
        self._rate_per_s = rate_per_s

    def pause(self) -> None:
        """Write no more for now; what was handed to the client is still delivered."""
        self._paused = True

    def resume(self) -> None:
        """Go on writing, at the rate from now on."""
        self._paused = False

    def start(self) -> Self:
        """Begin writing; once."""
        self._thread.start()
        return self

    def cancel(self) -> None:
        """End the feed soon: records handed to the client are still delivered, no more are read.
        Not an error; may be called at any time."""
        self._cancelled.set()

    def join(self, timeout_s: float | None = None) -> int:
        """Wait for the end of the feed and return the number of delivered records.

        Raises:
            TimeoutError: it still runs after `timeout_s` seconds.
            BrokerError: it ended early (FeedError), or the broker was not there to begin with.
        """
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            raise TimeoutError(f"the feed into {self._topic!r} still runs")
        if self._error is not None:
            raise self._error
        return self._delivered

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Cancel when leaving through an exception, and wait for the end either way."""
        if exc is not None:
            self.cancel()
            self._thread.join()
        else:
            self.join()

    def _run(self) -> None:
        try:
            self._check_topic()
            producer = Producer(
                {
                    **self._security,
                    "bootstrap.servers": self._bootstrap,
                    "linger.ms": LINGER_MS,
                    "message.timeout.ms": self._delivery_timeout_ms,
                    # Its log lines would land on the user's screen; failures come back below.
                    "log_level": 0,
                }
            )
            try:
                self._write_all(producer)
            finally:
                # Ends by itself: each record is acknowledged or fails within its time.
                while producer.flush(_TICK_S):
                    pass
            self._raise_failed_delivery()
        except KafkaException as error:
            self._error = self._ended_early(error.args[0].str(), "Check that the broker is up.")
        except Exception as error:  # noqa: BLE001 - no failure may pass unseen; join raises it
            self._error = error

    def _check_topic(self) -> None:
        # Producing to a topic that is not there would make one, with four partitions.
        count = topics.partition_counts(self._bootstrap, self._security).get(self._topic)
        if count is None:
            raise self._ended_early("there is no such topic", "Create it first.")
        self._turns = cycle(range(count))

    def _write_all(self, producer: Producer) -> None:
        pace = _pace(self._rate_per_s)
        for record in self._read_records():
            pace = self._wait_for_turn(producer, pace)
            if self._cancelled.is_set():
                return
            self._write(producer, record)
            pace.count += 1

    def _wait_for_turn(self, producer: Producer, pace: "Pace") -> "Pace":
        while not self._cancelled.is_set():
            if self._paused:
                producer.poll(_TICK_S)
                pace = _pace(self._rate_per_s)
                continue
            if pace.rate_per_s != self._rate_per_s:
                pace = _pace(self._rate_per_s)
            wait_s = pace.wait_s()
            if wait_s <= 0:
                break
            producer.poll(min(wait_s, _TICK_S))
        return pace

    def _read_records(self) -> Iterator[RawRecord | FeedRecord]:
        try:
            yield from self._records
        except Exception as error:
            raise self._ended_early(
                f"making its records raised {type(error).__name__}: {error}",
                "Correct bench_feed() in the flow's module.",
            ) from error

    def _write(self, producer: Producer, record: RawRecord | FeedRecord) -> None:
        # Without a key partitions take turns, so that the same feed makes the same offsets again.
        turn: int | None = None
        while not self._cancelled.is_set():
            try:
                key, value, headers, *event_time = record
                if key is None and turn is None:
                    turn = next(self._turns)
                producer.produce(
                    self._topic,
                    value=value,
                    key=key,
                    partition=-1 if turn is None else turn,
                    headers=[*headers] if headers else None,
                    timestamp=event_time[0] if event_time and event_time[0] is not None else 0,
                    on_delivery=self._on_delivery,
                )
            except BufferError:
                producer.poll(_TICK_S)
            except (TypeError, ValueError) as error:
                raise self._ended_early(
                    f"a record cannot be written: {error}",
                    "Make it (key, value, headers): bytes, bytes, and pairs of text and bytes.",
                ) from error
            else:
                producer.poll(0)
                self._raise_failed_delivery()
                return

    def _on_delivery(self, error: KafkaError | None, _message: Message) -> None:
        if error is None:
            self._delivered += 1
        elif self._delivery_error is None:
            self._delivery_error = error

    def _raise_failed_delivery(self) -> None:
        if self._delivery_error is not None:
            raise KafkaException(self._delivery_error)

    def _ended_early(self, what: str, what_next: str) -> FeedError:
        return FeedError(
            f"the feed ended after {self._delivered} delivered records: {what}",
            f"topic {self._topic!r} on {self._bootstrap}",
            what_next,
        )


def _pace(rate_per_s: float | None) -> Pace:
    return Pace(rate_per_s, feed_burst_s(rate_per_s))


def _check_rate(rate_per_s: float | None) -> None:
    if rate_per_s is not None and not rate_per_s > 0:
        raise ValueError(f"a rate must be above zero records per second, not {rate_per_s}")
