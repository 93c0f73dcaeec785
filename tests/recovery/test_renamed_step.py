"""Why a renamed step is refused: plain Bytewax resumes without its state, and exits with 0."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from bytewax.recovery import init_db_dir

from loom_runtime.recovery.errors import StoreMismatchError
from loom_runtime.recovery.history.cutting import fork_store
from loom_runtime.recovery.history.files import looking
from loom_runtime.recovery.identity import identity_of
from loom_runtime.recovery.remapping import remap_store
from tests.recovery.test_engine_store import CountAgain, counting_plan, run
from tests.recovery.test_remapping import RENAMED

_PLAIN = """
import sys
from datetime import timedelta
import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig
from bytewax.run import cli_main
from bytewax.testing import TestingSink, TestingSource

out = []
flow = Dataflow("plain")
keys = [("a", 1), ("a", 1), TestingSource.EOF(), ("a", 1)]
stream = op.input("in", flow, TestingSource(keys))
counts = op.stateful_map(sys.argv[2], stream, lambda count, _: ((count or 0) + 1,) * 2)
op.output("out", counts, TestingSink(out))
cli_main(flow, epoch_interval=timedelta(0), recovery_config=RecoveryConfig(sys.argv[1]))
print([count for _, count in out])
"""


def plain(folder: Path, step: str) -> tuple[int, str]:
    """Run the flow of plain Bytewax with its step under this name; exit code and counts."""
    done = subprocess.run(
        [sys.executable, "-c", _PLAIN, str(folder), step],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ},
    )
    return done.returncode, done.stdout.strip()


def test_plain_bytewax_loses_the_state_of_a_renamed_step_and_says_nothing(tmp_path: Path) -> None:
    for name in ("kept", "renamed"):
        (tmp_path / name).mkdir()
        init_db_dir(tmp_path / name, 1)  # type: ignore[no-untyped-call]
        assert plain(tmp_path / name, "count") == (0, "[1, 2]")
    assert plain(tmp_path / "kept", "count") == (0, "[3]")
    assert plain(tmp_path / "renamed", "tally") == (0, "[1]")


def test_ours_refuses_and_a_mapped_fork_goes_on_with_the_state(tmp_path: Path) -> None:
    run(counting_plan(), tmp_path, "aab")
    renamed = counting_plan(CountAgain)
    with pytest.raises(StoreMismatchError, match="'CountAgain' looks like it under a new name"):
        run(renamed, tmp_path, "aab" + "a")
    with looking(tmp_path) as store:
        last = store.resume_epoch - 1
    fork_store(tmp_path, last, name="mapped")
    folder = tmp_path / "forks" / "mapped"
    remap_store(folder, identity_of(renamed), RENAMED)
    assert run(renamed, folder, "aab" + "ab") == [("a", 3.0), ("b", 2.0)]
    assert run(counting_plan(), tmp_path, "aab" + "ab") == [("a", 3.0), ("b", 2.0)]
