"""The resume epoch that we compute is the one that Bytewax resumes from."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import bytewax.operators as op
import pytest
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig
from bytewax.run import cli_main
from bytewax.testing import TestingSink, TestingSource
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loom_runtime.recovery.errors import StoreDamagedError
from tests.recovery.stores import part, prepare, run_sql


def resume_with_bytewax(db_dir: Path) -> int:
    """Run an empty flow and return the epoch that Bytewax resumed it from."""
    flow = Dataflow("empty")
    numbers = op.input("source", flow, TestingSource[int]([]))
    op.output("out", numbers, TestingSink([]))
    recovery = RecoveryConfig(db_dir, timedelta(days=1))  # type: ignore[no-untyped-call]
    cli_main(flow, recovery_config=recovery)  # type: ignore[no-untyped-call]
    newest: list[tuple[int, int]] = []
    for index in range(3):
        with closing(sqlite3.connect(part(db_dir, index))) as connection:
            newest += connection.execute("SELECT ex_num, resume_epoch FROM exs").fetchall()
    return max(newest)[1]


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that was never run."""
    db_dir = tmp_path_factory.mktemp("empty") / "store"
    prepare(db_dir)
    return db_dir


_EPOCHS = st.integers(1, 12)
_EXECUTIONS = st.lists(
    st.tuples(_EPOCHS, st.integers(1, 4), st.dictionaries(st.integers(0, 3), _EPOCHS, max_size=4)),
    max_size=4,
)


@given(executions=_EXECUTIONS, places=st.lists(st.integers(0, 2), min_size=40, max_size=40))
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_it_is_bytewaxs(
    tmp_path: Path,
    empty_store: Path,
    executions: list[tuple[int, int, dict[int, int]]],
    places: list[int],
) -> None:
    db_dir = tmp_path / "store"
    shutil.rmtree(db_dir, ignore_errors=True)
    shutil.copytree(empty_store, db_dir)
    chosen = iter(places)
    for number, (began, workers, frontiers) in enumerate(executions):
        run_sql(
            part(db_dir, next(chosen)),
            "INSERT INTO exs VALUES ('', ?, ?, ?)",
            [(number, workers, began)],
        )
        for worker, frontier in frontiers.items():
            if worker < workers:
                run_sql(
                    part(db_dir, next(chosen)),
                    "INSERT INTO fronts VALUES ('', ?, ?, ?)",
                    [(number, worker, frontier)],
                )
    computed = prepare(db_dir).resume_epoch
    assert resume_with_bytewax(db_dir) == computed


def test_files_of_different_times_are_refused_as_bytewax_refuses_them(
    tmp_path: Path, empty_store: Path
) -> None:
    db_dir = tmp_path / "store"
    shutil.copytree(empty_store, db_dir)
    run_sql(part(db_dir, 0), "INSERT INTO exs VALUES ('', 0, 1, 5)")
    run_sql(part(db_dir, 2), "INSERT INTO commits VALUES ('', 2, 9)")
    with pytest.raises(StoreDamagedError, match=r"part-2.*different times"):
        prepare(db_dir)
    with pytest.raises(Exception, match="too old to resume from epoch 5"):
        resume_with_bytewax(db_dir)
