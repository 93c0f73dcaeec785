"""The records of a redrive, in order, on disk: a million of them take no memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final, NamedTuple

from msgspec.structs import astuple

from loom_bench.broker.place import RecordPlace
from loom_bench.session.envelopes.envelope import Envelope

_SCHEMA: Final = """
CREATE TABLE records (
    topic TEXT, partition INTEGER, offset INTEGER, carrier TEXT, key TEXT,
    fingerprint TEXT, attempt INTEGER,
    PRIMARY KEY (topic, partition, offset)
) WITHOUT ROWID;
CREATE TABLE envelopes (id TEXT, topic TEXT, partition INTEGER, offset INTEGER);
CREATE INDEX envelopes_of_record ON envelopes (topic, partition, offset);
"""


class Listed(NamedTuple):
    """A record to be redriven.

    Attributes:
        source: Where it lies, or lay.
        carrier: Its envelope, which carries it whole; ``None`` when it is to be fetched.
        key: Its key, shown form.
        fingerprint: The failure that it had.
        attempt: The attempt that failed.
    """

    source: RecordPlace
    carrier: RecordPlace | None
    key: str
    fingerprint: str
    attempt: int


class RedriveList:
    """Records to be redriven, each once, by topic, partition and offset: the order in which the
    flow read them, so that the records of a key stay in theirs."""

    def __init__(self) -> None:
        # A name that is empty makes a file that has none, in the folder for temporary files.
        self._database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._database.executescript(_SCHEMA)
        self._database.execute("PRAGMA journal_mode = OFF")

    def add(self, envelopes: Iterable[tuple[Envelope, RecordPlace]]) -> None:
        """Add the records of envelopes, each with the place that stands for its record.

        Raises:
            sqlite3.Error: When the disk is full.
        """
        self._database.execute("BEGIN")
        for envelope, source in envelopes:
            carrier = None if not envelope.carries_record else str(envelope.place)
            where = astuple(source)
            self._database.execute(
                # Of several envelopes of a record the one of its last attempt counts.
                "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                "attempt = excluded.attempt, fingerprint = excluded.fingerprint "
                "WHERE excluded.attempt > attempt",
                (*where, carrier, envelope.key, envelope.fingerprint, envelope.attempt),
            )
            self._database.execute(
                "INSERT INTO envelopes VALUES (?, ?, ?, ?)", (envelope.id, *where)
            )
        self._database.execute("COMMIT")

    def __len__(self) -> int:
        count: int = self._database.execute("SELECT count(*) FROM records").fetchone()[0]
        return count

    def topics(self) -> dict[str, tuple[int, int]]:
        """Return how many records there are of each topic, and of how many partitions."""
        return {
            topic: (records, partitions)
            for topic, records, partitions in self._database.execute(
                "SELECT topic, count(*), count(DISTINCT partition) FROM records GROUP BY topic"
            )
        }

    def partitions(self) -> dict[tuple[str, int], int]:
        """Return the first offset of each partition."""
        return {
            (topic, partition): offset
            for topic, partition, offset in self._database.execute(
                "SELECT topic, partition, min(offset) FROM records GROUP BY topic, partition"
            )
        }

    def has(self, place: RecordPlace) -> bool:
        """Return whether a record is among them."""
        found = self._database.execute(
            "SELECT 1 FROM records WHERE topic = ? AND partition = ? AND offset = ?", astuple(place)
        ).fetchone()
        return found is not None

    def earlier_of(self, topic: str, partition: int, key: str, offset: int) -> int:
        """Return how many of the records have this key and lie before *offset*."""
        found: int = self._database.execute(
            "SELECT count(*) FROM records WHERE topic = ? AND partition = ? AND offset < ? "
            "AND key = ?",
            (topic, partition, offset, key),
        ).fetchone()[0]
        return found

    def keys(self, topic: str, partition: int) -> dict[str, int]:
        """Return the keys of a partition's records, each with the offset of its last one."""
        return dict(
            self._database.execute(
                "SELECT key, max(offset) FROM records WHERE topic = ? AND partition = ? "
                "GROUP BY key",
                (topic, partition),
            )
        )

    def chunks(self, size: int) -> Iterator[list[Listed]]:
        """Yield the records in order, each chunk of one partition."""
        rows = self._database.execute("SELECT * FROM records ORDER BY topic, partition, offset")
        for _, of_partition in groupby(rows, key=lambda row: row[:2]):
            chunk: list[Listed] = []
            for topic, partition, offset, carrier, key, fingerprint, attempt in of_partition:
                place = None if carrier is None else RecordPlace.parse(carrier)
                source = RecordPlace(topic, partition, offset)
                chunk.append(Listed(source, place, key, fingerprint, attempt))
                if len(chunk) >= size:
                    yield chunk
                    chunk = []
            if chunk:
                yield chunk

    def envelopes_of(self, records: Iterable[RecordPlace]) -> list[str]:
        """Return the envelopes, by id, of records."""
        found: list[str] = []
        for place in records:
            found += (
                row[0]
                for row in self._database.execute(
                    "SELECT id FROM envelopes WHERE topic = ? AND partition = ? AND offset = ?",
                    astuple(place),
                )
            )
        return found

    def close(self) -> None:
        """Forget everything."""
        self._database.close()
