"""The SQLite files of a recovery store, as Bytewax 0.21.1 lays them out.

Only for files that no Bytewax run of this process has open: the interpreter's SQLite and
Bytewax's do not see each other's locks.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from loom_runtime.recovery.errors import StoreDamagedError, StoreUnreachableError
from loom_runtime.recovery.part_access import PRAGMAS, Access, opening_mode
from loom_runtime.recovery.part_errors import RESTORE, explained_error

PART_PATTERN: Final = "*.sqlite3"
"""Bytewax opens every file of this form as a part."""

_SCHEMA_VERSION: Final = 5
"""``user_version`` of a part: the number of Bytewax's schema migrations."""

_COLUMNS: Final[Mapping[str, frozenset[str]]] = {
    "parts": frozenset({"part_index", "part_count"}),
    "exs": frozenset({"ex_num", "worker_count", "resume_epoch"}),
    "fronts": frozenset({"ex_num", "worker_index", "worker_frontier"}),
    "commits": frozenset({"part_index", "commit_epoch"}),
    "snaps": frozenset({"step_id", "state_key", "snap_epoch", "ser_change"}),
}

_STRICT_SQLITE: Final = (3, 37, 0)
"""The first SQLite that reads Bytewax's STRICT tables."""

_BUSY_TIMEOUT_S: Final = 5.0

_CACHE_KIB: Final = 100_000
"""Memory for deleting many rows, KiB: with SQLite's own 2 MB it takes four times as long."""


@dataclass(frozen=True)
class Part:
    """What one file says.

    Attributes:
        path: The file.
        index: Which part it is.
        count: Parts of the store.
        executions: Worker count and resume epoch of each execution, by its number.
        frontiers: Frontier of a worker, by execution number and worker index.
        commit_epoch: Newest epoch before which superseded rows were deleted.
    """

    path: Path
    index: int
    count: int
    executions: Mapping[int, tuple[int, int]]
    frontiers: Mapping[tuple[int, int], int]
    commit_epoch: int | None


def part_files(db_dir: Path) -> list[Path]:
    """Return the files that Bytewax would open, in the order of their names."""
    return sorted(db_dir.glob(PART_PATTERN))


