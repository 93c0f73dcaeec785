"""Which offsets a broker still has."""

from __future__ import annotations

import time
from collections.abc import Iterable

from confluent_kafka import Consumer, KafkaException, TopicPartition

from loom_bench.protocol.security import ClientSettings

_TIMEOUT_S = 5.0
_FETCH_WAIT_MS = 50


def log_bounds(
    bootstrap: str, partitions: Iterable[str], security: ClientSettings | None = None
) -> dict[str, tuple[int, int]] | str:
    """Return first offset and end of each partition (``topic:0``) that the broker knows; a
    sentence when it cannot be asked.

    Ends are those that come with what is fetched: the embedded broker's answer to the question for
    them is that of its last batch's begin.

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
            "fetch.wait.max.ms": _FETCH_WAIT_MS,
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
        _correct_ends(consumer, found)
    except KafkaException as error:
        return str(error.args[0].str())
    finally:
        consumer.close()
    return found


def _correct_ends(consumer: Consumer, found: dict[str, tuple[int, int]]) -> None:
    """Put the ends that come with a fetch in place of those that were told; what does not come in
    time stays as it was told."""
    waiting = {}
    for key, (_, high) in found.items():
        topic, _, number = key.rpartition(":")
        waiting[key] = TopicPartition(topic, int(number), high)
    consumer.assign(list(waiting.values()))
    deadline_s = time.monotonic() + _TIMEOUT_S
    while waiting and time.monotonic() < deadline_s:
        consumer.consume(1_000, timeout=0.01)
        for key, place in tuple(waiting.items()):
            marks = consumer.get_watermark_offsets(place, cached=True)
            if marks is not None and marks[1] >= found[key][1]:
                found[key] = found[key][0], int(marks[1])
                del waiting[key]
