"""What a broker says of its topics, or why it says nothing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._metadata import ClusterMetadata

from loom_runtime.kafka.clients import REFUSED

_FIRST_ATTEMPT_S: Final = 1.0
"""A login that is refused is known after so much time; a slow broker is given longer each time."""


def what_next(error: KafkaError) -> str:
    """What to do about an error of a client."""
    if error.code() in REFUSED:
        return "Correct how to log in, under security in the flow's configuration."
    return "Check that the broker is up."


def all_topics(
    client: AdminClient | Consumer, reasons: Sequence[KafkaError], timeout_s: float
) -> ClusterMetadata:
    """Return what the broker says of all its topics.

    Not of one by its name: asking for that makes Tansu create the topic.

    Args:
        client: A client.
        reasons: What its `error_cb` was told.
        timeout_s: How long to wait for an answer, in seconds; a refused login ends that.

    Raises:
        KafkaException: There was none; it holds the client's reason.
    """
    deadline_s = time.monotonic() + timeout_s
    attempt_s = _FIRST_ATTEMPT_S
    while True:
        left_s = deadline_s - time.monotonic()
        try:
            return client.list_topics(timeout=max(0.1, min(attempt_s, left_s)))
        except KafkaException as error:
            client.poll(0)  # has the client tell why
            if left_s <= attempt_s or any(reason.code() in REFUSED for reason in reasons):
                raise KafkaException(reasons[-1] if reasons else error.args[0]) from error
            attempt_s *= 2