class PartFile:
    """One file, open.

    Args:
        path: The file.
        access: What it is opened for.

    Raises:
        StoreError: From every method too, when SQLite or the machine refuses.
    """

    def __init__(self, path: Path, access: Access) -> None:
        self.path = path
        if sqlite3.sqlite_version_info < _STRICT_SQLITE:
            raise StoreUnreachableError(
                f"this Python's SQLite is {sqlite3.sqlite_version}; a recovery store needs 3.37",
                where=str(path),
                what_next="use a Python built with a newer SQLite",
            )
        with self._explained():
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?{opening_mode(path, access)}",
                uri=True,
                timeout=_BUSY_TIMEOUT_S,
                isolation_level=None,
            )
            for pragma in PRAGMAS[access]:
                self._connection.execute(pragma)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._connection.close()

    def read(self) -> Part:
        """Return what the file says.

        Raises:
            StoreDamagedError: When it is no part of a store.
        """
        with self._explained():
            self._check_schema()
            rows = self._rows("SELECT part_index, part_count FROM parts")
            executions = self._rows("SELECT ex_num, worker_count, resume_epoch FROM exs")
            frontiers = self._rows("SELECT ex_num, worker_index, worker_frontier FROM fronts")
            commits = self._rows("SELECT max(commit_epoch) FROM commits")
        if len(rows) != 1:
            raise StoreDamagedError(
                f"the file says {len(rows)} times which part of the store it is, instead of once",
                where=str(self.path),
                what_next=RESTORE,
            )
        return Part(
            path=self.path,
            index=rows[0][0],
            count=rows[0][1],
            executions={number: (workers, epoch) for number, workers, epoch in executions},
            frontiers={(number, worker): frontier for number, worker, frontier in frontiers},
            commit_epoch=commits[0][0],
        )

    def check_intact(self) -> None:
        """Read every page of the file.

        Raises:
            StoreDamagedError: When one is missing or makes no sense.
        """
        with self._explained():
            verdict = self._rows("PRAGMA quick_check(1)")[0][0]
        if verdict != "ok":
            raise StoreDamagedError(
                f"the file is damaged: {verdict}", where=str(self.path), what_next=RESTORE
            )

    def remove_from(self, epoch: int) -> int:
        """Delete the snapshots of *epoch* and later, all or none; return how many there were."""
        with self._explained():
            self._connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            return self._connection.execute(
                "DELETE FROM snaps WHERE snap_epoch >= ?", (epoch,)
            ).rowcount

    def remap(
        self,
        moved: Mapping[str, str],
        dropped: Iterable[str],
        dropped_keys: Mapping[str, Iterable[str]],
    ) -> None:
        """Give rows to other steps and delete rows, all or nothing; once more does no harm.

        Args:
            moved: New step id by old step id; no id is both.
            dropped: Ids of steps whose rows are deleted.
            dropped_keys: Beginnings of keys whose rows are deleted, by step id; done first.
        """
        with self._explained():
            execute = self._connection.execute
            execute("BEGIN IMMEDIATE")
            try:
                for step_id, beginnings in dropped_keys.items():
                    for beginning in beginnings:
                        execute(
                            "DELETE FROM snaps WHERE step_id = ? AND substr(state_key, 1, ?) = ?",
                            (step_id, len(beginning), beginning),
                        )
                for step_id in dropped:
                    execute("DELETE FROM snaps WHERE step_id = ?", (step_id,))
                for old, new in moved.items():
                    execute("UPDATE snaps SET step_id = ? WHERE step_id = ?", (new, old))
            except BaseException:
                execute("ROLLBACK")
                raise
            execute("COMMIT")

    def replace_latest(self, step_id: str, key: str, pickled: bytes) -> None:
        """Give a key's newest row another value, where the key has rows here."""
        with self._explained():
            self._connection.execute(
                "UPDATE snaps SET ser_change = ? WHERE step_id = ? AND state_key = ? AND "
                "snap_epoch = (SELECT max(snap_epoch) FROM snaps "
                "WHERE step_id = ? AND state_key = ?)",
                (pickled, step_id, key, step_id, key),
            )

    def steps(self) -> set[str]:
        """Return the ids of the steps that have rows here, one look at the index for each."""
        found: set[str] = set()
        step_id = ""
        with self._explained():
            while step_id is not None:
                [(step_id,)] = self._rows(
                    "SELECT min(step_id) FROM snaps WHERE step_id > ?", (step_id,)
                )
                if step_id is not None:
                    found.add(step_id)
        return found

    def sample(self, step_id: str) -> bytes | None:
        """Return some value of *step_id* as it was pickled; ``None`` without one."""
        with self._explained():
            found = self._rows(
                "SELECT ser_change FROM snaps WHERE step_id = ? AND ser_change NOT NULL LIMIT 1",
                (step_id,),
            )
        return found[0][0] if found else None

    def latest(self, step_id: str, before: int) -> list[tuple[str, int, bytes | None]]:
        """Return key, epoch and pickled value of each key's newest row before epoch *before*.

        Where the key was discarded the value is ``None``.
        """
        with self._explained():
            # SQLite takes bare columns from the row that has the maximum.
            return self._rows(
                "SELECT state_key, max(snap_epoch), ser_change FROM snaps "
                "WHERE step_id = ? AND snap_epoch < ? GROUP BY state_key",
                (step_id, before),
            )

    def remove_superseded(self, low: int, high: int, first: int, last: int, kept: int) -> int:
        """Delete rows of the epochs *first* to *last* whose key has a newer one up to *kept*.

        Only rows with a ``rowid`` from *low* to *high* are looked at; returns how many went.
        """
        with self._explained():
            return self._connection.execute(
                "DELETE FROM snaps WHERE rowid BETWEEN ? AND ? AND snap_epoch BETWEEN ? AND ? AND "
                "EXISTS (SELECT 1 FROM snaps AS newer WHERE newer.step_id = snaps.step_id AND "
                "newer.state_key = snaps.state_key AND newer.snap_epoch > snaps.snap_epoch AND "
                "newer.snap_epoch <= ?)",
                (low, high, first, last, kept),
            ).rowcount

    def back_up(self, target: Path) -> None:
        """Copy the file, with what its log holds, to the new file *target*."""
        with self._explained(), closing(sqlite3.connect(target)) as copy:
            copy.execute("PRAGMA synchronous = OFF")
            self._connection.backup(copy)

    def query(self, query: str, values: tuple[Any, ...] = ()) -> list[Any]:
        """Return the rows that *query* finds."""
        with self._explained():
            return self._rows(query, values)

    def scan(self, query: str, values: tuple[Any, ...] = ()) -> Iterator[Any]:
        """Yield the rows that *query* finds, one by one."""
        with self._explained():
            yield from self._connection.execute(query, values)

    def _rows(self, query: str, values: tuple[Any, ...] = ()) -> list[Any]:
        return self._connection.execute(query, values).fetchall()

    def _check_schema(self) -> None:
        version = self._rows("PRAGMA user_version")[0][0]
        missing = [
            table
            for table, columns in _COLUMNS.items()
            if not columns
            <= {name for (name,) in self._rows("SELECT name FROM pragma_table_info(?)", (table,))}
        ]
        if missing == list(_COLUMNS):
            raise StoreDamagedError(
                "the file is no part of a recovery store"
                if self.path.stat().st_size
                else "the file is empty",
                where=str(self.path),
                what_next="move it out of the folder if it does not belong there: Bytewax opens "
                f"every {PART_PATTERN} there is. If it was a part: {RESTORE}",
            )
        if missing or version != _SCHEMA_VERSION:
            raise StoreDamagedError(
                f"the file's schema is not that of Bytewax 0.21.1: version {version}, not "
                f"{_SCHEMA_VERSION}" + (f", without {', '.join(missing)}" if missing else ""),
                where=str(self.path),
                what_next=RESTORE,
            )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise explained_error(self.path, error) from error


