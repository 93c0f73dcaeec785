"""The real command, killed at random moments under load: nothing of it is left."""

import random
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from benchmarks.terminal import Terminal
from tests.bench.live.sessions import STATEFUL_FLOW
from tests.bench.orphans import adopting_orphans, still_running
from tests.bench.processes import await_true
from tests.bench.runs import children
from tests.cli.commands import COMMAND, environment

KILLS = 10
LONGEST_S = 1.5
"""Every other kill comes so long after the start, at most; the rest, after the run has begun."""

TIMEOUT_S = 60.0
AT_WORK = "at-work"
"""File that the flow makes when it has a record."""


class Bench(Protocol):
    """A bench that runs."""

    def kill(self) -> None: ...


Start = Callable[[Path, dict[str, str]], AbstractContextManager[Bench]]


@contextmanager
def on_a_terminal(path: Path, env: dict[str, str]) -> Iterator[Terminal]:
    """``loom-bench FLOW`` on a pseudo-terminal that stays open when it is killed."""
    with Terminal([*COMMAND, str(path), "--rate", "2000"], environment=env) as terminal:
        yield terminal


@contextmanager
def headless(path: Path, env: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    """``loom-bench run FLOW``."""
    with subprocess.Popen(
        [*COMMAND, "run", str(path), "--rate", "2000"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=env,
    ) as process:
        yield process


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    path = tmp_path / "orders.py"
    path.write_text(
        STATEFUL_FLOW.replace(
            "def execute(self, message: Message[Order]) -> Order:",
            "def execute(self, message: Message[Order]) -> Order:\n"
            f"        open({str(tmp_path / AT_WORK)!r}, 'a').close()",
        )
    )
    return path


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """An environment whose temporary files and state are the test's own."""
    for name in ("temporary", "home"):
        (tmp_path / name).mkdir()
    home = str(tmp_path / "home")
    return environment(TMPDIR=str(tmp_path / "temporary"), HOME=home, XDG_STATE_HOME=home)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("start", "seed"), [(on_a_terminal, 3), (headless, 7)])
def test_nothing_is_left_of_a_bench_killed_at_a_random_moment(
    start: Start, seed: int, flow: Path, env: dict[str, str], tmp_path: Path
) -> None:
    moments = random.Random(seed)
    before, temporary = children(), tmp_path / "temporary"
    with adopting_orphans():
        for kill in range(KILLS):
            (tmp_path / AT_WORK).unlink(missing_ok=True)
            with start(flow, env) as bench:
                if kill % 2:
                    await_true((tmp_path / AT_WORK).exists, "records are read", timeout_s=TIMEOUT_S)
                time.sleep(moments.uniform(0.05, LONGEST_S))  # the moment itself is the condition
                bench.kill()
                await_true(
                    lambda: not still_running(before),
                    f"nothing is left of kill {kill} (seed {seed})",
                )
        left = [entry.name for entry in temporary.iterdir()]
        assert all(name.startswith(("loom-bench-state-", "loom-bench-open-")) for name in left)

        # The next start works, and cleans up what is left of those that were killed.
        with Terminal([*COMMAND, str(flow), "--rate", "2000"], environment=env) as terminal:
            assert terminal.wait(lambda text: "Number" in text and "balanced" in text, TIMEOUT_S)
            terminal.press(b"Q")
            assert terminal.exit_code(TIMEOUT_S) == 0
        assert not still_running(before)
    assert not [*temporary.iterdir()]
