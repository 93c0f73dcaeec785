"""What may be said to a running flow: pause, resume, limits, idleness."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from loom_runtime.engine_control import RunControl, StopMode
from tests.delivery.checks import assert_balanced, ids
from tests.delivery.flows import batches, items, plain, windows
from tests.delivery.places import Place
from tests.delivery.running import run_to_end, running


def prepare(place: Place, count: int, partitions: int = 1) -> None:
    """Make the topics and fill the source."""
    source = place.topic("items", partitions=partitions)
    place.topic("out", partitions=partitions)
    place.topic("errors")
    place.topics.produce(source, items(count, partitions=partitions))


def test_a_paused_flow_writes_and_commits_what_it_has_read_and_reads_no_more(
    embedded: Place,
) -> None:
    prepare(embedded, 100)
    with running(plain(), embedded.config()) as run:
        run.reports.wait_for_consumed(100)
        run.control.pause()
        assert run.control.paused
        embedded.topics.produce(embedded.names["items"], items(50, start=100))
        paused = run.last.epoch
        report = run.reports.wait_for(lambda report: report.epoch > paused + 5, "epochs go on")
        assert report.total("consumed") == 100
        assert embedded.committed() == {0: 100}
        run.control.resume()
        run.reports.wait_for_consumed(150)
        run.drain()
    assert ids(embedded) == list(range(150))


def test_a_paused_flow_can_be_drained(embedded: Place) -> None:
    prepare(embedded, 100)
    with running(plain(), embedded.config()) as run:
        run.control.pause()
        end = run.drain()
    assert end.balanced
    assert end.total("written") == end.total("consumed")


def test_a_paused_flow_is_not_idle(embedded: Place) -> None:
    prepare(embedded, 10)
    with running(plain(), embedded.config(), until_idle_ms=150) as run:
        run.control.pause()
        time.sleep(0.4)  # longer than the idleness that ends it
        assert run.control.stop is None
        run.control.resume()
        run.wait()
    assert ids(embedded) == list(range(10))


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("limit", [1, 137, 400])
def test_max_records_is_exact_across_partitions_and_workers(
    embedded: Place, limit: int, workers: int
) -> None:
    prepare(embedded, 400, partitions=3)
    config = embedded.config(workers_per_process=workers, consumer={"batch_size": 7})
    with running(plain(), config, max_records=limit) as run:
        end = run.wait()
    assert end.total("consumed") == limit
    assert len(ids(embedded)) == limit
    assert_balanced(run.reports.all())
    # The rest is still there.
    run_to_end(plain(), config)
    assert sorted(ids(embedded)) == list(range(400))


def test_what_a_partition_may_read_and_did_not_is_no_reason_to_finish() -> None:
    control = RunControl(max_records=50)
    control.expect("a:0")
    control.expect("a:1")
    assert control.grant(50) == 50
    assert control.grant(50) == 0
    control.note_read("a:1", granted=0, read=0, at_end=True)
    control.note_read("a:0", granted=50, read=20, at_end=False)
    assert control.stop is None
    assert control.grant(50) == 30
    control.note_read("a:1", granted=30, read=30, at_end=False)
    assert control.stop is StopMode.FINISH


def test_until_idle_waits_for_every_partition_and_hands_on_what_is_held(embedded: Place) -> None:
    prepare(embedded, 101, partitions=3)
    run = run_to_end(batches(), embedded.config())
    assert run.last.total("held") == 0
    assert sorted(ids(embedded)) == list(range(101))
    assert embedded.committed() == embedded.ends("items")


def test_idleness_counts_from_the_end_of_reading_not_from_the_start(embedded: Place) -> None:
    prepare(embedded, 0)
    with running(plain(), embedded.config(), until_idle_ms=600) as run:
        run.reports.wait_for(lambda report: report.partitions[0].position == 0, "it has begun")
        for start in range(0, 50, 10):
            time.sleep(0.2)
            embedded.topics.produce(embedded.names["items"], items(10, start=start))
        run.wait()
    assert ids(embedded) == list(range(50))


def test_the_first_of_drain_and_finish_counts(embedded: Place, tmp_path: Path) -> None:
    prepare(embedded, 20)
    with running(windows(), embedded.config(store=tmp_path / "store")) as run:
        run.reports.wait_for_consumed(20)
        run.control.drain()
        run.control.finish()
        end = run.wait()
    assert end.total("held") == 20


def test_a_topic_without_records_ends_at_once_when_idle(embedded: Place) -> None:
    prepare(embedded, 0, partitions=2)
    run = run_to_end(plain(), embedded.config())
    assert run.last.total("consumed") == 0
    assert run.last.balanced


def test_more_workers_than_partitions(embedded: Place) -> None:
    prepare(embedded, 50)
    run = run_to_end(batches(), embedded.config(workers_per_process=3))
    assert run.last.total("written") == 50
    assert embedded.committed() == {0: 50}


def test_every_epoch_is_reported_though_idle_partitions_sleep_over_it(embedded: Place) -> None:
    """Epochs shorter than an idle partition's sleep."""
    prepare(embedded, 10, partitions=3)
    config = embedded.config(epoch_interval_ms=5)
    with running(plain(), config) as run:
        run.reports.wait_for_consumed(10)
        first = run.reports.all()[-1].epoch
        run.reports.wait_for(lambda report: report.epoch > first + 50, "reports go on")
        run.drain()
