"""Follows topics on a thread of its own: everything that lies there, then whatever comes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from loom_bench.broker.contract import BrokerError
from loom_bench.broker.reading import RecordReader, TopicRecord
from loom_bench.protocol.security import ClientSettings

_BATCH_RECORDS: Final = 500
"""Little enough that whoever takes a batch is free for something else soon."""

_WAIT_S: Final = 0.1
_LOOK_AGAIN_S: Final = 1.0
"""How often to look for topics, or partitions, that were not there."""


class Followed(NamedTuple):
    """How far a topic was read.

    Attributes:
        topic: The topic.
        read: Records that were read.
        behind: Records that are there and were not read; ``None`` while that is not known.
        exists: Whether the topic is there.
    """

    topic: str
    read: int
    behind: int | None
    exists: bool


class Following:
    """A thread that reads topics and goes on for as long as it is open.

    Args:
        bootstrap: The broker's addresses.
        topics: What to read; a topic that is not there yet is waited for.
        on_records: Called on the thread with records of one batch, in order within a partition;
            while it blocks, nothing is read.
        on_state: Called on the thread, a few times a second at most, with how far each topic was
            read and what is wrong now.
        share: Share of one processor's time that reading and *on_records* may take together, above
            0 to 1: what follows a flood must leave room for who makes it.
        also: Names that are read too, should such a topic be there.
        security: How to log in there.
    """

    def __init__(
        self,
        bootstrap: str,
        topics: Iterable[str],
        on_records: Callable[[list[TopicRecord]], None],
        on_state: Callable[[tuple[Followed, ...], BrokerError | None], None],
        *,
        share: float = 0.5,
        also: Iterable[str] = (),
        security: ClientSettings | None = None,
    ) -> None:
        self._bootstrap = bootstrap
        self._security = security
        self._wanted = dict.fromkeys(topics, True)
        for topic in also:
            self._wanted.setdefault(topic, False)
        self._on_records = on_records
        self._on_state = on_state
        self._share = share
        self._read: dict[str, int] = {}
        self._assigned: dict[str, set[int]] = {}
        self._positions: dict[tuple[str, int], int | None] = {}
        self._closing = threading.Event()
        self._look_at_s = 0.0
        self._thread = threading.Thread(target=self._run, name="follow-topics", daemon=True)
        self._thread.start()

    def add(self, topic: str) -> None:
        """Read one more topic; from any thread."""
        self._wanted = {**self._wanted, topic: True}
        self._look_at_s = 0.0

    def close(self) -> None:
        """End; returns when the thread has ended."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                with RecordReader(self._bootstrap, self._security) as reader:
                    # A reader that failed begins anew where it stood.
                    self._assigned, starts = {}, self._positions
                    self._follow(reader, starts)
            except BrokerError as error:
                self._on_state(self._state(None), error)
                self._closing.wait(_LOOK_AGAIN_S)

    def _follow(self, reader: RecordReader, starts: dict[tuple[str, int], int | None]) -> None:
        told_s = 0.0
        while not self._closing.is_set():
            now_s = time.monotonic()
            if now_s >= self._look_at_s:
                self._look_at_s = now_s + _LOOK_AGAIN_S
                self._assign(reader, starts)
            if not self._assigned:
                self._on_state(self._state(reader), None)
                self._closing.wait(_WAIT_S)
                continue
            records = reader.take(_BATCH_RECORDS, _WAIT_S)
            if records:
                began_s = time.thread_time()
                self._hand_on(reader, records)
                spent_s = time.thread_time() - began_s
                self._closing.wait(spent_s * (1 / self._share - 1))
            if time.monotonic() - told_s > 0.2:
                told_s = time.monotonic()
                self._on_state(self._state(reader), None)

    def _hand_on(self, reader: RecordReader, records: list[TopicRecord]) -> None:
        self._on_records(records)
        for record in records:
            self._read[record.topic] = self._read.get(record.topic, 0) + 1
        self._positions = {
            (topic, partition): reader.position(topic, partition)
            for topic, partitions in self._assigned.items()
            for partition in partitions
        }

    def _assign(self, reader: RecordReader, starts: dict[tuple[str, int], int | None]) -> None:
        there = reader.partitions()
        for topic in self._wanted:
            new = set(there.get(topic, ())) - self._assigned.get(topic, set())
            if new:
                self._assigned.setdefault(topic, set()).update(new)
                reader.read_from({(topic, each): starts.get((topic, each)) for each in new})

    def _state(self, reader: RecordReader | None) -> tuple[Followed, ...]:
        shown = []
        for topic, named in self._wanted.items():
            partitions = self._assigned.get(topic)
            if not named and not partitions:
                continue
            behind = None
            if reader is not None and partitions:
                behind = reader.behind(topic, partitions)
            shown.append(Followed(topic, self._read.get(topic, 0), behind, bool(partitions)))
        return tuple(shown)
