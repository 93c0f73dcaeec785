"""Runs the ``loom-bench`` command in a process of its own, as a shell would."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

COMMAND = [sys.executable, "-c", "from loom_bench.cli import main; main()"]


class Done(NamedTuple):
    """How a command ended.

    Attributes:
        code: Exit code.
        out: Standard output.
        err: Standard error.
    """

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Its JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]


def environment(**changes: str) -> dict[str, str]:
    """The environment in which a command finds the packages under test."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **changes}


def start(*arguments: str | Path, cwd: Path | None = None) -> "subprocess.Popen[str]":
    """Start the command."""
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        cwd=cwd,
        env=environment(),
    )


def run(*arguments: str | Path, cwd: Path | None = None) -> Done:
    """Run the command to its end."""
    with start(*arguments, cwd=cwd) as process:
        out, err = process.communicate(timeout=60)
    return Done(process.returncode, out, err)
