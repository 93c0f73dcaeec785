"""Admin operations the bench needs, each bounded in time and right on every broker we start."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from loom_bench.broker.contract import BrokerError
from loom_bench.broker.metadata import all_topics, what_next
from loom_bench.protocol.security import ClientSettings

# Tansu takes this wait as its scan budget too, and answers an end position after it.
_END_OFFSET_WAIT_MS = 20


def partition_counts(
    bootstrap: str, security: ClientSettings | None = None, *, timeout_s: float = 5.0
) -> dict[str, int]:
    """All topics with their number of partitions, internal ones (`__…`) left out.

    Raises:
        BrokerError: the broker did not answer in time.
    """
    reasons: list[KafkaError] = []
    try:
        metadata = all_topics(_admin(bootstrap, security, reasons), reasons, timeout_s)
    except KafkaException as error:
        raise _failed("the broker did not list its topics", bootstrap, error) from error
    return {
        name: len(topic.partitions)
        for name, topic in sorted(metadata.topics.items())
        if not name.startswith("__")
    }


def create_topics(
    bootstrap: str, partitions: Mapping[str, int], *, timeout_s: float = 10.0
) -> None:
    """Create the topics that do not exist yet.

    Raises:
        BrokerError: refused, not answered in time, or there with another number of partitions.
    """
    if not partitions:
        return
    new = [NewTopic(name, count, 1) for name, count in partitions.items()]
    admin = _admin(bootstrap)  # held until the futures are done: dropping it fails them
    there_already = _make(admin, new, bootstrap, timeout_s)
    if there_already:
        check_counts(bootstrap, {name: partitions[name] for name in there_already})


def check_counts(bootstrap: str, wanted: Mapping[str, int]) -> None:
    """Raise BrokerError unless the topics exist with these numbers of partitions."""
    found = partition_counts(bootstrap)
    for name, count in wanted.items():
        if found.get(name) != count:
            raise BrokerError(
                f"topic {name!r} exists with {found.get(name)} partitions, not {count}",
                bootstrap,
                "Use that number, or delete the topic first.",
            )


def delete_topics(bootstrap: str, names: Sequence[str], *, timeout_s: float = 10.0) -> None:
    """Delete topics; those that do not exist are passed over. On the embedded broker this frees
    their memory.

    Raises:
        BrokerError: refused or not answered in time.
    """
    if not names:
        return
    admin = _admin(bootstrap)
    futures = admin.delete_topics(
        list(names), operation_timeout=timeout_s, request_timeout=timeout_s
    )
    for name, future in futures.items():
        try:
            future.result(timeout=timeout_s + 1)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise _failed(f"topic {name!r} was not deleted", bootstrap, error) from error
        except TimeoutError as error:
            raise _failed(f"topic {name!r} was not deleted in time", bootstrap, error) from error


def end_offsets(bootstrap: str, topic: str, *, timeout_s: float = 10.0) -> dict[int, int]:
    """The offset after the last record of each of the topic's partitions.

    Taken from the high watermark that comes with a Fetch: Tansu's ListOffsets gives the base
    offset of the last batch plus one.

    Raises:
        BrokerError: no such topic, or not every partition answered in time.
    """
    deadline = time.monotonic() + timeout_s
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "loom-bench-end-offsets",
            "enable.auto.commit": False,
            "allow.auto.create.topics": False,
            "fetch.wait.max.ms": _END_OFFSET_WAIT_MS,
            "log_level": 0,
        }
    )
    try:
        # Tells the client each partition's leader, too: not knowing them, it would give the look-up
        # of END a second try only after 500 ms.
        found = consumer.list_topics(topic, timeout=timeout_s).topics[topic]
        if found.error is not None:
            raise BrokerError(
                f"there is no topic {topic!r}", bootstrap, "Create it, or check its name."
            )
        waiting = [TopicPartition(topic, p, OFFSET_END) for p in found.partitions]
        consumer.assign(waiting)
        ends = dict.fromkeys(sorted(found.partitions), -1)
        while waiting and time.monotonic() < deadline:
            consumer.consume(1_000, timeout=0.01)
            for position in waiting:
                ends[position.partition] = _cached_high_watermark(consumer, position)
            waiting = [position for position in waiting if ends[position.partition] < 0]
    except KafkaException as error:
        raise _failed(f"no end offsets for topic {topic!r}", bootstrap, error) from error
    finally:
        consumer.close()
    if waiting:
        raise BrokerError(
            f"no end offset for partitions {[p.partition for p in waiting]} of topic {topic!r} "
            f"within {timeout_s:g} s",
            bootstrap,
            "Check that the broker is up.",
        )
    return ends


def _cached_high_watermark(consumer: Consumer, position: TopicPartition) -> int:
    watermarks = consumer.get_watermark_offsets(position, cached=True)
    return watermarks[1] if watermarks else -1


def create_by_default(
    bootstrap: str,
    names: Iterable[str],
    security: ClientSettings | None = None,
    *,
    timeout_s: float = 10.0,
) -> None:
    """Create the topics that do not exist yet, as the broker makes them by itself: with its own
    numbers of partitions and replicas. Needs Apache Kafka 2.4 or newer.

    Raises:
        BrokerError: refused, or not answered in time.
    """
    there = partition_counts(bootstrap, security, timeout_s=timeout_s)
    missing = [NewTopic(name, -1, -1) for name in dict.fromkeys(names) if name not in there]
    if missing:
        admin = _admin(bootstrap, security)
        _make(admin, missing, bootstrap, timeout_s)


def _make(
    admin: AdminClient, topics: Sequence[NewTopic], bootstrap: str, timeout_s: float
) -> list[str]:
    """Create topics; returns the names of those that were there already."""
    futures = admin.create_topics(
        list(topics), operation_timeout=timeout_s, request_timeout=timeout_s
    )
    there_already = []
    for name, future in futures.items():
        try:
            # The client gives up by itself after its timeout; the second bound is for a broker
            # that never names a controller, which the client waits for.
            future.result(timeout=timeout_s + 1)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise _failed(f"topic {name!r} was not created", bootstrap, error) from error
            there_already.append(name)
        except TimeoutError as error:
            raise _failed(f"topic {name!r} was not created in time", bootstrap, error) from error
    return there_already


def _admin(
    bootstrap: str,
    security: ClientSettings | None = None,
    reasons: list[KafkaError] | None = None,
) -> AdminClient:
    own: dict[str, Any] = {"bootstrap.servers": bootstrap, "log_level": 0}
    if reasons is not None:
        own["error_cb"] = reasons.append
    # Errors come back from the calls; the library's own log lines would land on the screen.
    return AdminClient({**(security or {}), **own})


def _failed(what: str, bootstrap: str, error: Exception) -> BrokerError:
    if isinstance(error, KafkaException):
        problem = error.args[0]
        return BrokerError(f"{what}: {problem.str()}", bootstrap, what_next(problem))
    return BrokerError(what, bootstrap, "Check that the broker is up.")
