"""The real command, killed at random moments under load: nothing of it is left."""

import random
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from benchmarks.terminal import Terminal
from tests.bench.live.sessions import STATEFUL_FLOW
from tests.bench.orphans import adopting_orphans, still_running
from tests.bench.processes import await_true
from tests.bench.runs import children
from tests.cli.commands import COMMAND, environment

if TYPE_CHECKING:
    from tests.containers.engine import Engine

KILLS = 10
CONTAINER_KILLS = 4
LONGEST_S = 1.5
"""Every other kill comes so long after the start, at most; the rest, after the run has begun."""

TIMEOUT_S = 60.0
AT_WORK = "at-work"
"""File that the flow makes when it has a record."""


class Bench(Protocol):
    """A bench that runs."""

    def kill(self) -> None: ...


Start = Callable[[Sequence[str], dict[str, str]], AbstractContextManager[Bench]]
"""Starts a bench with arguments, in an environment."""


@contextmanager
def on_a_terminal(arguments: Sequence[str], env: dict[str, str]) -> Iterator[Terminal]:
    """``loom-bench FLOW`` on a pseudo-terminal that stays open when it is killed."""
    with Terminal([*COMMAND, *arguments, "--rate", "2000"], environment=env) as terminal:
        yield terminal


@contextmanager
def headless(arguments: Sequence[str], env: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    """``loom-bench run FLOW``."""
    with subprocess.Popen(
        [*COMMAND, "run", *arguments, "--rate", "2000"],
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


class Chaos:
    """Kills benches at random moments.

    Args:
        folder: The test's own.
        seed: Of the moments.
        is_left: Whether something that no process shows is left.
    """

    def __init__(
        self, folder: Path, seed: int, is_left: Callable[[], object] = lambda: False
    ) -> None:
        self.before = children()
        self._at_work = folder / AT_WORK
        self._seed, self._moments = seed, random.Random(seed)
        self._is_left = is_left

    def strike(self, kill: int, bench: AbstractContextManager[Bench]) -> None:
        """Start a bench, kill it, and wait until nothing is left of it."""
        self._at_work.unlink(missing_ok=True)
        with bench as started:
            if kill % 2:
                await_true(self._at_work.exists, "records are read", timeout_s=TIMEOUT_S)
            # The moment itself is the condition.
            time.sleep(self._moments.uniform(0.05, LONGEST_S))
            started.kill()
            await_true(
                lambda: not still_running(self.before) and not self._is_left(),
                f"nothing is left of kill {kill} (seed {self._seed})",
            )


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("start", "seed"), [(on_a_terminal, 3), (headless, 7)])
def test_nothing_is_left_of_a_bench_killed_at_a_random_moment(
    start: Start, seed: int, flow: Path, env: dict[str, str], tmp_path: Path
) -> None:
    chaos, temporary = Chaos(tmp_path, seed), tmp_path / "temporary"
    with adopting_orphans():
        for kill in range(KILLS):
            chaos.strike(kill, start([str(flow)], env))
        left = [entry.name for entry in temporary.iterdir()]
        assert all(name.startswith(("loom-bench-state-", "loom-bench-open-")) for name in left)

        # The next start works, and cleans up what is left of those that were killed.
        with Terminal([*COMMAND, str(flow), "--rate", "2000"], environment=env) as terminal:
            assert terminal.wait(lambda text: "Number" in text and "balanced" in text, TIMEOUT_S)
            terminal.press(b"Q")
            assert terminal.exit_code(TIMEOUT_S) == 0
        assert not still_running(chaos.before)
    assert not [*temporary.iterdir()]


@pytest.mark.docker
@pytest.mark.timeout(300)
def test_nothing_is_left_of_a_bench_with_a_container_killed_at_a_random_moment(
    engine: "Engine", flow: Path, env: dict[str, str], tmp_path: Path
) -> None:
    arguments = [str(flow), "--broker", "docker", "--docker-image", engine.image]
    chaos, temporary = Chaos(tmp_path, 11, engine.containers), tmp_path / "temporary"
    with adopting_orphans():
        for kill in range(CONTAINER_KILLS):
            start = on_a_terminal if kill % 4 < 2 else headless
            chaos.strike(kill, start(arguments, env))
        command = [*COMMAND, "run", *arguments, "--max-records", "500"]
        assert subprocess.run(command, env=env, timeout=TIMEOUT_S, check=False).returncode == 0
        await_true(lambda: not still_running(chaos.before), "the next one has ended")
    assert engine.containers() == []
    assert not [*temporary.iterdir()]
