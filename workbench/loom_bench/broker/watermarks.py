"""Which offsets a broker still has."""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka import Consumer, KafkaException, TopicPartition

from loom_bench.protocol.security import ClientSettings

_TIMEOUT_S = 5.0


def log_bounds(
    bootstrap: str, partitions: Iterable[str], security: ClientSettings | None = None
) -> dict[str, tuple[int, int]] | str:
    """Return first offset and end of each partition (``topic:0``) that the broker knows; a
    sentence when it cannot be asked.

    The end of an embedded broker may be told too low: what is certain is in the log only.

    Args:
        bootstrap: The broker's addresses.
        partitions: The partitions.
        security: How to log in there.
    """
    consumer = Consumer(
        {
            **(security or {}),
            "bootstrap.servers": bootstrap,
            "group.id": "loom-bench-looks",
            "enable.auto.commit": False,
            "allow.auto.create.topics": False,
            "log_level": 0,
        }
    )
    try:
        known = consumer.list_topics(timeout=_TIMEOUT_S).topics
        found: dict[str, tuple[int, int]] = {}
        for key in partitions:
            topic, _, number = key.rpartition(":")
            if topic in known and int(number) in known[topic].partitions:
                low, high = consumer.get_watermark_offsets(
                    TopicPartition(topic, int(number)), timeout=_TIMEOUT_S
                )
                found[key] = int(low), int(high)
    except KafkaException as error:
        return str(error.args[0].str())
    finally:
        consumer.close()
    return found
