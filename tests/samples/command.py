"""Runs the installed ``loom-bench`` command and reads what it prints."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
COMMAND = Path(sys.executable).with_name("loom-bench")


def loom_bench(*arguments: str, timeout_s: float = 100) -> subprocess.CompletedProcess[str]:
    """Run the command in the repository's folder; what comes of it is not judged."""
    return subprocess.run(
        [COMMAND, *arguments],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def run_json(*arguments: str) -> list[dict[str, Any]]:
    """Run ``loom-bench run ARGUMENTS --json`` to a good end; the lines that it printed, parsed."""
    answer = loom_bench("run", *arguments, "--json")
    assert answer.returncode == 0, answer.stdout[-2000:] + answer.stderr
    return [json.loads(line) for line in answer.stdout.splitlines()]
