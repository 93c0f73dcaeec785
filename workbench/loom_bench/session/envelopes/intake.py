"""Reads a flow's error and dead-letter topics into the inbox, no faster than it takes them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from loom_bench.broker.contract import BrokerError
from loom_bench.broker.following import Followed, Following
from loom_bench.broker.reading import TopicRecord
from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.session.envelopes.envelope import Envelope, read_envelope
from loom_bench.session.envelopes.flow_view import InboxFlow
from loom_bench.session.envelopes.giving_way import Way
from loom_bench.session.envelopes.value import TopicReading

_WAITING: Final = 4
"""Batches that may wait for the inbox; then reading waits."""

_SHARE: Final = 0.4
"""Of one processor, for reading envelopes and taking them in, while there is a flood: the screen
has the rest."""

Post = Callable[[Callable[[], None]], None]
"""Has something done on the inbox's thread."""

Arrived = Callable[[list[Envelope]], None]


class Intake:
    """Follows topics.

    Attributes:
        upto: For each topic and partition, the offset after what has arrived.

    Args:
        flow: The flow whose topics are read.
        post: Has something done on the inbox's thread.
        arrived: Called there with envelopes.
        way: Asked for by whoever must not wait for a flood.
    """

    def __init__(self, flow: InboxFlow, post: Post, arrived: Arrived, way: Way) -> None:
        self.upto: dict[tuple[str, int], int] = {}
        self._post = post
        self._arrived = arrived
        self._room = threading.Semaphore(_WAITING)
        self._closing = threading.Event()
        self._owed_s = 0.0
        self._way = way
        self._strange: dict[str, int] = {}
        self._state: tuple[tuple[Followed, ...], BrokerError | None] = (), None
        self._following = Following(
            flow.bootstrap,
            flow.topics,
            self._take,
            self._told,
            share=_SHARE,
            also=flow.usual_topics,
            security=flow.security.reading,
        )

    def add(self, topic: str) -> None:
        """Read one more topic."""
        self._following.add(topic)

    def reading(self) -> tuple[TopicReading, ...]:
        """Return how far every topic was read."""
        followed, error = self._state
        problem = None
        if error is not None:
            problem = Diagnosis(
                code="topic_unread",
                message=error.what,
                component=error.where,
                hint=error.what_next,
            )
        return tuple(
            TopicReading(
                topic=each.topic,
                read=each.read,
                behind=each.behind if each.exists else 0,
                strange=self._strange.get(each.topic, 0),
                problem=problem,
            )
            for each in followed
        )

    def at_end(self) -> bool:
        """Whether everything that was there has arrived."""
        followed, error = self._state
        known = bool(followed) and error is None
        return known and all(not each.exists or each.behind == 0 for each in followed)

    def close(self) -> None:
        """Read no more."""
        self._closing.set()
        self._following.close()

    def _take(self, records: list[TopicRecord]) -> None:
        envelopes = []
        for record in records:
            envelope = read_envelope(record)
            if envelope is None:
                self._strange[record.topic] = self._strange.get(record.topic, 0) + 1
            else:
                envelopes.append(envelope)
        while not self._room.acquire(timeout=0.1):
            if self._closing.is_set():
                return
        # What the inbox's own thread has spent on envelopes since the last batch.
        owed_s, self._owed_s = self._owed_s, 0.0
        self._closing.wait(owed_s / _SHARE)
        self._way.wait(self._closing)
        self._post(partial(self._hand_over, envelopes, records))

    def _hand_over(self, envelopes: list[Envelope], records: list[TopicRecord]) -> None:
        self._room.release()
        began_s = time.thread_time()
        for record in records:
            self.upto[record.topic, record.partition] = record.offset + 1
        self._arrived(envelopes)
        self._owed_s += time.thread_time() - began_s

    def _told(self, followed: tuple[Followed, ...], error: BrokerError | None) -> None:
        # A record counts as read when it was handed over, not when it has arrived.
        self._post(partial(self._set_state, followed, error))

    def _set_state(self, followed: tuple[Followed, ...], error: BrokerError | None) -> None:
        self._state = followed, error
