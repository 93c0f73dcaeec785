"""Reads one record by its offset."""

from __future__ import annotations

import time

from confluent_kafka import Consumer, KafkaException, TopicPartition

from loom_bench.protocol.security import ClientSettings

_TIMEOUT_S = 5.0


def read_record(
    bootstrap: str,
    topic: str,
    partition: int,
    offset: int,
    security: ClientSettings | None = None,
) -> tuple[str, int] | None:
    """Return a record's value as text and its timestamp, milliseconds since 1970; ``None`` when it
    cannot be had. *security* is how to log in at the broker."""
    consumer = Consumer(
        {
            **(security or {}),
            "bootstrap.servers": bootstrap,
            "group.id": "loom-bench-looks",
            "enable.auto.commit": False,
            "log_level": 0,
        }
    )
    try:
        consumer.assign([TopicPartition(topic, partition, offset)])
        deadline_s = time.monotonic() + _TIMEOUT_S
        while time.monotonic() < deadline_s:
            message = consumer.poll(0.1)
            if message is None or message.error() is not None:
                continue
            if message.offset() != offset:
                return None
            value = message.value()
            text = "null" if value is None else bytes(value).decode("utf-8", "backslashreplace")
            return text, int(message.timestamp()[1])
    except KafkaException:
        return None
    finally:
        consumer.close()
    return None
