"""Writes records back into topics, keeping the order of every partition, counting every answer."""

from __future__ import annotations

import time
from typing import Final, NamedTuple, Self

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from loom_bench.broker.contract import BrokerError
from loom_bench.broker.reading import Headers
from loom_bench.protocol.security import ClientSettings

_LINGER_MS: Final = 20
_DELIVERY_TIMEOUT_MS: Final = 30_000
_MAX_RECORD_BYTES: Final = 10_485_760
_FULL_QUEUE_S: Final = 60.0


class Rewritten(NamedTuple):
    """A record to be written.

    Attributes:
        topic: The topic.
        partition: The partition; ``None`` leaves it to the key.
        key: Its key.
        value: Its value.
        headers: Its headers.
        timestamp_ms: Its time; -1 for the time at which it is written.
    """

    topic: str
    partition: int | None
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int = -1


class RecordWriter:
    """Writes records; the order within a partition is the order in which they were given. A context
    manager, whose end waits for what is under way.

    Attributes:
        written: Records that the broker acknowledged.
        refused: Records that it did not take.
        reason: Why it did not take the last of those.

    Args:
        bootstrap: The broker's addresses.
        security: How to log in there.

    Raises:
        BrokerError: When the client refuses the addresses.
    """

    def __init__(self, bootstrap: str, security: ClientSettings | None = None) -> None:
        self.written = 0
        self.refused = 0
        self.reason = ""
        self._bootstrap = bootstrap
        try:
            self._producer = Producer(
                {
                    **(security or {}),
                    "bootstrap.servers": bootstrap,
                    "linger.ms": _LINGER_MS,
                    "message.timeout.ms": _DELIVERY_TIMEOUT_MS,
                    "message.max.bytes": _MAX_RECORD_BYTES,
                    # Keeps the order when a request is sent again.
                    "max.in.flight.requests.per.connection": 1,
                    "log_level": 0,
                }
            )
        except KafkaException as error:
            raise BrokerError(
                f"the Kafka client cannot be made: {error.args[0].str()}",
                bootstrap,
                "Correct the address.",
            ) from error

    def write(self, record: Rewritten) -> None:
        """Hand a record to the client; blocks while its queue is full.

        Raises:
            BrokerError: When the queue stays full: the broker takes nothing.
        """
        deadline_s = time.monotonic() + _FULL_QUEUE_S
        while time.monotonic() < deadline_s:
            try:
                self._producer.produce(
                    record.topic,
                    record.value,
                    record.key,
                    -1 if record.partition is None else record.partition,
                    on_delivery=self._on_delivery,
                    timestamp=max(0, record.timestamp_ms),
                    headers=list(record.headers) or None,
                )
            except BufferError:
                self._producer.poll(0.1)
                continue
            except KafkaException as error:
                self._refuse(error.args[0])
            self._producer.poll(0)
            return
        raise BrokerError(
            f"the broker has taken nothing for {_FULL_QUEUE_S:g} s",
            self._bootstrap,
            "Check that the broker is up.",
        )

    def flush(self, timeout_s: float = _DELIVERY_TIMEOUT_MS / 1000 + 1) -> None:
        """Wait until every record is acknowledged or refused."""
        deadline_s = time.monotonic() + timeout_s
        while self._producer.flush(0.1) and time.monotonic() < deadline_s:
            pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()

    def _on_delivery(self, error: KafkaError | None, _message: Message) -> None:
        if error is None:
            self.written += 1
        else:
            self._refuse(error)

    def _refuse(self, error: KafkaError) -> None:
        self.refused += 1
        self.reason = error.str()
