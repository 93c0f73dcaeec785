"""Rows that a crash leaves behind: what Bytewax makes of them, and that preparing removes them."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loom_runtime.recovery.positions import read_positions
from loom_runtime.recovery.store import StoreReport
from tests.recovery.counting import Job, expected_counts, key_at
from tests.recovery.processes import count, counting
from tests.recovery.stores import (
    COUNT_STEP,
    Row,
    part,
    plant,
    prepare,
    record_execution,
    row,
    rows_of,
)

RECORDS = 60


def interrupted_store(db_dir: Path) -> Job:
    """Leave a store as a crash does: rows of an epoch that no frontier tells of.

    The run read 20 records; what it wrote of two keys for the next epochs is there, its progress
    isn't.
    """
    job = Job(db_dir=str(db_dir), records=RECORDS, stop_at=20)
    prepare(db_dir)
    assert count(job).exit_code == 0
    resume_epoch = prepare(db_dir).resume_epoch
    assert resume_epoch is not None
    assert read_positions(db_dir)["keys:0"].offset == 20
    for index in range(3):
        owned = {each.key for each in rows_of(part(db_dir, index)) if each.step_id == _COUNT_ID}
        plant(
            part(db_dir, index),
            [row(key, resume_epoch, b"5000") for key in owned & {"0/k0", "0/k1"}],
        )
    return job


_COUNT_ID = f"counting_keys.{COUNT_STEP}"


def resumed(job: Job, *, guarded: bool) -> dict[str, int]:
    """Resume twice, the first time for a few epochs, and return the final counts."""
    counts: dict[str, int] = {}
    for stop_at in (24, None):
        run = count(msgspec.structs.replace(job, stop_at=stop_at, guarded=guarded))
        assert run.exit_code == 0, run.errors
        counts |= run.counts
    return counts


def test_bytewax_alone_resumes_with_rows_of_the_future_and_says_nothing(tmp_path: Path) -> None:
    job = interrupted_store(tmp_path / "store")
    counts = resumed(job, guarded=False)
    assert counts["0/k0"] > 5000
    assert counts["0/k1"] > 5000


def test_a_prepared_store_resumes_right(tmp_path: Path) -> None:
    job = interrupted_store(tmp_path / "store")
    assert resumed(job, guarded=True) == {
        key: total
        for key, total in expected_counts(job).items()
        if key in {f"0/{key_at(offset)}" for offset in range(20, RECORDS)}
    }


def test_the_report_says_how_many_rows_went(tmp_path: Path) -> None:
    interrupted_store(tmp_path / "store")
    assert prepare(tmp_path / "store").removed_rows == 2
    assert prepare(tmp_path / "store").removed_rows == 0


def test_counts_are_right_after_kills_at_any_moment(tmp_path: Path) -> None:
    job = Job(db_dir=str(tmp_path / "store"), records=300, pause_s=0.002, partitions=2)
    for kill in range(6):
        with counting(job) as (process,):
            assert process.stdout is not None
            for _ in range(10 + 17 * kill):
                process.stdout.readline()
    final = count(job)
    assert final.exit_code == 0, final.errors
    expected = expected_counts(job)
    assert final.counts == {key: expected[key] for key in final.counts}
    assert read_positions(tmp_path / "store")["keys:1"].offset == 300


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that was never run."""
    db_dir = tmp_path_factory.mktemp("empty") / "store"
    prepare(db_dir)
    return db_dir


_ROWS = st.sets(
    st.builds(
        row,
        st.sampled_from(["a", "b", "c", "d"]),
        st.integers(1, 30),
        st.sampled_from([b"", b"x" * 300, None]),
        st.sampled_from([COUNT_STEP, "source", "sink"]),
    ),
    max_size=40,
)


@given(
    rows=st.tuples(_ROWS, _ROWS, _ROWS),
    executions=st.lists(
        st.tuples(st.integers(1, 30), st.lists(st.integers(1, 30), min_size=1, max_size=4)),
        max_size=3,
    ),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_exactly_the_rows_before_the_resume_epoch_stay(
    tmp_path: Path,
    empty_store: Path,
    rows: tuple[set[Row], set[Row], set[Row]],
    executions: list[tuple[int, list[int]]],
) -> None:
    db_dir = tmp_path / "store"
    shutil.rmtree(db_dir, ignore_errors=True)
    shutil.copytree(empty_store, db_dir)
    for index, of_part in enumerate(rows):
        plant(part(db_dir, index), of_part)
    for number, (began, frontiers) in enumerate(executions):
        record_execution(db_dir, number, began, frontiers)
    epoch = 1
    if executions:
        began, frontiers = executions[-1]
        epoch = min(max(began, frontier) for frontier in frontiers)
    before = [rows_of(part(db_dir, index)) for index in range(3)]

    report = prepare(db_dir)

    kept = [{each for each in of_part if each.epoch < epoch} for of_part in before]
    assert [rows_of(part(db_dir, index)) for index in range(3)] == kept
    assert report == StoreReport(
        created=False,
        resume_epoch=epoch,
        removed_rows=sum(map(len, before)) - sum(map(len, kept)),
    )
