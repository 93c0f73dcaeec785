"""``python -m benchmarks.bisect``: the first bad record among a million.

A flow keeps the balances of a thousand accounts; one record, at a random place, brings out a bug
of it. The flow has run over the records and has left its store. The bug is looked for twice: by
what the state must be, which snapshots answer down to an epoch, and by what outputs must be, for
which every look takes a replay. Told is what was found and what it took.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.broker import open_broker
from benchmarks.child import RunFailedError
from benchmarks.report import Bar, Report, progress
from benchmarks.travelled_run import filled_ground, run_plainly
from loom_bench.broker.contract import BrokerError
from loom_bench.session.snapshots.bisecting import Bisecter
from loom_bench.session.snapshots.bisection_value import Bisection, BisectRequest
from loom_bench.session.snapshots.replay_run import ReplayFailedError

RUNS_LIMIT: Final = 30

PREDICATES: Final = {
    "state": "all(each['total'] > -10**6 for each in state.get('Book', {}).values())",
    "outputs": "all(each['value']['total'] > -10**6 for each in outputs)",
}


class _Id(msgspec.Struct):
    id: int


def measure(
    folder: Path,
    broker: str,
    *,
    records: int,
    large_id: int,
    predicates: Mapping[str, str] = PREDICATES,
) -> Report:
    """Return what a search by each of *predicates* found."""
    report = Report("bisect", {"records": records, "planted": large_id})
    progress(f"writing {records:,} records, the bad one is {large_id:,}")
    ground = filled_ground(folder, broker, records=records, large_id=large_id)
    progress("running the flow over them")
    report.figures["plain_run_s"] = round(run_plainly(ground, ground.store, records=records), 2)
    for name, expression in predicates.items():
        progress(f"looking by {name}")
        began_s = time.perf_counter()
        found = Bisecter(ground, BisectRequest(expression=expression), _told).run()
        took_s = time.perf_counter() - began_s
        report.figures |= {
            f"{name}_runs": found.runs,
            f"{name}_looks": len(found.probes),
            f"{name}_s": round(took_s, 1),
        }
        report.bars += [
            Bar(f"bad record by {name}, found", float(_is_found(found, large_id)), "==", 1),
            Bar(f"bad record by {name}, runs", found.runs, "<=", RUNS_LIMIT),
        ]
    return report


def _is_found(bisection: Bisection, large_id: int) -> bool:
    found = bisection.found
    return found is not None and msgspec.json.decode(found.record, type=_Id).id == large_id


def _told(bisection: Bisection) -> None:
    if bisection.probes and bisection.records_left is not None:
        progress(
            f"  {len(bisection.probes)} looks, {bisection.runs} runs, "
            f"{bisection.records_left:,} records left"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; 0 when it was measured, whether or not the bars are met."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bisect", description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--planted", type=int, help="which is bad; default: any")
    parser.add_argument("--broker", metavar="HOST:PORT", help="instead of an embedded one")
    found = parser.parse_args(arguments)
    planted = found.planted
    if planted is None:
        planted = random.randrange(found.records // 100, found.records)
    try:
        with (
            open_broker(found.broker) as broker,
            tempfile.TemporaryDirectory(prefix="loom-bisect-") as folder,
        ):
            report = measure(Path(folder), broker, records=found.records, large_id=planted)
    except (RunFailedError, ReplayFailedError, BrokerError) as error:
        progress(f"failed: {error}")
        return 1
    report.emit()
    return 0


if __name__ == "__main__":
    sys.exit(main())
