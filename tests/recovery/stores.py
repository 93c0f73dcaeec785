"""Stores for the tests: made by Bytewax itself, filled and read with SQLite."""

from __future__ import annotations

import pickle
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bytewax.recovery import init_db_dir

from loom_runtime.compiler.plan import NodeKind
from loom_runtime.recovery.identity import StatefulStepIdentity, StoreIdentity
from loom_runtime.recovery.store import StoreReport, prepare_store

FLOW = "counting.keys"
COUNT_STEP = "count"

IDENTITY = StoreIdentity(
    flow=FLOW,
    topics=("keys",),
    steps={COUNT_STEP: StatefulStepIdentity(node="Count", kind=NodeKind.STATEFUL_STEP)},
)


@dataclass(frozen=True)
class Row:
    """A row of ``snaps``."""

    step_id: str
    key: str
    epoch: int
    pickled: bytes | None


def prepare(
    db_dir: Path, identity: StoreIdentity = IDENTITY, *, partitions: int = 3
) -> StoreReport:
    """Prepare a store and give it up at once."""
    with prepare_store(
        db_dir, identity, partitions=partitions, initialise=init_db_dir, wait_s=5.0
    ) as report:
        return report


def part(db_dir: Path, index: int) -> Path:
    """Return the file of a part."""
    return db_dir / f"part-{index}.sqlite3"


def run_sql(path: Path, query: str, rows: Iterable[tuple[object, ...]] = ((),)) -> None:
    """Run *query* once for each of *rows*."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany(query, rows)


def plant(path: Path, rows: Iterable[Row]) -> None:
    """Write rows as Bytewax does."""
    run_sql(
        path,
        "INSERT OR REPLACE INTO snaps (step_id, state_key, snap_epoch, ser_change) "
        "VALUES (?, ?, ?, ?)",
        [(row.step_id, row.key, row.epoch, row.pickled) for row in rows],
    )


def row(key: str, epoch: int, value: bytes | None = b"", step: str = COUNT_STEP) -> Row:
    """Return a row as a step of the counting flow writes it."""
    return Row(f"counting_keys.{step}", key, epoch, pickle.dumps(value))


def rows_of(path: Path) -> set[Row]:
    """Return every row of a file."""
    with closing(sqlite3.connect(path)) as connection:
        return {
            Row(*found)
            for found in connection.execute(
                "SELECT step_id, state_key, snap_epoch, ser_change FROM snaps"
            )
        }


def record_execution(db_dir: Path, number: int, began: int, frontiers: list[int]) -> None:
    """Write that execution *number* began at an epoch and how far its workers came."""
    run_sql(
        part(db_dir, 0),
        "INSERT INTO exs (ex_num, worker_count, resume_epoch) VALUES (?, ?, ?)",
        [(number, max(len(frontiers), 1), began)],
    )
    run_sql(
        part(db_dir, 1),
        "INSERT INTO fronts (ex_num, worker_index, worker_frontier) VALUES (?, ?, ?)",
        [(number, worker, frontier) for worker, frontier in enumerate(frontiers)],
    )
