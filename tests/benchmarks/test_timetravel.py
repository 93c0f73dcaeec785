"""The time travel benchmark measures what it says, on a store that is small."""

from pathlib import Path

from benchmarks.timetravel import measure
from benchmarks.timetravel_store import build_store


def test_a_small_store_is_measured(tmp_path: Path) -> None:
    build_store(tmp_path / "store", keys=550, epochs=10)
    report = measure(tmp_path / "store", keys=550, epochs=10)
    assert report.figures["keys"] == 550
    assert [bar.value is not None for bar in report.bars] == [True] * 5 + [False]
    assert not list((tmp_path / "store" / "forks").iterdir())
