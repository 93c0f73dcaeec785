"""A host is ended for certain, with everything it started, whatever it is doing."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue

import pytest

from loom_bench.protocol.frames import Load, Loaded, LoadFailed, Stop
from loom_bench.session.host_process import HostEnded, HostNews, HostProcess, OutputLine
from tests.bench.modules import write_flow, write_module
from tests.bench.processes import await_true, running

# Starts a process of its own, says both ids, then holds the interpreter in C for ever.
STUCK = """
import os, re, subprocess, sys
child = subprocess.Popen(["/bin/sleep", "600"])
print(os.getpid(), child.pid, flush=True)
re.match("(a+)+$", "a" * 64 + "b")
"""


class News:
    """Keeps what a host tells and waits for parts of it."""

    def __init__(self) -> None:
        self.queue: SimpleQueue[HostNews] = SimpleQueue()
        self.seen: list[HostNews] = []

    def until(self, wanted: Callable[[HostNews], bool]) -> HostNews:
        deadline_s = time.monotonic() + 20
        while True:
            self.seen.append(self.queue.get(timeout=deadline_s - time.monotonic()))
            if wanted(self.seen[-1]):
                return self.seen[-1]

    def line(self) -> str:
        line = self.until(lambda news: isinstance(news, OutputLine))
        assert isinstance(line, OutputLine)
        return line.text


def test_a_host_answers_and_ends_when_told() -> None:
    news = News()
    host = HostProcess(news.queue.put)
    host.send(Stop())
    ended = news.until(lambda each: isinstance(each, HostEnded))
    assert ended == HostEnded(exit_code=0, protocol_problem=None)
    assert host.wait(5)
    host.close()
    host.close()
    assert not running(host.pid)


def test_a_killed_host_takes_what_it_started_with_it(tmp_path: Path) -> None:
    news = News()
    host = HostProcess(news.queue.put)
    host.send(Load(target=str(write_module(tmp_path, "stuck.py", STUCK))))
    pids = [int(pid) for pid in news.line().split()]
    assert pids[0] == host.pid
    host.close()
    assert news.until(lambda each: isinstance(each, HostEnded)) == HostEnded(-signal.SIGKILL, None)
    for pid in pids:
        await_true(lambda pid=pid: not running(pid), f"{pid} is gone")  # type: ignore[misc]


def test_what_a_host_leaves_behind_is_ended_too(tmp_path: Path) -> None:
    text = """
    import os, subprocess
    print(subprocess.Popen(["/bin/sleep", "600"]).pid, flush=True)
    os._exit(0)
    """
    news = News()
    host = HostProcess(news.queue.put)
    host.send(Load(target=str(write_module(tmp_path, "leaving.py", text))))
    left = int(news.line())
    news.until(lambda each: isinstance(each, HostEnded))
    await_true(lambda: not running(left), "what it left is gone")
    host.close()


# A daemon as they are made: in a session of its own, its parent gone.
DAEMON = """
import os, subprocess, sys
script = "import subprocess; print(subprocess.Popen(['/bin/sleep', '600'], " \\
    "stdout=subprocess.DEVNULL, start_new_session=True).pid)"
made = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=True)
print(os.getpid(), int(made.stdout), flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="environments are seen on Linux only")
def test_a_daemon_ends_with_the_host_that_started_it(tmp_path: Path) -> None:
    news, others = News(), News()
    host, other = HostProcess(news.queue.put), HostProcess(others.queue.put)
    for each in (host, other):
        each.send(Load(target=str(write_module(tmp_path, "starting.py", DAEMON))))
    daemon, kept = (int(each.line().split()[1]) for each in (news, others))
    assert os.getsid(daemon) == daemon
    host.close()
    await_true(lambda: not running(daemon), "the daemon is gone")
    assert running(kept)
    other.close()
    await_true(lambda: not running(kept), "so is that of the other host")


BENCH = """
import sys, time
from loom_bench.protocol.frames import Load
from loom_bench.session.host_process import HostProcess, OutputLine

def show(news):
    if isinstance(news, OutputLine):
        print(news.text, flush=True)

host = HostProcess(show)
host.send(Load(target=sys.argv[1]))
time.sleep(600)
"""


@pytest.mark.parametrize(
    "how",
    {
        "holding the interpreter": STUCK,
        "asleep": STUCK.replace(
            're.match("(a+)+$", "a" * 64 + "b")', "__import__('time').sleep(600)"
        ),
        "deaf to signals": STUCK.replace(
            "import os",
            "import signal; [signal.signal(s, signal.SIG_IGN) for s in (1, 2, 15)]; import os",
        ),
        "with a daemon": DAEMON + "__import__('time').sleep(600)",
    }.items(),
    ids=lambda item: item[0],
)
def test_no_host_survives_a_bench_that_is_killed(how: tuple[str, str], tmp_path: Path) -> None:
    path = write_module(tmp_path, "stuck.py", how[1])
    bench = subprocess.Popen(
        [sys.executable, "-c", BENCH, str(path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert bench.stdout is not None
    with bench, bench.stdout:
        pids = [int(pid) for pid in bench.stdout.readline().split()]
        assert all(running(pid) for pid in pids)
        bench.kill()
        killed_s = time.monotonic()
        await_true(lambda: not any(map(running, pids)), "host and its child are gone")
        assert time.monotonic() - killed_s < 1.0


def test_output_is_read_line_by_line_and_kept_apart_from_frames(tmp_path: Path) -> None:
    text = """
    import sys
    print("one")
    print("two", end="")
    sys.stdout.flush()
    print("three \\u00e9", file=sys.stderr)
    sys.stdout.buffer.write(b"\\xff\\n")
    sys.stdout.buffer.flush()
    sys.stdout.write("y" * 200_000)
    sys.stdout.flush()
    """
    news = News()
    host = HostProcess(news.queue.put)
    host.send(Load(target=str(write_module(tmp_path, "chatty.py", text))))
    news.until(lambda each: isinstance(each, LoadFailed))
    host.send(Stop())
    news.until(lambda each: isinstance(each, HostEnded))
    host.close()
    lines = [each for each in news.seen if isinstance(each, OutputLine)]
    out = [line.text for line in lines if line.stream == "stdout"]
    assert out[0] == "one"
    assert out[1] == "two\\xff"
    assert "".join(out[2:]) == "y" * 200_000
    assert max(map(len, out)) < 200_000
    assert [line.text for line in lines if line.stream == "stderr"] == ["three é"]


def test_the_host_does_not_hand_its_channel_to_processes_that_the_flow_starts(
    tmp_path: Path,
) -> None:
    text = """
    import os, subprocess
    names = "ls -l /proc/self/fd | grep -c socket: || true"
    print(subprocess.run(["/bin/sh", "-c", names], close_fds=False, capture_output=True).stdout)
    """
    news = News()
    host = HostProcess(news.queue.put)
    host.send(Load(target=str(write_module(tmp_path, "spawning.py", text))))
    assert news.line() == "b'0\\n'"
    host.close()


def test_a_host_loads_after_a_failed_load(tmp_path: Path) -> None:
    news = News()
    host = HostProcess(news.queue.put)
    host.send(Load(target=str(write_module(tmp_path, "broken.py", "1 / 0"))))
    news.until(lambda each: isinstance(each, LoadFailed))
    host.send(Load(target=str(write_flow(tmp_path))))
    news.until(lambda each: isinstance(each, Loaded))
    host.close()
