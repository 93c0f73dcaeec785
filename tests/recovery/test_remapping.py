"""State of a renamed step goes to its successor, other state is dropped; and a crash in between."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from bytewax.recovery import init_db_dir

from loom_runtime import CollectBatch, ForEach, Message, RecordStep
from loom_runtime.engine_control import RunControl
from loom_runtime.ledger import LedgerReport
from loom_runtime.recovery.contents import read_values
from loom_runtime.recovery.errors import StoreBusyError, StoreDamagedError, StoreMismatchError
from loom_runtime.recovery.identity import identity_of
from loom_runtime.recovery.positions import read_positions
from loom_runtime.recovery.remapping import (
    REMAPPING_FILE,
    Remapping,
    finish_remapping,
    remap_store,
)
from loom_runtime.recovery.store import prepare_store
from tests.compiler.samples import plan_of
from tests.compiler.typed_flow import Priced
from tests.recovery.stores import part, rows_of
from tests.recovery.test_engine_store import (
    CountAgain,
    counting_plan,
    run,
    run_messages,
)

RENAMED = Remapping(renamed={"CountRegions": "CountAgain"})
"""What makes the store of one plan that of the other."""


class Passing(RecordStep[Priced, Priced]):
    def execute(self, message: Message[Priced]) -> Priced:
        return message.payload


def test_state_of_a_renamed_step_goes_on_under_its_new_name(tmp_path: Path) -> None:
    run(counting_plan(), tmp_path, "aab")
    plan = counting_plan(CountAgain)
    remap_store(tmp_path, identity_of(plan), RENAMED)
    assert run(plan, tmp_path, "aab" + "ab") == [("a", 3.0), ("b", 2.0)]
    assert read_values(tmp_path, "CountRegions") == {}


def test_dropped_state_starts_empty_and_positions_stay(tmp_path: Path) -> None:
    run(counting_plan(), tmp_path, "aab")
    plan = counting_plan(CountAgain)
    remap_store(tmp_path, identity_of(plan), Remapping(emptied=("CountRegions",)))
    assert read_positions(tmp_path)["in:0"].offset == 3
    assert run(plan, tmp_path, "aab" + "ab") == [("a", 1.0), ("b", 1.0)]


def test_a_remapping_that_was_interrupted_is_finished_before_the_next_run(tmp_path: Path) -> None:
    run(counting_plan(), tmp_path, "aab")
    plan = counting_plan(CountAgain)
    with closing(sqlite3.connect(part(tmp_path, 2))) as blocker:
        blocker.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusyError):
            remap_store(tmp_path, identity_of(plan), RENAMED)
    assert (tmp_path / REMAPPING_FILE).exists()
    assert run(plan, tmp_path, "aab" + "ab") == [("a", 3.0), ("b", 2.0)]
    assert not (tmp_path / REMAPPING_FILE).exists()


def test_finishing_twice_does_nothing(tmp_path: Path) -> None:
    run(counting_plan(), tmp_path, "aab")
    remap_store(tmp_path, identity_of(counting_plan(CountAgain)), RENAMED)
    rows = [rows_of(part(tmp_path, index)) for index in range(3)]
    assert not finish_remapping(tmp_path)
    assert [rows_of(part(tmp_path, index)) for index in range(3)] == rows


@pytest.mark.parametrize(
    ("remapping", "problem"),
    [
        (Remapping(), "state of step 'CountRegions' is in the store"),
        (Remapping(renamed={"CountRegions": "Nothing"}), "the flow has no step 'Nothing'"),
        (Remapping(renamed={"Nothing": "CountAgain"}), "the store has no state of 'Nothing'"),
        (Remapping(emptied=("Nothing",)), "the store has no state of 'Nothing'"),
        (
            Remapping(renamed={"CountRegions": "collect_batch"}),
            "the store has state of 'collect_batch' already",
        ),
        (
            Remapping(renamed={"CountRegions": "CountAgain"}, emptied=("CountAgain",)),
            "the store has no state of 'CountAgain'",
        ),
    ],
)
def test_what_would_lose_or_mix_state_is_refused(
    tmp_path: Path, remapping: Remapping, problem: str
) -> None:
    run(counting_plan(), tmp_path, "ab")
    with pytest.raises(StoreMismatchError, match=problem):
        remap_store(tmp_path, identity_of(counting_plan(CountAgain)), remapping)
    assert not (tmp_path / REMAPPING_FILE).exists()
    assert run(counting_plan(), tmp_path, "abab") == [("a", 2.0), ("b", 2.0)]


def test_records_that_a_dropped_batch_held_are_filtered_in_the_ledger(tmp_path: Path) -> None:
    holding = plan_of(CollectBatch(max_records=100, timeout_ms=60_000), ForEach())
    assert run_messages(holding, tmp_path, "abc", RunControl(), drains=True) == []
    plain = plan_of(Passing)
    remap_store(tmp_path, identity_of(plain), Remapping(emptied=("collect_batch",)))
    control = RunControl(until_idle_ms=0)
    reports: list[LedgerReport] = []
    written = run_messages(plain, tmp_path, "abcd", control, on_report=reports.append)
    assert [message.payload.region for message in written] == ["d"]
    (row,) = reports[-1].partitions
    assert (row.consumed, row.filtered, row.written, row.held) == (4, 3, 1, 0)
    assert row.balanced


def test_a_store_in_use_is_left_alone(tmp_path: Path) -> None:
    run(counting_plan(), tmp_path, "ab")
    plan = counting_plan()
    used = prepare_store(tmp_path, identity_of(plan), partitions=3, initialise=init_db_dir)
    with used, pytest.raises(StoreBusyError):
        remap_store(tmp_path, identity_of(counting_plan(CountAgain)), RENAMED)
    assert run(plan, tmp_path, "abab") == [("a", 2.0), ("b", 2.0)]


def test_a_journal_that_makes_no_sense_is_told(tmp_path: Path) -> None:
    run(counting_plan(), tmp_path, "ab")
    (tmp_path / REMAPPING_FILE).write_bytes(b"{")
    with pytest.raises(StoreDamagedError, match="what was begun with the store"):
        run(counting_plan(), tmp_path, "abab")
