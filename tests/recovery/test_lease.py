"""One run at a time, however many processes it has: with real processes."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from loom_runtime.recovery.errors import StoreBusyError
from loom_runtime.recovery.store import StoreReport
from tests.recovery.occupant import Order
from tests.recovery.processes import Occupants, answer_of, leave
from tests.recovery.stores import part, plant, prepare, row

ADDRESSES = ("127.0.0.1:4001", "127.0.0.1:4002", "127.0.0.1:4003", "127.0.0.1:4004")
JOINED = StoreReport(created=False, prepared=False)


@pytest.fixture
def occupants() -> Iterator[Occupants]:
    """Processes, ended after the test."""
    made = Occupants()
    yield made
    made.close()


def member(db_dir: Path, process_id: int, **more: object) -> Order:
    """Return the order of one process of the cluster."""
    order = Order(db_dir=str(db_dir), addresses=ADDRESSES, process_id=process_id)
    for name, value in more.items():
        setattr(order, name, value)
    return order


def test_a_second_run_is_refused_and_names_the_first(tmp_path: Path, occupants: Occupants) -> None:
    first, answer = occupants.enter(Order(db_dir=str(tmp_path / "store")))
    assert answer.report is not None
    assert answer.report.created
    _, refused = occupants.enter(Order(db_dir=str(tmp_path / "store")))
    assert refused.error == "StoreBusyError"
    assert f"process {first.pid}\n" in refused.text
    assert leave(first) == 0
    _, third = occupants.enter(Order(db_dir=str(tmp_path / "store")))
    assert third.report is not None


def test_a_second_run_in_the_same_process_is_refused(tmp_path: Path, occupants: Occupants) -> None:
    occupants.enter(Order(db_dir=str(tmp_path)))
    with pytest.raises(StoreBusyError):
        prepare(tmp_path)


def test_a_killed_run_leaves_no_lock(tmp_path: Path, occupants: Occupants) -> None:
    first, _ = occupants.enter(Order(db_dir=str(tmp_path)))
    first.kill()
    first.wait()
    assert prepare(tmp_path).prepared


def test_a_child_that_outlives_its_run_is_named(tmp_path: Path, occupants: Occupants) -> None:
    first, answer = occupants.enter(Order(db_dir=str(tmp_path), forks=True))
    first.wait(timeout=10)
    assert answer.child is not None
    try:
        with pytest.raises(StoreBusyError, match="one that it forked lives on"):
            prepare(tmp_path)
    finally:
        os.kill(answer.child, signal.SIGKILL)


def test_processes_of_a_cluster_that_start_at_once_share_the_store(
    tmp_path: Path, occupants: Occupants
) -> None:
    creations = tmp_path / "creations"
    db_dir = tmp_path / "store"
    started = [
        occupants.start(member(db_dir, index, creations=str(creations))) for index in range(4)
    ]
    reports = [answer_of(process).report for process in started]
    assert creations.read_text() == "created\n"
    assert sorted(report.prepared for report in reports if report) == [False, False, False, True]
    assert all(leave(process) == 0 for process in started)


def test_rows_of_the_future_go_once_before_any_process_runs(
    tmp_path: Path, occupants: Occupants
) -> None:
    prepare(tmp_path)
    plant(part(tmp_path, 2), [row("a", 4)])
    _, first = occupants.enter(member(tmp_path, 2))
    _, second = occupants.enter(member(tmp_path, 0))
    assert first.report is not None
    assert first.report.removed_rows == 1
    assert second.report == JOINED


def test_another_cluster_is_refused(tmp_path: Path, occupants: Occupants) -> None:
    occupants.enter(member(tmp_path, 0))
    other = member(tmp_path, 1, addresses=(*ADDRESSES[:3], "127.0.0.1:9999"))
    _, refused = occupants.enter(other)
    assert refused.error == "StoreBusyError"


def test_a_process_with_other_code_does_not_join(tmp_path: Path, occupants: Occupants) -> None:
    occupants.enter(member(tmp_path, 0))
    _, refused = occupants.enter(member(tmp_path, 1, flow="another"))
    assert refused.error == "StoreMismatchError"
    assert "another revision of the flow" in refused.text


def test_a_process_that_failed_before_the_cluster_was_whole_may_come_again(
    tmp_path: Path, occupants: Occupants
) -> None:
    occupants.enter(member(tmp_path, 0))
    second, _ = occupants.enter(member(tmp_path, 1))
    second.kill()
    second.wait()
    _, again = occupants.enter(member(tmp_path, 1))
    assert again.report == JOINED


def test_a_process_does_not_rejoin_a_cluster_that_has_run(
    tmp_path: Path, occupants: Occupants
) -> None:
    entered = [occupants.enter(member(tmp_path, index))[0] for index in range(4)]
    entered[3].kill()
    entered[3].wait()
    _, refused = occupants.enter(member(tmp_path, 3, wait_s=0.3))
    assert refused.error == "StoreBusyError"
    assert "this cluster's last run" in refused.text
    assert str(entered[0].pid) in refused.text
    assert "a cluster resumes as a whole" in refused.text


def test_a_restarted_cluster_waits_for_what_is_left_of_the_last_run(
    tmp_path: Path, occupants: Occupants
) -> None:
    entered = [occupants.enter(member(tmp_path, index))[0] for index in range(4)]
    for process in entered[1:]:
        assert leave(process) == 0
    plant(part(tmp_path, 1), [row("a", 9)])
    again = occupants.start(member(tmp_path, 1, wait_s=30.0))
    assert leave(entered[0]) == 0
    report = answer_of(again).report
    assert report is not None
    assert report.prepared
    assert report.removed_rows == 1


def test_a_process_that_dies_while_it_creates_the_store_is_followed_by_another(
    tmp_path: Path, occupants: Occupants
) -> None:
    dying = occupants.start(member(tmp_path, 0, dies_creating=True))
    dying.wait(timeout=30)
    assert dying.returncode == -signal.SIGKILL
    assert [path.name for path in tmp_path.glob("*.sqlite3")] == ["part-0.sqlite3"]
    _, next_one = occupants.enter(member(tmp_path, 1))
    assert next_one.report is not None
    assert next_one.report.created
    assert len(list(tmp_path.glob("*.sqlite3"))) == 3


def test_a_full_disk_is_told_and_the_next_start_begins_anew(
    tmp_path: Path, occupants: Occupants
) -> None:
    _, refused = occupants.enter(Order(db_dir=str(tmp_path), largest_file_bytes=6_000))
    assert refused.error == "StoreUnreachableError"
    assert "what to do: check the space on the disk" in refused.text
    assert prepare(tmp_path).created
