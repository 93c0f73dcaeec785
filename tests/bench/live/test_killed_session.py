"""When the bench is killed, nothing that it started lives on, and the next one cleans up."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.bench.live.sessions import STATEFUL_FLOW, Live
from tests.bench.processes import await_true, running
from tests.cli.commands import environment

SESSION = """
import sys, time
from loom_bench.session.live.session import LiveSession

session = LiveSession.open(sys.argv[1], feed_rate_per_s=500)
while "Number" not in session.value().nodes:
    time.sleep(0.01)
print("reading", flush=True)
time.sleep(60)
"""


def descendants(pid: int) -> set[int]:
    """Every process that *pid* has started, and those that these have."""
    found: set[int] = set()
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, listing.read_text().split()):
            found |= {child} | descendants(child)
    return found


def test_nothing_outlives_a_session_that_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "temporary"
    kept.mkdir()
    path = tmp_path / "orders.py"
    path.write_text(STATEFUL_FLOW)
    with subprocess.Popen(
        [sys.executable, "-c", SESSION, str(path)],
        stdout=subprocess.PIPE,
        env=environment(TMPDIR=str(kept)),
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"reading\n"
        started = descendants(process.pid)
        assert len(started) >= 3
        process.kill()
    await_true(lambda: not any(map(running, started)), "every process is gone")
    (left,) = kept.glob("loom-bench-state-*")

    monkeypatch.setattr(tempfile, "tempdir", str(kept))
    with Live(tmp_path, STATEFUL_FLOW, feed_rate_per_s=500) as live:
        live.until_reading("Number")
        assert not left.exists()
        assert len([*kept.glob("loom-bench-state-*")]) == 1
    assert [*kept.iterdir()] == []
