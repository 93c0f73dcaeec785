"""The time travel benchmarks measure what they say, on stores that are small."""

from pathlib import Path

from benchmarks import bisect
from benchmarks.timetravel import measure, race
from benchmarks.timetravel_store import build_store
from loom_bench.broker.embedded import EmbeddedBroker


def test_a_small_store_is_measured(tmp_path: Path) -> None:
    build_store(tmp_path / "store", keys=550, epochs=10)
    report = measure(tmp_path / "store", keys=550, epochs=10)
    assert report.figures["keys"] == 550
    assert all(bar.value is not None for bar in report.bars)
    assert not list((tmp_path / "store" / "forks").iterdir())


def test_replays_are_raced_and_a_planted_record_is_found(tmp_path: Path) -> None:
    with EmbeddedBroker.start() as broker:
        by_state = {"state": bisect.PREDICATES["state"]}
        report = bisect.measure(
            tmp_path, broker.bootstrap, records=20_000, large_id=16_666, predicates=by_state
        )
        assert [bar.met for bar in report.bars] == [True] * 2
    with EmbeddedBroker.start() as broker:
        folder = tmp_path / "race"
        folder.mkdir()
        race(report, folder, broker.bootstrap, records=30_000, turns=1)
    assert report.bars[-1].value is not None
    assert report.figures["record_by_record_per_s"]
