"""Fetches single records by the place where they lie."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Final, Self

from loom_bench.broker.contract import BrokerError
from loom_bench.broker.place import RecordPlace
from loom_bench.broker.reading import RecordReader, TopicRecord
from loom_bench.protocol.security import ClientSettings
from loom_runtime.places import partition_text

_NEAR_RECORDS: Final = 2_000
"""Records that are read over rather than jumped over: a jump costs a fetch of its own."""

_BATCH_RECORDS: Final = 500
_QUIET_S: Final = 10.0


class RecordFetcher:
    """Fetches records; what it has assigned stays so, and neighbours are quick. A context manager.

    Args:
        bootstrap: The broker's addresses.
        security: How to log in there.

    Raises:
        BrokerError: When the client refuses the addresses.
    """

    def __init__(self, bootstrap: str, security: ClientSettings | None = None) -> None:
        self._reader = RecordReader(bootstrap, security)
        self._bootstrap = bootstrap
        self._known: dict[str, tuple[int, ...]] = {}
        self._current: tuple[str, int] | None = None
        self._ahead: list[TopicRecord] = []

    def fetch(
        self, places: Iterable[RecordPlace]
    ) -> Iterator[tuple[RecordPlace, TopicRecord | None]]:
        """Yield each place with its record, ``None`` where there is none any more, by topic,
        partition and offset.

        Raises:
            BrokerError: When the broker refuses or does not answer.
        """
        for place in sorted(set(places)):
            yield place, self._one(place)

    def close(self) -> None:
        """Release the client."""
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _one(self, place: RecordPlace) -> TopicRecord | None:
        if not self._is_there(place):
            return None
        where = place.topic, place.partition
        if where != self._current:
            if self._current is not None:
                self._reader.leave([self._current])
            self._current, self._ahead = where, []
            self._reader.read_from({where: place.offset})
        elif not self._is_near(place.offset):
            self._ahead = []
            self._reader.read_from({where: place.offset})
        return self._find(place)

    def _is_there(self, place: RecordPlace) -> bool:
        if place.topic not in self._known:
            self._known = self._reader.partitions()
        return place.partition in self._known.get(place.topic, ()) and place.offset >= 0

    def _is_near(self, offset: int) -> bool:
        if self._current is None:
            return False
        reached = self._ahead[0].offset if self._ahead else self._reader.position(*self._current)
        return 0 <= offset - reached <= _NEAR_RECORDS

    def _find(self, place: RecordPlace) -> TopicRecord | None:
        """Read on to the place; a greater offset, or the end, tells that nothing lies there."""
        heard_s = time.monotonic()
        while True:
            for index, record in enumerate(self._ahead):
                if record.offset >= place.offset:
                    del self._ahead[:index]
                    return record if record.offset == place.offset else None
            self._ahead = self._reader.take(_BATCH_RECORDS, 0.1)
            if self._ahead:
                heard_s = time.monotonic()
                continue
            end = self._reader.end(place.topic, place.partition)
            at_end = (place.topic, place.partition) in self._reader.ended
            if at_end or (end is not None and place.offset >= end):
                return None
            if time.monotonic() - heard_s > _QUIET_S:
                partition = partition_text(place.topic, place.partition)
                raise BrokerError(
                    f"no record came from {partition} for {_QUIET_S:g} s",
                    self._bootstrap,
                    "Check that the broker is up.",
                )
