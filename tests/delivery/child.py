"""Runs one of the flows as a process: ``python -m tests.delivery.child JOB``.

A line on standard input is a command to the run. Standard output gets one JSON line an epoch, and
one at the end.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

import msgspec

from loom_runtime import StreamingRunner
from loom_runtime.ledger import LedgerReport
from tests.delivery.flows import FLOWS


class Job(msgspec.Struct, kw_only=True):
    """What a child does.

    Attributes:
        flow: Name of the flow.
        config: Its configuration.
        until_idle_ms: When to finish by itself; ``None`` for never.
    """

    flow: str
    config: dict[str, Any]
    until_idle_ms: int | None = None


class Told(msgspec.Struct, kw_only=True):
    """One line of a child.

    Attributes:
        event: ``epoch`` or ``end``.
        report: The ledger.
        error: Name of the error's class that ended the run.
        text: Its text.
    """

    event: str
    report: LedgerReport | None = None
    error: str = ""
    text: str = ""


def tell(told: Told) -> None:
    """Write a line at once."""
    os.write(1, msgspec.json.encode(told) + b"\n")


def run(job: Job) -> int:
    """Run the flow; the result is the exit code."""
    runner = StreamingRunner.from_dict(FLOWS[job.flow](), job.config)
    runner.control.until_idle_ms = job.until_idle_ms
    runner.on_report(lambda report: tell(Told(event="epoch", report=report)))

    def listen() -> None:
        for line in sys.stdin:
            getattr(runner.control, line.strip())()

    threading.Thread(target=listen, daemon=True).start()
    try:
        runner.run()
    except Exception as error:  # noqa: BLE001 - the parent judges
        tell(Told(event="end", error=type(error).__name__, text=str(error)))
        return 1
    tell(Told(event="end", report=runner.last_report()))
    return 0


if __name__ == "__main__":
    sys.exit(run(msgspec.json.decode(sys.argv[1], type=Job)))
