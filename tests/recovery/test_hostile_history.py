"""Stores that are damaged, foreign, dangerous or in use: a clear message each, nothing touched."""

from __future__ import annotations

import hashlib
import os
import pickle
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from loom_runtime.recovery.errors import StoreError
from loom_runtime.recovery.history.cutting import fork_store
from loom_runtime.recovery.history.epochs import read_epochs
from loom_runtime.recovery.history.files import in_use, looking
from loom_runtime.recovery.history.segments import Counts, count_rows
from loom_runtime.recovery.history.state import read_key, read_page
from loom_runtime.recovery.positions import encode_position
from loom_runtime.wire.state import encode_state
from tests.recovery.stores import Row, part, plant, prepare, record_execution

STEP = "counting_keys.count"
SOURCE = "counting_keys.source"


def store(folder: Path, epochs: int = 6) -> Path:
    """A store of three files at rest, one key an epoch written in each."""
    db_dir = folder / "store"
    prepare(db_dir)
    for index in range(3):
        plant(
            part(db_dir, index),
            [
                Row(STEP, f"k{index}", epoch, pickle.dumps(encode_state({"n": epoch}, "Count")))
                for epoch in range(1, epochs + 1)
            ],
        )
    plant(
        part(db_dir, 0),
        [
            Row(
                SOURCE,
                "keys:0",
                epoch,
                pickle.dumps(
                    encode_position(10 * epoch, at_ms=1_000 * epoch, revision="r1", epoch=epoch)
                ),
            )
            for epoch in range(1, epochs + 1)
        ],
    )
    record_execution(db_dir, 0, 1, [epochs + 1])
    return db_dir


def digest(folder: Path) -> dict[str, str]:
    """What every file of the store holds."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.is_file()
    }


def read_everything(db_dir: Path) -> tuple[list[int], list[str | None]]:
    """Epochs, and the values of a key, in the order of a screen."""
    counts = Counts()
    with looking(db_dir) as opened:
        count_rows(opened, counts)
        epochs = [each.number for each in read_epochs(opened, counts) if each.whole]
        read_page(opened, STEP, epochs[-1])
        return epochs, [row.value.text for row in read_key(opened, STEP, "k1")]


def test_a_store_at_rest_is_read_and_forked_without_a_byte_changed(tmp_path: Path) -> None:
    db_dir = store(tmp_path)
    before = digest(db_dir)
    epochs, values = read_everything(db_dir)
    assert (epochs, values) == ([*range(1, 7)], [f'{{"n":{epoch}}}' for epoch in range(1, 7)])
    fork_store(db_dir, 4, name="four")
    assert digest(db_dir) == before
    with looking(db_dir / "forks" / "four") as fork:
        assert fork.resume_epoch == 5
        assert [row.key for row in read_page(fork, STEP, 4).rows] == ["k0", "k1", "k2"]
        assert [each.number for each in read_epochs(fork, Counts())] == [1, 2, 3, 4]


def _truncated(db_dir: Path) -> None:
    path = part(db_dir, 1)
    os.truncate(path, path.stat().st_size // 2)


def _missing(db_dir: Path) -> None:
    part(db_dir, 1).unlink()


def _log_alone(db_dir: Path) -> None:
    part(db_dir, 1).rename(db_dir / "part-1.sqlite3-wal")


def _foreign_schema(db_dir: Path) -> None:
    with closing(sqlite3.connect(part(db_dir, 1))) as connection:
        connection.execute("DROP TABLE fronts")
        connection.execute("PRAGMA user_version = 4")
        connection.commit()


def _no_database(db_dir: Path) -> None:
    part(db_dir, 1).write_bytes(b"not a database, and long enough to look like one" * 100)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (_truncated, "damaged"),
        (_missing, "part-1.sqlite3 is missing"),
        (_log_alone, "part-1.sqlite3-wal is there without its main file"),
        (_foreign_schema, "schema is not that of Bytewax"),
        (_no_database, "damaged, or no SQLite file"),
    ],
)
def test_a_damaged_store_is_told_by_name_and_left_as_it_is(
    tmp_path: Path, damage: Callable[[Path], None], told: str
) -> None:
    db_dir = store(tmp_path, epochs=400)
    damage(db_dir)
    before = digest(db_dir)
    with pytest.raises(StoreError, match=told):
        read_everything(db_dir)
    with pytest.raises(StoreError):
        fork_store(db_dir, 3)
    assert digest(db_dir) == before
    assert not list(db_dir.glob("forks/*"))


class _Runs:
    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self._marker),)


def test_a_pickle_that_would_run_code_is_described_and_runs_nothing(tmp_path: Path) -> None:
    db_dir, marker = store(tmp_path), tmp_path / "it ran"
    plant(part(db_dir, 1), [Row(STEP, "k1", 6, pickle.dumps(_Runs(marker)))])
    with looking(db_dir) as opened:
        [row] = [row for row in read_page(opened, STEP, 6).rows if row.key == "k1"]
    assert row.value.readable is False
    assert "mkdir" in (row.value.text or "")
    assert str(marker) in (row.value.text or "")
    fork_store(db_dir, 6)
    assert not marker.exists()


_HOLDER = """
import sqlite3, sys
from pathlib import Path
from loom_runtime.recovery.lease import Claim, leased
folder = Path(sys.argv[1])
connection = sqlite3.connect(folder / "part-1.sqlite3", isolation_level=None)
connection.execute("PRAGMA journal_mode = WAL")
claim = Claim(db_dir=folder, cluster="", process_id=0, processes=1, timeout_s=5)
with leased(claim) as lease:
    lease.open_gate()
    connection.execute("DELETE FROM snaps WHERE snap_epoch = 6")
    connection.execute("BEGIN IMMEDIATE")
    print("held", flush=True)
    sys.stdin.readline()
    connection.execute("COMMIT")
    print("written", flush=True)
"""


def test_a_store_in_use_is_read_and_forked_beside_a_writer(tmp_path: Path) -> None:
    db_dir = store(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(db_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == "held\n"
        assert in_use(db_dir)
        before = digest(db_dir)
        with looking(db_dir) as opened:  # what stands in the log is seen
            assert [row.epoch for row in read_key(opened, STEP, "k1")] == [1, 2, 3, 4, 5]
        fork_store(db_dir, 4, name="beside")
        after = digest(db_dir)
        changed = {name for name in before if before[name] != after.get(name)}
        assert changed <= {name for name in before if name.endswith("-shm")}
        holder.stdin.write("\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == "written\n"
    assert holder.returncode == 0
    assert not in_use(db_dir)
    with looking(db_dir / "forks" / "beside") as fork:
        assert fork.resume_epoch == 5
