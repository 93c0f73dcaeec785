"""What a killed process had read past its last recorded epoch can be told after its death."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from benchmarks.headway import Headway, unrecorded
from benchmarks.movements import OutputCheck, Row, expected_rows
from benchmarks.trial import Findings

_WORK = """
import os, signal, sys
from pathlib import Path
from benchmarks.headway import Headway

headway = Headway(Path(sys.argv[1]))
for offset in range(10):
    headway.handled(0, offset)
headway.recorded(0, 7)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_positions_survive_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "headway"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    died = subprocess.run(
        [sys.executable, "-c", _WORK, str(path)], env=environment, timeout=30, check=False
    )
    assert died.returncode == -signal.SIGKILL
    headway = Headway(path)
    assert headway.positions()[0] == (10, 7)
    assert unrecorded([headway]) == 3


def test_a_restart_that_gets_less_far_forgets_nothing(tmp_path: Path) -> None:
    path = tmp_path / "headway"
    Headway(path).handled(1, 99)
    later = Headway(path)
    later.handled(1, 9)
    later.recorded(1, 60)
    assert unrecorded([later]) == 40


def test_processes_are_taken_together(tmp_path: Path) -> None:
    first, second = Headway(tmp_path / "0"), Headway(tmp_path / "1")
    first.handled(0, 49)
    second.handled(0, 29)
    second.recorded(0, 45)
    second.handled(3, 4)
    assert unrecorded([first, second]) == 5 + 5


def test_an_interruption_may_repeat_what_its_epoch_read_and_no_more() -> None:
    rows = expected_rows(False, 10)
    check = OutputCheck(rows)
    findings = Findings(check, epochs=[3, 2])
    _show(check, rows[:5])
    check.interrupted()
    _show(check, rows[2:8])
    check.interrupted()
    _show(check, rows[6:])
    assert check.repeated == [0, 3, 2]
    assert findings.excess == 0
    findings.epochs[0] = 2
    assert findings.excess == 1


def test_without_telling_nothing_is_known() -> None:
    assert Findings(OutputCheck(expected_rows(False, 10))).excess is None


def _show(check: OutputCheck, rows: list[Row]) -> None:
    for row in rows:
        check.visit(row)
