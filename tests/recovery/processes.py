"""Runs modules of the tests as processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tests.recovery.counting import Job
from tests.recovery.occupant import Answer, Order

_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Finished:
    """A run that has ended.

    Attributes:
        exit_code: Its exit code.
        counts: The newest count of each key that it wrote.
        errors: Its standard error.
    """

    exit_code: int
    counts: dict[str, int]
    errors: str


def start(module: str, *arguments: str) -> subprocess.Popen[str]:
    """Start ``python -m module arguments``."""
    folders = [_ROOT / "runtime", _ROOT / "workbench", _ROOT]
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))},
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def start_counting(job: Job) -> subprocess.Popen[str]:
    """Start the counting flow."""
    return start("tests.recovery.counting", msgspec.json.encode(job).decode())


def finish(process: subprocess.Popen[str]) -> Finished:
    """Wait until a counting flow has ended."""
    try:
        out, errors = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    counts = dict(json.loads(line) for line in out.splitlines() if line.startswith("["))
    return Finished(process.returncode, counts, errors)


@contextmanager
def counting(*jobs: Job) -> Iterator[list[subprocess.Popen[str]]]:
    """Run counting flows; what is left of them afterwards is killed."""
    processes = [start_counting(job) for job in jobs]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def count(job: Job) -> Finished:
    """Run the counting flow to its end."""
    return finish(start_counting(job))


class Occupants:
    """Processes that prepare a store and keep it; all ended by :meth:`close`."""

    def __init__(self) -> None:
        self._running: list[subprocess.Popen[str]] = []

    def start(self, order: Order) -> subprocess.Popen[str]:
        """Start one."""
        process = start("tests.recovery.occupant", msgspec.json.encode(order).decode())
        self._running.append(process)
        return process

    def enter(self, order: Order) -> tuple[subprocess.Popen[str], Answer]:
        """Start one and wait for what it was told."""
        process = self.start(order)
        return process, answer_of(process)

    def close(self) -> None:
        """End those that are left."""
        for process in self._running:
            process.kill()
            process.communicate()


def answer_of(process: subprocess.Popen[str]) -> Answer:
    """Wait for what an occupant was told."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("ANSWER "):
            return msgspec.json.decode(line.removeprefix("ANSWER "), type=Answer)
    raise AssertionError(f"no answer; {process.stderr.read() if process.stderr else ''}")


def leave(process: subprocess.Popen[str]) -> int:
    """Let an occupant go and return its exit code."""
    process.communicate(timeout=30)
    return process.returncode