def check_complete(db_dir: Path, parts: list[Part], expected: int | None) -> None:
    """Check that the parts make up one store.

    Args:
        db_dir: The store's folder.
        parts: What its files say.
        expected: How many there were when the store was made; ``None`` when nobody knows.

    Raises:
        StoreDamagedError: When some are missing, or stem from several stores.
    """
    counts = {part.count for part in parts} | ({expected} if expected is not None else set())
    if len(counts) > 1:
        raise StoreDamagedError(
            "the files stem from different stores: they count "
            + " and ".join(map(str, sorted(counts)))
            + " parts",
            where=str(db_dir),
            what_next=RESTORE,
        )
    owners: dict[int, Path] = {}
    for part in parts:
        other = owners.setdefault(part.index, part.path)
        if other != part.path:
            raise StoreDamagedError(
                f"{other.name} and {part.path.name} are both part {part.index} of the store",
                where=str(db_dir),
                what_next="move the one that is a copy out of the folder: Bytewax would take "
                "either",
            )
    missing = [index for index in range(next(iter(counts), 0)) if index not in owners]
    if missing:
        raise StoreDamagedError(
            f"of {next(iter(counts))} part files "
            + ", ".join(f"part-{index}.sqlite3" for index in missing)
            + (" is missing" if len(missing) == 1 else " are missing"),
            where=str(db_dir),
            what_next=RESTORE,
        )


def resume_epoch(db_dir: Path, parts: list[Part]) -> int:
    """Return the epoch that Bytewax will resume from.

    It is the least frontier of the newest execution's workers; a worker that wrote none stands at
    the epoch the execution began with. A store that was never run resumes from epoch 1.

    Raises:
        StoreDamagedError: When the parts are of different times.
    """
    executions: dict[int, tuple[int, int]] = {}
    frontiers: dict[tuple[int, int], int] = {}
    for part in parts:
        if executions.keys() & part.executions.keys() or frontiers.keys() & part.frontiers.keys():
            raise StoreDamagedError(
                "two part files tell of the same execution",
                where=str(part.path),
                what_next=RESTORE,
            )
        executions.update(part.executions)
        frontiers.update(part.frontiers)
    epoch = 1
    if executions:
        newest = max(executions)
        workers, began = executions[newest]
        progress = dict.fromkeys(range(workers), began)
        for (number, worker), frontier in frontiers.items():
            if number == newest:
                progress[worker] = max(frontier, began)
        epoch = min(progress.values())
    thinned = [part for part in parts if (part.commit_epoch or 0) >= epoch]
    if thinned:
        raise StoreDamagedError(
            f"the run would resume from epoch {epoch}, and {thinned[0].path.name} has kept no "
            f"state of before epoch {thinned[0].commit_epoch}: the files are of different times",
            where=str(db_dir),
            what_next=RESTORE,
        )
    return epoch
