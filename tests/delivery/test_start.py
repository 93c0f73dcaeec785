"""Where reading begins: snapshot, else committed offset, else the reset policy; never in silence
at an offset that the log does not have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from loom_bench.broker.mock import MockBroker
from loom_runtime.failures import PositionLostError
from tests.delivery.checks import ids, rows
from tests.delivery.flows import items, plain, tally
from tests.delivery.places import Place
from tests.delivery.running import run_to_end, running


def prepare(place: Place, count: int = 100) -> None:
    """Make the topics and fill the source."""
    source = place.topic("items")
    place.topic("out")
    place.topic("errors")
    place.topics.produce(source, items(count))


def more(place: Place, start: int, count: int) -> None:
    place.topics.produce(place.names["items"], items(count, start=start))


def warnings(logs: list[Any]) -> list[dict[str, Any]]:
    return [entry for entry in logs if entry["log_level"] == "warning"]


def test_without_snapshot_and_commit_earliest_begins_at_the_beginning(place: Place) -> None:
    prepare(place)
    run_to_end(plain(), place.config(consumer={"auto_offset_reset": "earliest"}))
    assert ids(place) == list(range(100))


def test_without_snapshot_and_commit_latest_begins_at_the_end(place: Place) -> None:
    prepare(place)
    with running(plain(), place.config(consumer={"auto_offset_reset": "latest"})) as run:
        run.reports.wait_for(lambda report: report.partitions[0].position == 100, "it has begun")
        more(place, 100, 5)
        run.reports.wait_for_consumed(5)
        run.drain()
    assert ids(place) == list(range(100, 105))


@pytest.mark.parametrize("policy", ["earliest", "latest"])
def test_the_committed_offset_wins_over_the_policy(place: Place, policy: str) -> None:
    prepare(place)
    place.commit({0: 60})
    run_to_end(plain(), place.config(consumer={"auto_offset_reset": policy}))
    assert ids(place) == list(range(60, 100))
    assert place.committed() == {0: 100}


def test_a_replay_from_a_snapshot_never_rewinds_the_committed_offset(
    place: Place, tmp_path: Path
) -> None:
    prepare(place)
    config = place.config(store=tmp_path / "store", consumer={"batch_size": 5})
    with running(tally(), config, max_records=40) as run:
        run.wait()
    place.commit({0: 80})
    with capture_logs() as logs, running(tally(), config, until_idle_ms=100) as run:
        run.wait()
    committed = [report.partitions[0].committed for report in run.reports.all()]
    assert all(offset is not None and offset >= 80 for offset in committed)
    assert place.committed() == {0: 100}
    # Replayed from the snapshot: no record is missing, and none is counted twice.
    assert sorted(row.id for row in rows(place)) == list(range(100))
    (warning,) = warnings(logs)
    assert warning["records"] == 40
    assert (warning["snapshot_offset"], warning["committed"]) == (40, 80)
    assert (warning["topic"], warning["partition"]) == (place.names["items"], 0)


def test_a_snapshot_ahead_of_the_committed_offset_wins(place: Place, tmp_path: Path) -> None:
    prepare(place)
    config = place.config(store=tmp_path / "store")
    with running(tally(), config, max_records=40) as run:
        run.wait()
    place.commit({0: 10})
    with capture_logs() as logs:
        run_to_end(tally(), config)
    assert sorted(row.id for row in rows(place)) == list(range(100))
    assert warnings(logs) == []
    assert place.committed() == {0: 100}


@pytest.mark.parametrize("left", [0, 7], ids=["empty", "shorter"])
def test_a_snapshot_beyond_the_end_of_the_log_is_refused(
    place: Place, tmp_path: Path, left: int
) -> None:
    prepare(place)
    config = place.config(store=tmp_path / "store")
    run_to_end(tally(), config)
    place.recreate("items")
    more(place, 0, left)
    with pytest.raises(PositionLostError) as raised:
        run_to_end(tally(), config)
    error = raised.value
    assert f"offset 100 of {place.names['items']}[0]" in error.what
    assert f"ends at {left}" in error.what
    assert "recovery.db_dir" in error.where
    assert "delete the recovery store" in error.what_next


@pytest.mark.parametrize("policy", ["earliest", "latest"])
def test_a_committed_offset_beyond_the_end_of_the_log_counts_for_nothing(
    place: Place, policy: str
) -> None:
    prepare(place, 7)
    place.commit({0: 100})
    config = place.config(consumer={"auto_offset_reset": policy})
    with capture_logs() as logs, running(plain(), config) as run:
        run.reports.wait_for(lambda report: report.partitions[0].position == 7, "it is at the end")
        more(place, 7, 3)
        run.reports.wait_for(lambda report: report.partitions[0].committed == 10, "it commits")
        run.drain()
    assert ids(place) == list(range(10) if policy == "earliest" else range(7, 10))
    assert place.committed() == {0: 10}
    (warning,) = warnings(logs)
    assert "beyond the end of the log" in warning["event"]
    assert (warning["committed"], warning["log_ends"]) == (100, 7)


def test_positions_within_the_last_batch_are_no_cause_for_alarm(
    place: Place, tmp_path: Path
) -> None:
    """The embedded broker lists the beginning of the last batch as the log's end."""
    prepare(place, 1_000)
    config = place.config(store=tmp_path / "store", consumer={"batch_size": 5})
    for limit in (400, 599, 1):
        with capture_logs() as logs, running(tally(), config, max_records=limit) as run:
            run.wait()
        assert warnings(logs) == []
    assert sorted(row.id for row in rows(place)) == list(range(1_000))
    run = run_to_end(tally(), config)
    assert len(rows(place)) == 1_000
    assert run.last.total("consumed") == 1_000


def test_a_committed_offset_before_the_beginning_of_the_log_is_told(
    faulty: tuple[Place, MockBroker],
) -> None:
    place, broker = faulty
    prepare(place)
    place.commit({0: 10})
    broker.delete_records(place.names["items"], 0, 50)
    with capture_logs() as logs:
        run_to_end(plain(), place.config())
    low = min(ids(place))
    assert low > 10
    (warning,) = warnings(logs)
    assert (warning["committed"], warning["log_begins"]) == (10, low)
    assert place.committed() == {0: 100}


def test_a_snapshot_before_the_beginning_of_the_log_is_told(
    faulty: tuple[Place, MockBroker], tmp_path: Path
) -> None:
    place, broker = faulty
    prepare(place)
    # Latest would skip the whole log in silence.
    config = place.config(
        store=tmp_path / "store", consumer={"auto_offset_reset": "latest", "batch_size": 5}
    )
    place.commit({0: 0})
    with running(tally(), config, max_records=10) as run:
        run.wait()
    broker.delete_records(place.names["items"], 0, 50)
    with capture_logs() as logs:
        run_to_end(tally(), config)
    (warning,) = warnings(logs)
    assert warning["snapshot_offset"] == 10
    kept = [*range(10), *range(warning["log_begins"], 100)]
    assert sorted(row.id for row in rows(place)) == kept
    assert place.committed() == {0: 100}
