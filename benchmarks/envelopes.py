"""The inbox under a flood: a million envelopes arriving, searched, looked at.

``python -m benchmarks.envelopes`` opens the bench on a pseudo-terminal and writes a million
envelopes from another process while its inbox reads them. It prints what memory the bench took,
how long a key took to its painted frame, and how long a search took from each key that was typed
to the frame that tells what matches: while envelopes come, and when all are there. Then it mends a
flow with ten thousand open envelopes while that works at full speed, and prints how fast they were
proved and what the flow made meanwhile. The last line is JSON.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.broker import open_broker
from benchmarks.child import RunFailedError
from benchmarks.inbox_flood import GROUPS, QUIET, Watched, watch_flood, write_flood
from benchmarks.report import Bar, Report, progress, spread
from benchmarks.reproving import BACKLOG, Proof, ProofFailedError, reprove
from loom_bench.broker.contract import BrokerError

ENVELOPES: Final = 1_000_000
PROVED: Final = 10_000

FLOW_LIMIT: Final = 0.8
FRAME_LIMIT_MS: Final = 100.0
SEARCH_LIMIT_MS: Final = 200.0
GROWTH_LIMIT: Final = 0.05
MEMORY_LIMIT_MB: Final = 300.0
"""What the flood may take beyond what the bench had before: the inbox's own bound is 64 MB of
envelopes, the rest is the client's fetch buffers and what Python needs for it all."""


def p99(values: Sequence[float]) -> float:
    """The 99th percentile."""
    return sorted(values)[min(len(values) - 1, len(values) * 99 // 100)]


def growth(memory: Sequence[tuple[int, int]], count: int) -> float:
    """By what share memory grew over the last half of the flood."""
    last = [taken for seen, taken in memory if seen >= count / 2]
    return median(last[-3:]) / median(last[:3]) - 1 if last else 0.0


def report_of(found: Watched, count: int) -> Report:
    """Figures and bars."""
    report = Report("envelopes")
    held = found.held
    if held is None or not found.moves_ms or not found.searches_ms:
        raise RunFailedError("the flood was over before anything was looked at: take more")
    peak = max(taken for _, taken in found.memory_bytes)
    grown_mb = (peak - found.before_bytes) / 1e6
    report.figures["flood"] = {
        "envelopes": count + QUIET,
        "seconds": round(found.seconds, 1),
        "envelopes_per_s": round((count + QUIET) / found.seconds),
        "memory_before_mb": round(found.before_bytes / 1e6, 1),
        "memory_peak_mb": round(peak / 1e6, 1),
        "kept": held.kept,
        "counted_only": held.counted,
        "groups": held.groups,
        "key_to_frame_ms": spread(found.moves_ms, 1),
        "key_to_frame_p99_ms": round(p99(found.moves_ms), 1),
        "search_ms": spread(found.searches_ms, 1),
        "search_p99_ms": round(p99(found.searches_ms), 1),
        "search_at_rest_ms": spread(found.searches_at_rest_ms, 1),
        "making_a_value_ms": spread(held.made_in_ms, 2),
        "terminal": "160x45",
        "cpus": os.cpu_count(),
    }
    lost = abs(count + QUIET - held.seen) + abs(held.seen - held.kept - held.counted)
    searches_ms = max(p99(found.searches_ms), *found.searches_at_rest_ms)
    report.bars += [
        Bar("envelopes lost or miscounted", lost, "==", 0),
        Bar("groups", held.groups, "==", GROUPS + 1),
        Bar("memory taken by the flood, MB", grown_mb, "<=", MEMORY_LIMIT_MB),
        Bar(
            "growth of memory over its last half",
            growth(found.memory_bytes, count),
            "<=",
            GROWTH_LIMIT,
        ),
        Bar(
            "key to painted frame of the inbox, p99, ms", p99(found.moves_ms), "<=", FRAME_LIMIT_MS
        ),
        Bar("search to its painted frame, ms", searches_ms, "<=", SEARCH_LIMIT_MS),
    ]
    return report


def add_proof(report: Report, proof: Proof) -> None:
    """Figures and bars of the proof."""
    report.figures["proof"] = {
        "envelopes": proof.envelopes,
        "passed": proof.passed,
        "seconds": round(proof.proof_s, 1),
        "envelopes_per_s": round(proof.envelopes / proof.proof_s),
        "flow_before_per_s": round(proof.base_per_s),
        "flow_meanwhile_per_s": round(proof.meanwhile_per_s),
    }
    ratio = proof.meanwhile_per_s / proof.base_per_s
    report.bars += [
        Bar("envelopes not proved", proof.envelopes - proof.passed, "==", 0),
        Bar("the flow while envelopes are proved, by before", ratio, ">=", FLOW_LIMIT),
    ]


def main() -> int:
    """Run the benchmark; 0 when it was measured, whether or not the bars are met."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.envelopes", description=__doc__)
    parser.add_argument("--broker", metavar="HOST:PORT", help="instead of embedded ones")
    parser.add_argument("--envelopes", type=int, default=ENVELOPES, metavar="N")
    parser.add_argument("--proved", type=int, default=PROVED, metavar="N")
    parser.add_argument("--backlog", type=int, default=BACKLOG, metavar="N")
    parser.add_argument("--write", metavar="TOPIC", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write is not None:
        write_flood(options.broker, options.write, options.envelopes)
        return 0
    try:
        with open_broker(options.broker) as broker, TemporaryDirectory() as folder:
            found = watch_flood(broker, Path(folder), options.envelopes)
            report = report_of(found, options.envelopes)
        with open_broker(options.broker) as broker, TemporaryDirectory() as folder:
            add_proof(report, reprove(broker, Path(folder), options.proved, options.backlog))
    except (RunFailedError, ProofFailedError, BrokerError) as error:
        progress(f"failed: {error}")
        return 1
    report.emit()
    return 0


if __name__ == "__main__":
    sys.exit(main())
