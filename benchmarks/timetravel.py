"""``python -m benchmarks.timetravel``: reading and forking a store of a million keys; replaying.

The store is made as a run would have left it: 200 epochs, about a gigabyte in eight files. What a
screen asks for is timed in this process, whose memory is the bench's; counting what each epoch
wrote goes on beside it and is timed apart. A fork is compared with copying the files.

A replay is compared with a plain run of the same flow over the same records, by turns, each from
its first record to its last: medians. Record by record is timed too, over a short stretch.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Final, TypeVar

from benchmarks.broker import open_broker
from benchmarks.child import ROOT
from benchmarks.report import Bar, Report, progress, spread
from benchmarks.timetravel_store import STEP, key_name
from benchmarks.travelled_run import filled_ground, replay_again, run_plainly
from loom_bench.session.snapshots.reading import StoreReader
from loom_bench.session.snapshots.value import StateQuery
from loom_runtime.recovery.history.cutting import fork_store
from loom_runtime.recovery.history.forks import remove_fork

ResultT = TypeVar("ResultT")

_LOOKS: Final = 5
_BY_RECORD: Final = 2_000
"""Records that are replayed one an epoch."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Build stores, measure, print the report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.timetravel", description=__doc__)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--records", type=int, default=500_000, help="that are replayed")
    parser.add_argument("--turns", type=int, default=3, help="of replays and plain runs")
    found = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="loom-timetravel-") as folder:
        store = Path(folder) / "large"
        progress(f"making a store of {found.keys:,} keys and {found.epochs} epochs")
        command = [sys.executable, "-m", "benchmarks.timetravel_store", str(store)]
        subprocess.run([*command, str(found.keys), str(found.epochs)], check=True, cwd=ROOT)
        report = measure(store, keys=found.keys, epochs=found.epochs)
        shutil.rmtree(store)
        with open_broker(None) as broker:
            race(report, Path(folder), broker, records=found.records, turns=found.turns)
    report.emit()


def measure(store: Path, *, keys: int, epochs: int) -> Report:
    """Return what was found of a store."""
    report = Report("timetravel")
    reader, middle = StoreReader(store), epochs // 2
    query = StateQuery(epoch=middle, step_id=STEP, after=key_name(keys // 2))
    progress("reading")
    timeline_s = timed(reader.timeline)
    page_s = timed(lambda: reader.page(query))
    key_s = timed(lambda: reader.key(STEP, key_name(keys // 3)))
    began_s = time.perf_counter()
    reader.count()
    counting_s = time.perf_counter() - began_s
    changed = StateQuery(epoch=middle, step_id=STEP, changed_only=True)
    changed_s = timed(lambda: reader.page(changed))
    counted_s = timed(reader.timeline)
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000
    progress("forking")
    copy_s, fork_s = forked(store, middle)
    report.figures = {
        "store_bytes": sum(path.stat().st_size for path in store.iterdir() if path.is_file()),
        "keys": keys,
        "epochs": epochs,
        "timeline_ms": round(timeline_s * 1000, 1),
        "timeline_counted_ms": round(counted_s * 1000, 1),
        "counting_s": round(counting_s, 2),
        "page_ms": round(page_s * 1000, 1),
        "changes_page_ms": round(changed_s * 1000, 1),
        "key_ms": round(key_s * 1000, 1),
        "memory_mb": round(memory_mb, 1),
        "copy_s": round(copy_s, 2),
        "fork_s": round(fork_s, 2),
    }
    report.bars = [
        Bar("timeline, s", max(timeline_s, counted_s), "<=", 1.0),
        Bar("history of a key, ms", key_s * 1000, "<=", 50),
        Bar("page of the state, ms", page_s * 1000, "<=", 200),
        Bar("memory of the bench, MB", memory_mb, "<=", 300),
        Bar("fork against copying the files, times as fast", copy_s / fork_s, ">=", 0.5),
    ]
    return report


def race(report: Report, folder: Path, broker: str, *, records: int, turns: int) -> None:
    """Add to *report* how fast replays are, and plain runs of the same flow."""
    progress(f"writing {records:,} records")
    ground = filled_ground(folder, broker, records=records)
    plain, replayed = [], []
    for turn in range(turns):
        progress(f"turn {turn + 1} of {turns}")
        store = ground.store if turn == 0 else folder / f"store-{turn}"
        plain.append(records / run_plainly(ground, store, records=records))
        replayed.append(replay_again(ground))
    by_record = replay_again(ground, records=min(records // 2, _BY_RECORD), record_by_record=True)
    report.figures |= {
        "plain_records_per_s": spread(plain),
        "replayed_records_per_s": spread(replayed),
        "record_by_record_per_s": round(by_record),
    }
    ratio = median(replayed) / median(plain)
    report.bars.append(Bar("replay against a plain run, times as fast", ratio, ">=", 0.9))


def timed(look: Callable[[], ResultT]) -> float:
    """Return the longest of several looks, seconds."""
    times = []
    for _ in range(_LOOKS):
        began_s = time.perf_counter()
        look()
        times.append(time.perf_counter() - began_s)
    return max(times)


def forked(store: Path, epoch: int) -> tuple[float, float]:
    """Return how long copying the files and how long a fork took, medians, by turns."""
    copies, forks = [], []
    target = store.parent / "copy"
    for _ in range(3):
        began_s = time.perf_counter()
        target.mkdir()
        for path in store.glob("*.sqlite3"):
            shutil.copyfile(path, target / path.name)
        copies.append(time.perf_counter() - began_s)
        shutil.rmtree(target)
        began_s = time.perf_counter()
        record = fork_store(store, epoch)
        forks.append(time.perf_counter() - began_s)
        remove_fork(store, record.name)
    return median(copies), median(forks)


if __name__ == "__main__":
    main()
