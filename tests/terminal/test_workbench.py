"""The real program, driven in a real terminal from its first screen to the prompt after it."""

from __future__ import annotations

import os
import re
import shlex
import signal
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from tests.bench.live.sessions import STATEFUL_FLOW
from tests.bench.processes import await_true, running
from tests.cli.commands import COMMAND
from tests.terminal.editing import edit
from tests.terminal.terminal import Terminal, descendants, need_tmux

pytestmark = pytest.mark.timeout(400)


def _shell(*arguments: str) -> list[str]:
    """The program in a shell that shows the terminal's settings before it and after it."""
    program = shlex.join([*COMMAND, *arguments])
    script = f"stty -g; {program}; echo ended with $?; stty -g; exec cat"
    return ["sh", "-c", script]


def _reads(text: str) -> bool:
    """Whether records flow: the second line tells a rate."""
    found = re.search(r"^ ([\d.k]+) records/s", text, re.MULTILINE)
    return found is not None and found[1] != "0"


def _restored(terminal: Terminal) -> bool:
    settings = [line for line in terminal.text.splitlines() if line.count(":") > 10]
    return len(settings) == 2 and settings[0] == settings[1]


def test_a_flow_is_opened_broken_mended_renamed_bereft_of_its_broker_and_left(
    tmp_path: Path,
) -> None:
    need_tmux()
    file = tmp_path / "orders.py"
    file.write_text(dedent(STATEFUL_FLOW))
    with Terminal(_shell(str(file)), tmp_path) as terminal:
        # Open: the graph, and records that flow.
        terminal.until("RUNNING", "orders │ r1 │", "Number", "balanced", _reads)

        # Break: the old revision goes on, and the error is told with its place.
        edit(file, 'return "all"', 'return "all')
        terminal.until("RUNNING", "r2 refused", _reads)
        terminal.press("8")
        terminal.until("r1 goes on running", re.compile(r"orders\.py:\d+").search, "SyntaxError")

        # Mend: what is on disk is what runs already.
        edit(file, 'return "all', 'return "all"')
        terminal.until("RUNNING", "orders │ r1 │", "nothing is wrong", "back to r1", _reads)

        # Rename a stateful step: nothing starts until it is said what becomes of its state.
        edit(file, "Number", "Counted")
        terminal.until("r3 waiting c")
        terminal.press("c")
        terminal.until("takes over the state of Number", "Start r3 so")
        terminal.press("j", "Enter")
        terminal.until("RUNNING", "orders │ r3 │", "Counted", _reads)

        # Kill the broker: it is told, and the bench stays.
        program = descendants(terminal.pid)
        brokers = [pid for pid, command in program.items() if "tansu" in command.split(" ")[0]]
        assert brokers
        for pid in brokers:
            os.kill(pid, signal.SIGKILL)
        terminal.until("FAILED", re.compile(r"x (dead|failed)").search)

        # Quit: the terminal is as it was, and nothing that was started is left.
        started = descendants(terminal.pid)
        terminal.press("q")
        terminal.until("ended with 0", lambda _: _restored(terminal))
        assert terminal.told("alternate_on") == "0"
        assert terminal.told("mouse_any_flag") == "0"
        await_true(
            lambda: not [pid for pid in started if running(pid) and _is_ours(pid, started[pid])],
            "everything that the program started is gone",
            timeout_s=30,
        )


def _is_ours(pid: int, command: str) -> bool:
    """Whether the process is still the one that had this command line: ids are used again."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ") == command
    except OSError:
        return False


def test_a_second_bench_on_the_flow_says_so_and_offers_what_can_be_done(tmp_path: Path) -> None:
    need_tmux()
    file = tmp_path / "orders.py"
    file.write_text(dedent(STATEFUL_FLOW))
    second = tmp_path / "second"
    second.mkdir()
    with Terminal(_shell(str(file)), tmp_path) as first:
        first.until("RUNNING", _reads)
        pid = next(pid for pid, line in descendants(first.pid).items() if "main()" in line)
        # On a broker that both would share, it asks.
        with Terminal(_shell(str(file), "--broker", "127.0.0.1:1"), second) as terminal:
            second_bench = f"open in another bench, too: process {pid}"
            terminal.until(second_bench, "Which (b, l, a, q) [q]:")
            terminal.press("Enter")
            terminal.until("ended with 1")
        # On its own it goes on; so does the one that was there.
        with Terminal(_shell(str(file), "--broker", "127.0.0.1:1"), second) as terminal:
            terminal.until("Which (b, l, a, q) [q]:")
            terminal.press("b", "Enter")
            terminal.until(f"process {pid} since")
            terminal.until("RUNNING", "embedded", _reads)
            terminal.press("Q")
            terminal.until("ended with 0")
        first.until("RUNNING", _reads)
        first.press("Q")
        first.until("ended with 0")


_FAULT = """
from loom_bench.tui import status

def fails(offsets):
    raise RuntimeError("a fault put in by a test [/b]")

status._lag = fails
from loom_bench.cli import main
main()
"""


def test_a_fault_of_the_bench_leaves_the_terminal_as_it_was_and_a_report(tmp_path: Path) -> None:
    need_tmux()
    file = tmp_path / "orders.py"
    file.write_text(dedent(STATEFUL_FLOW))
    program = shlex.join([sys.executable, "-c", _FAULT, str(file)])
    script = f"stty -g; {program}; echo ended with $?; stty -g; exec cat"
    with Terminal(["sh", "-c", script], tmp_path, TMPDIR=str(tmp_path)) as terminal:
        text = terminal.until("ended with 70", lambda _: _restored(terminal))
        assert "loom-bench failed, and it is not your flow's fault: RuntimeError" in text
        assert "Traceback" not in text
        (report,) = tmp_path.glob("loom-bench-*.log")
        assert report.name in text.replace("\n", "")
        assert report.stat().st_mode & 0o077 == 0
        assert "in fails" in report.read_text()
        assert terminal.told("alternate_on") == "0"
        await_true(
            lambda: not [line for line in descendants(terminal.pid).values() if "loom" in line],
            "everything that the program started is gone",
            timeout_s=30,
        )


def test_a_terminal_that_is_closed_takes_everything_with_it(tmp_path: Path) -> None:
    need_tmux()
    file = tmp_path / "orders.py"
    file.write_text(dedent(STATEFUL_FLOW))
    with Terminal(_shell(str(file)), tmp_path) as terminal:
        terminal.until("RUNNING", _reads)
        started = descendants(terminal.pid)
        assert len(started) > 3
    await_true(
        lambda: not [pid for pid in started if running(pid) and _is_ours(pid, started[pid])],
        "everything that the program started is gone",
        timeout_s=60,
    )
