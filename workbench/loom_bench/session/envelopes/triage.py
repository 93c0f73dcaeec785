"""What was decided about envelopes, kept in a small file over sessions.

Decisions are about places in topics, never about content: whatever happens to the file, the topics
still have every envelope, and the worst that a lost file means is that all are open again.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from loom_bench.session.envelopes.envelope import Envelope
from loom_bench.session.envelopes.terms import TriageState

_SCHEMA_VERSION: Final = 1
_BUSY_S: Final = 2.0
_KEPT_MS: Final = 365 * 24 * 3_600_000
"""Decisions are forgotten after a year: hardly a topic keeps its records as long."""

_SKEW_MS: Final = 600_000
"""How far the clocks of those who write envelopes may be ahead of this one. An envelope later than
this after a decision about its place is another one: the topic was made anew."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS batches (
    batch INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, by_hand INTEGER NOT NULL, told TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS decisions (
    batch INTEGER NOT NULL, envelope TEXT, fingerprint TEXT, upto BLOB,
    state TEXT NOT NULL, revision INTEGER
);
CREATE INDEX IF NOT EXISTS decisions_of_batch ON decisions (batch);
"""

Upto = Mapping[tuple[str, int], int]
"""For each topic and partition the offset before which envelopes are meant."""


class Decided(NamedTuple):
    """What was decided about an envelope.

    Attributes:
        state: Its state.
        revision: Revision that proved it fixed.
    """

    state: TriageState
    revision: int | None = None


OPEN: Final = Decided(TriageState.OPEN)


class _OfEnvelope(NamedTuple):
    envelope: str
    decided: Decided


class _OfGroup(NamedTuple):
    fingerprint: str
    upto: Upto
    decided: Decided


class _Batch(NamedTuple):
    number: int
    at_ms: int
    by_hand: bool
    told: str
    decisions: tuple[_OfEnvelope | _OfGroup, ...]


class TriageStore:
    """Decisions about envelopes; the newest one about an envelope, or about its group, counts.

    Attributes:
        path: The file; ``None`` when decisions end with the session.

    Args:
        path: The file, made when it is absent; ``None`` for none.
        tell: Told in words of what goes wrong with the file. Nothing of it is raised: decisions
            hold in the session, and are written when the file can be written again.
    """

    def __init__(self, path: Path | None, tell: Callable[[str], None]) -> None:
        self.path = path
        self._tell = tell
        self._batches: dict[int, _Batch] = {}
        self._numbers_in_file: dict[int, int] = {}
        self._unwritten: list[Callable[[sqlite3.Connection], None]] = []
        self._of_envelope: dict[str, tuple[int, int, Decided]] = {}
        self._of_group: dict[str, list[tuple[int, int, Upto, Decided]]] = {}
        self._connection = None if path is None else self._open(path)
        if self._connection is None:
            self.path = None

    @property
    def undoable(self) -> str:
        """What :meth:`undo` would take back, in words; empty for nothing."""
        newest = self._newest_by_hand()
        return "" if newest is None else newest.told

    def decided(self, envelope: Envelope) -> Decided:
        """Return what was decided about *envelope*."""
        if not self._batches:
            return OPEN
        number, at_ms, decided = self._of_envelope.get(envelope.id, (0, 0, OPEN))
        if at_ms and envelope.at_ms > at_ms + _SKEW_MS:
            number, decided = 0, OPEN
        for group_number, group_at_ms, upto, of_group in reversed(
            self._of_group.get(envelope.fingerprint, ())
        ):
            if group_number <= number:
                break
            place = envelope.place
            if (
                place is not None
                and place.offset < upto.get((place.topic, place.partition), 0)
                and envelope.at_ms <= group_at_ms + _SKEW_MS
            ):
                return of_group
        return decided

    def decide(
        self,
        envelopes: Iterable[str],
        decided: Decided,
        *,
        told: str,
        groups: Mapping[str, Upto] | None = None,
        by_hand: bool = True,
    ) -> None:
        """Decide about single envelopes, by id, and about groups, as one change.

        Args:
            envelopes: Their ids.
            decided: What is decided.
            told: The change in words.
            groups: Fingerprints, and which envelopes of each.
            by_hand: Whether undo takes it back.
        """
        decisions: list[_OfEnvelope | _OfGroup] = [_OfEnvelope(each, decided) for each in envelopes]
        decisions += [_OfGroup(each, upto, decided) for each, upto in (groups or {}).items()]
        if not decisions:
            return
        batch = _Batch(
            next(reversed(self._batches), 0) + 1, _now_ms(), by_hand, told, tuple(decisions)
        )
        self._batches[batch.number] = batch
        self._apply(batch)
        self._write(lambda connection: self._insert(connection, batch))

    def undo(self) -> tuple[str, tuple[str, ...]]:
        """Take back the newest change by hand, and return it in words, empty for none, and the
        groups that it was about."""
        newest = self._newest_by_hand()
        if newest is None:
            return "", ()
        del self._batches[newest.number]
        self._of_envelope.clear()
        self._of_group.clear()
        for batch in self._batches.values():
            self._apply(batch)
        self._write(lambda connection: self._delete(connection, newest.number))
        groups = [each for each in newest.decisions if isinstance(each, _OfGroup)]
        return newest.told, tuple(each.fingerprint for each in groups)

    def close(self) -> None:
        """Write what waits, if that is possible, and release the file."""
        self._write(None)
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _insert(self, connection: sqlite3.Connection, batch: _Batch) -> None:
        """Write a change, under a number of the file's own: another bench may write to it too."""
        self._numbers_in_file[batch.number] = _insert(connection, batch)

    def _delete(self, connection: sqlite3.Connection, number: int) -> None:
        _delete(connection, self._numbers_in_file.pop(number, number))

    def _newest_by_hand(self) -> _Batch | None:
        return next((each for each in reversed(self._batches.values()) if each.by_hand), None)

    def _apply(self, batch: _Batch) -> None:
        for each in batch.decisions:
            if isinstance(each, _OfEnvelope):
                self._of_envelope[each.envelope] = batch.number, batch.at_ms, each.decided
            else:
                self._of_group.setdefault(each.fingerprint, []).append(
                    (batch.number, batch.at_ms, each.upto, each.decided)
                )

    def _write(self, change: Callable[[sqlite3.Connection], None] | None) -> None:
        if self._connection is None:
            return
        failing = bool(self._unwritten)
        if change is not None:
            self._unwritten.append(change)
        try:
            while self._unwritten:
                with self._connection:
                    self._unwritten[0](self._connection)
                del self._unwritten[0]
        except sqlite3.Error as error:
            if not failing:
                self._tell(
                    f"triage states cannot be written to {self.path}: {error}. They hold in this "
                    "session; make room, and the next change writes them."
                )

    def _open(self, path: Path) -> sqlite3.Connection | None:
        try:
            return self._load(path)
        except sqlite3.DatabaseError as error:
            if not isinstance(error, sqlite3.OperationalError):
                return self._anew(path, error)
            self._without(path, error)
        except (ValueError, msgspec.MsgspecError) as error:
            return self._anew(path, error)
        except OSError as error:
            self._without(path, error)
        return None

    def _anew(self, path: Path, error: Exception) -> sqlite3.Connection | None:
        """Move a file aside that cannot be read, and begin another."""
        aside = path.with_name(f"{path.name}.damaged-{_now_ms()}")
        self._batches.clear()
        self._of_envelope.clear()
        self._of_group.clear()
        try:
            path.rename(aside)
            for suffix in ("-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            connection = self._load(path)
        except (OSError, sqlite3.Error) as second:
            self._without(path, second)
            return None
        self._tell(
            f"the triage states in {path} cannot be read ({error}); the file was moved to "
            f"{aside.name} beside it. All envelopes are open again; none is lost."
        )
        return connection

    def _without(self, path: Path, error: Exception) -> None:
        self._tell(
            f"triage states cannot be kept in {path}: {error}. They end with this session; make "
            "that place writable to keep them."
        )

    def _load(self, path: Path) -> sqlite3.Connection:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(path, timeout=_BUSY_S, check_same_thread=False)
        try:
            _prepare(connection)
            for batch in _read(connection):
                self._batches[batch.number] = batch
                self._apply(batch)
        except BaseException:
            connection.close()
            raise
        return connection


def _prepare(connection: sqlite3.Connection) -> None:
    """Make the tables when they are absent, and forget what is too old."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > _SCHEMA_VERSION:
        raise sqlite3.OperationalError("a newer version of the bench has written it")
    connection.executescript(_SCHEMA)
    connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
    with connection:
        oldest = (_now_ms() - _KEPT_MS,)
        connection.execute(
            "DELETE FROM decisions WHERE batch IN (SELECT batch FROM batches WHERE at_ms < ?)",
            oldest,
        )
        connection.execute("DELETE FROM batches WHERE at_ms < ?", oldest)


def _read(connection: sqlite3.Connection) -> Iterable[_Batch]:
    decisions: dict[int, list[_OfEnvelope | _OfGroup]] = {}
    for batch, envelope, fingerprint, upto, state, revision in connection.execute(
        "SELECT batch, envelope, fingerprint, upto, state, revision FROM decisions ORDER BY rowid"
    ):
        decided = Decided(TriageState(state), revision)
        decisions.setdefault(batch, []).append(
            _OfEnvelope(envelope, decided)
            if envelope is not None
            else _OfGroup(fingerprint, _upto_of(upto), decided)
        )
    for batch, at_ms, by_hand, told in connection.execute(
        "SELECT batch, at_ms, by_hand, told FROM batches ORDER BY batch"
    ):
        yield _Batch(batch, at_ms, bool(by_hand), told, tuple(decisions.get(batch, ())))


def _insert(connection: sqlite3.Connection, batch: _Batch) -> int:
    """Write a change and return its number in the file."""
    number = connection.execute(
        "INSERT INTO batches (at_ms, by_hand, told) VALUES (?, ?, ?)",
        (batch.at_ms, batch.by_hand, batch.told),
    ).lastrowid
    if number is None:
        raise sqlite3.OperationalError("the file gives a row no number")
    connection.executemany(
        "INSERT INTO decisions VALUES (?, ?, ?, ?, ?, ?)",
        (
            (number, each.envelope, None, None, *each.decided)
            if isinstance(each, _OfEnvelope)
            else (number, None, each.fingerprint, _upto_blob(each.upto), *each.decided)
            for each in batch.decisions
        ),
    )
    return number


def _delete(connection: sqlite3.Connection, batch: int) -> None:
    connection.execute("DELETE FROM decisions WHERE batch = ?", (batch,))
    connection.execute("DELETE FROM batches WHERE batch = ?", (batch,))


def _upto_blob(upto: Upto) -> bytes:
    return msgspec.msgpack.encode([(*place, offset) for place, offset in upto.items()])


def _upto_of(blob: bytes) -> Upto:
    rows = msgspec.msgpack.decode(blob, type=list[tuple[str, int, int]])
    return {(topic, partition): offset for topic, partition, offset in rows}


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
