"""A fork of any whole epoch, run to the end, ends as the oracle: threads, processes, files, kills.

The original's bytes stay as they are.
"""

from __future__ import annotations

import hashlib
import random
import socket
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from loom_runtime.recovery.history.cutting import fork_store
from loom_runtime.recovery.history.epochs import Epoch, read_epochs
from loom_runtime.recovery.history.files import looking
from loom_runtime.recovery.history.segments import Counts
from loom_runtime.recovery.history.state import read_all
from loom_runtime.recovery.pickled import read_pickled
from tests.recovery.counting import Job, expected_counts, key_at
from tests.recovery.processes import counting, finish, start_counting

pytestmark = pytest.mark.timeout(400)

RECORDS = 60


def jobs(job: Job, processes: int) -> list[Job]:
    """The processes of one run."""
    if processes == 1:
        return [job]
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(processes)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        addresses = tuple(f"127.0.0.1:{each.getsockname()[1]}" for each in sockets)
    return [
        msgspec.structs.replace(job, addresses=addresses, process_id=index)
        for index in range(processes)
    ]


def run_killed(job: Job, processes: int, after_lines: int) -> None:
    """Run, and kill every process when the first has written so many lines."""
    with counting(*jobs(job, processes)) as running:
        assert running[0].stdout is not None
        for _ in range(after_lines):
            if not running[0].stdout.readline():
                return


def run_to_end(job: Job, processes: int) -> dict[str, int]:
    """Run to the end; return the newest count of each key that was written."""
    counts: dict[str, int] = {}
    for each in [start_counting(one) for one in jobs(job, processes)]:
        done = finish(each)
        assert done.exit_code == 0, done.errors
        counts |= done.counts
    return counts


def state_at(db_dir: Path, epoch: int) -> dict[str, int]:
    """Every key's count at the end of an epoch."""
    with looking(db_dir) as store:
        return {
            key: int(read_pickled(blob) or b"0")
            for key, blob in read_all(store, "counting_keys.count", epoch)
        }


def oracle_at(epoch: Epoch) -> dict[str, int]:
    """What plain Python counts up to where the sources stood."""
    counts: dict[str, int] = {}
    for partition, upto in epoch.positions.items():
        for offset in range(upto):
            key = f"{partition.rpartition(':')[2]}/{key_at(offset)}"
            counts[key] = counts.get(key, 0) + 1
    return counts


def digest(db_dir: Path) -> dict[str, str]:
    """What the files of a store hold."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(db_dir.glob("*.sqlite3*"))
    }


@pytest.mark.parametrize(
    ("workers", "processes", "files", "partitions", "kills"),
    [(1, 1, 1, 1, 1), (2, 1, 2, 2, 1), (3, 1, 3, 3, 0), (1, 2, 3, 2, 0)],
)
def test_a_fork_of_any_epoch_ends_as_the_oracle(
    tmp_path: Path, workers: int, processes: int, files: int, partitions: int, kills: int
) -> None:
    dice = random.Random(f"{workers}{processes}{files}{partitions}{kills}")
    db_dir = tmp_path / "store"
    job = Job(
        db_dir=str(db_dir),
        records=RECORDS,
        partitions=partitions,
        pause_s=0.001,
        workers=workers,
        files=files,
    )
    for _ in range(kills):
        run_killed(job, processes, dice.randint(5, RECORDS // 2))
    run_to_end(job, processes)
    before = digest(db_dir)
    with looking(db_dir) as store:
        whole = [each for each in read_epochs(store, Counts()) if each.whole]
    assert state_at(db_dir, whole[-1].number) == expected_counts(job)

    for turn, epoch in enumerate(dice.sample(whole, 2)):
        assert state_at(db_dir, epoch.number) == oracle_at(epoch)
        fork = fork_store(db_dir, epoch.number)
        folder = db_dir / "forks" / fork.name
        replayed = msgspec.structs.replace(
            job, db_dir=str(folder), pause_s=0.0, workers=1 + (workers + turn) % 3
        )
        written = run_to_end(replayed, 1)
        expected = expected_counts(job)
        assert written == {key: expected[key] for key in written}
        touched = {
            f"{partition.rpartition(':')[2]}/{key_at(offset)}"
            for partition, upto in epoch.positions.items()
            for offset in range(upto, RECORDS)
        }
        assert written.keys() >= touched
        with looking(folder) as store:
            last = store.resume_epoch - 1
        assert state_at(folder, last) == expected
    assert digest(db_dir) == before
