"""No container outlives who started it, and the next start clears away what is left anyhow."""

import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from loom_bench.broker.docker.broker import DockerBroker
from loom_bench.broker.docker.leftovers import OWNER_LABEL
from loom_bench.broker.docker.options import DockerOptions
from tests.broker.processes import await_true, is_running
from tests.cli.commands import environment
from tests.containers.engine import Engine

pytestmark = pytest.mark.docker

BENCH = """
import json, sys, time
from loom_bench.broker.docker.broker import DockerBroker
from loom_bench.broker.docker.options import DockerOptions

keep = sys.argv[2] if len(sys.argv) > 2 else None
broker = DockerBroker.start(DockerOptions(image=sys.argv[1], keep=keep))
print(json.dumps({"owner": broker.pid}), flush=True)
time.sleep(60)
"""


class Bench:
    """Another process that has started a broker."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", BENCH, *arguments],
            stdout=subprocess.PIPE,
            env=environment(),
        )
        assert self.process.stdout is not None
        self.owner: int = json.loads(self.process.stdout.readline())["owner"]

    def close(self) -> None:
        with self.process:
            self.process.kill()


@pytest.fixture
def bench(engine: Engine) -> Iterator[Bench]:
    started = Bench(engine.image)
    yield started
    started.close()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_a_bench_that_is_killed_leaves_no_container(
    engine: Engine, bench: Bench, end: signal.Signals
) -> None:
    assert len(engine.containers()) == 1
    bench.process.send_signal(end)
    await_true(lambda: engine.containers() == [], "the container is gone")
    await_true(lambda: not is_running(bench.owner), "the process that owned it is gone")


def test_nor_does_it_when_the_owner_is_killed_with_it(engine: Engine, bench: Bench) -> None:
    bench.process.kill()
    os.kill(bench.owner, signal.SIGKILL)
    await_true(lambda: engine.containers() == [], "the container is gone")


def test_the_owner_alone_is_killed(engine: Engine, bench: Bench) -> None:
    os.kill(bench.owner, signal.SIGKILL)
    await_true(lambda: engine.containers() == [], "the container is gone")


def test_kept_data_is_closed_when_the_bench_is_killed(engine: Engine) -> None:
    options = DockerOptions(image=engine.image, keep="test-killed")
    assert options.volume is not None
    killed = Bench(engine.image, "test-killed")
    try:
        killed.close()
        with DockerBroker.start(options) as again:
            assert again.alive()
    finally:
        killed.close()
        await_true(lambda: engine.containers() == [], "nobody uses the volume")
        engine.remove_volume(options.volume)


def test_the_next_start_removes_what_is_left_and_nothing_else(
    engine: Engine, tmp_path: Path
) -> None:
    dead, alive = tmp_path / "dead.lock", tmp_path / "alive.lock"
    dead.touch()
    names = {
        "test-left-created": engine.create("test-left-created", {OWNER_LABEL: str(dead)}),
        "test-left-running": engine.create("test-left-running", {OWNER_LABEL: str(dead)}, run=True),
        "test-owned": engine.create("test-owned", {OWNER_LABEL: str(alive)}, run=True),
        "test-elsewhere": engine.create(
            "test-elsewhere", {OWNER_LABEL: str(tmp_path / "on-another-machine")}, run=True
        ),
        "test-of-others": engine.create("test-of-others", {}, run=True),
    }
    try:
        with alive.open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            with DockerBroker.start(DockerOptions(image=engine.image)):
                left = {name for name in names if engine.exists(name)}
        assert left == {"test-owned", "test-elsewhere", "test-of-others"}
    finally:
        for name in names:
            engine.remove(name)
