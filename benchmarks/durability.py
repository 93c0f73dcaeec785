"""``python -m benchmarks.durability``: what survives SIGKILL, and what a drain repeats.

A stateful flow and a stateless one over 200,000 records, on one process and on two. Each is
interrupted at 25 random moments and started again each time: once with SIGKILL, once with a drain.
Every output row is compared with an oracle (:mod:`benchmarks.movements`).
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from benchmarks.broker import open_broker
from benchmarks.child import RunFailedError
from benchmarks.report import Bar, Figure, Report, progress
from benchmarks.trial import BATCH_RECORDS, EPOCH_INTERVAL_MS, Findings, Trial, run_trial
from loom_bench.broker.contract import BrokerError

_CHILDREN: Final = {
    "loom": "benchmarks.contestants.durable_loom",
    "bytewax": "benchmarks.contestants.durable_bytewax",
}


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    trials: Sequence[Trial]
    seed: int
    broker: str | None


def parse_options(arguments: Sequence[str] | None = None) -> Options:
    """Read the command line; ``--help`` explains it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.durability", description=__doc__)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--interruptions", type=int, default=25)
    parser.add_argument("--flow", choices=("stateful", "stateless"), help="default: both")
    parser.add_argument("--interrupt", choices=("kill", "drain"), help="default: both")
    parser.add_argument("--processes", type=int, choices=(1, 2), help="default: one, then two")
    parser.add_argument("--seed", type=int, help="of the random moments; default: a new one")
    parser.add_argument("--child", choices=tuple(_CHILDREN), default="loom")
    parser.add_argument("--broker", metavar="HOST:PORT", help="instead of an embedded one")
    found = parser.parse_args(arguments)
    seed = random.randrange(1_000_000) if found.seed is None else found.seed
    trials = [
        Trial(
            module=_CHILDREN[found.child],
            stateful=flow == "stateful",
            interruption=interruption,
            processes=processes,
            records=found.records,
            interruptions=found.interruptions,
            seed=seed,
        )
        for processes in (1, 2)
        for interruption in ("kill", "drain")
        for flow in ("stateless", "stateful")
        if found.processes in {None, processes}
        and found.interrupt in {None, interruption}
        and found.flow in {None, flow}
    ]
    return Options(trials, seed, found.broker)


def figures_of(findings: Findings) -> Figure:
    """The figures of one trial. The stretch after the last interruption counts as its own."""
    check = findings.check
    after_each = check.repeated[1:]
    return {
        "lost": check.lost,
        "wrong_rows": check.wrong,
        "wrong_final_state": check.wrong_final,
        "repeated": sum(check.repeated),
        "repeated_per_interruption": _middle_and_most(after_each),
        "interrupted_epoch_read": _middle_and_most(findings.epochs),
        "interruptions_at_work": findings.at_work,
        "failed_drains": findings.failed_drains,
        "fetched_again": findings.fetched_again,
        "examples": check.examples,
        "seconds": round(findings.seconds, 1),
    }


def _middle_and_most(counts: Sequence[int]) -> Figure:
    return {"median": median(counts), "max": max(counts)} if counts else None


def bars_of(trial: Trial, findings: Findings) -> list[Bar]:
    """What the issue asks of one trial."""
    check = findings.check
    bars = [
        Bar(f"{trial.name}: lost", check.lost, "==", 0),
        Bar(f"{trial.name}: wrong final state", check.wrong_final, "==", 0),
        Bar(f"{trial.name}: wrong rows", check.wrong, "==", 0),
    ]
    if trial.interruption == "drain":
        bars.append(Bar(f"{trial.name}: repeated", sum(check.repeated), "==", 0))
        bars.append(Bar(f"{trial.name}: failed drains", findings.failed_drains, "==", 0))
        return bars
    bars.append(
        Bar(
            f"{trial.name}: kills that repeated more than the killed epoch had read",
            findings.excess,
            "==",
            0,
        )
    )
    return bars


def main() -> int:
    """Run the benchmark; 0 when it was measured, whether or not the bars are met."""
    options = parse_options()
    report = Report("durability")
    report.figures["setting"] = {
        "records": options.trials[0].records if options.trials else 0,
        "interruptions": options.trials[0].interruptions if options.trials else 0,
        "epoch_interval_ms": EPOCH_INTERVAL_MS,
        "batch_records": BATCH_RECORDS,
        "seed": options.seed,
        "broker": "given" if options.broker else "embedded",
    }
    try:
        with open_broker(options.broker) as broker:
            for trial in options.trials:
                findings = run_trial(trial, broker)
                report.figures[trial.name] = figures_of(findings)
                report.bars.extend(bars_of(trial, findings))
                progress(
                    f"{trial.name}: lost {findings.check.lost}, "
                    f"wrong final {findings.check.wrong_final}, "
                    f"repeated {sum(findings.check.repeated)}, {findings.seconds:.0f} s"
                )
    except (RunFailedError, BrokerError) as error:
        progress(f"failed: {error}")
        return 1
    report.emit()
    return 0


if __name__ == "__main__":
    sys.exit(main())
