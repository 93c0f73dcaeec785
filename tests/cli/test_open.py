"""Opening a flow that another bench has open."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from loom_bench.safe import safe
from loom_bench.session.claim import Claim, OpenBench, open_benches, told_of_others
from tests.cli.commands import environment


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def test_a_claim_is_seen_until_it_is_released(tmp_path: Path) -> None:
    flow = str(tmp_path / "orders.py")
    assert open_benches(flow) == ()
    claim = Claim(flow, "kafka:9092")
    (seen,) = open_benches(flow)
    assert (seen.pid, seen.broker) == (os.getpid(), "kafka:9092")
    assert not open_benches(str(tmp_path / "refunds.py"))
    assert not open_benches(flow + ":other")
    claim.release()
    assert open_benches(flow) == ()
    assert not list(tmp_path.iterdir())


def test_one_flow_is_one_flow_however_it_is_named(tmp_path: Path) -> None:
    flow = tmp_path / "orders.py"
    flow.touch()
    (tmp_path / "linked.py").symlink_to(flow)
    claim = Claim(str(flow), "embedded")
    assert open_benches(str(tmp_path / "linked.py"))
    assert open_benches(os.path.relpath(flow))
    claim.release()


def test_nobody_else_may_read_what_is_claimed(tmp_path: Path) -> None:
    claim = Claim(str(tmp_path / "orders.py"), "embedded")
    paths = [path for path in tmp_path.rglob("*") if "loom-bench-open" in str(path)]
    assert len(paths) == 2
    assert not [path for path in paths if path.stat().st_mode & 0o077]
    claim.release()


def test_the_claim_of_a_bench_that_was_killed_is_void(tmp_path: Path) -> None:
    flow = str(tmp_path / "orders.py")
    script = (
        "import os, signal, sys\n"
        "from loom_bench.session.claim import Claim, open_benches\n"
        f"claim = Claim({flow!r}, 'embedded')\n"
        f"print(len(open_benches({flow!r})), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment(TMPDIR=str(tmp_path)),
        stdout=subprocess.PIPE,
        check=False,
    )
    assert done.stdout == b"1\n"
    assert open_benches(str(tmp_path / "refunds.py")) == ()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"{", b'{"pid": "x"}', b"\xff" * 20_000])
def test_what_is_no_claim_is_passed_over(content: bytes, tmp_path: Path) -> None:
    flow = str(tmp_path / "orders.py")
    claim = Claim(flow, "embedded")
    (file,) = tmp_path.rglob("*.open")
    file.write_bytes(content)
    assert open_benches(flow) == ()
    claim.release()


def test_others_are_told_of_in_one_sentence() -> None:
    bench = OpenBench(pid=4711, since_ms=0, broker="k\x1b[2J:9092")
    told = safe(told_of_others([bench, bench]))
    assert "process 4711" in told
    assert "\x1b" not in told
    assert "and 1 more" in told
    assert told_of_others([]) == ""
    assert json.dumps(told)
