"""A flow's process does what it likes; the bench tells what happened and goes on."""

import os
import signal
import time
from pathlib import Path

import pytest

from loom_bench.broker.child import memory_bytes
from loom_bench.session.live.log_ring import MAX_LINE_CHARACTERS
from tests.bench.live.sessions import FLOW, Live
from tests.bench.processes import await_true, running

pytestmark = pytest.mark.usefixtures("nothing_is_left")

MARK = 'return Order(message.payload.id, "first")'


@pytest.mark.parametrize(
    ("at_import", "code", "said"),
    [
        ("import os; os._exit(3)", "host_exited", "exit code 3"),
        ("import ctypes; ctypes.string_at(0)", "host_killed", "SIGSEGV"),
        ("import sys; sys.exit('bye')", "import_exited", "bye"),
        ("import os, signal; os.killpg(0, signal.SIGKILL)", "host_killed", "SIGKILL"),
    ],
)
def test_a_revision_that_ends_its_process_leaves_the_old_one_running(
    at_import: str, code: str, said: str, tmp_path: Path
) -> None:
    with Live(tmp_path, FLOW, feed_rate_per_s=500) as live:
        live.until_reading()
        live.edit("import itertools\n", f"import itertools\n{at_import}\n")
        value = live.until_revision(2, "refused")
        assert value.diagnoses[0].code == code
        assert said in value.diagnoses[0].message
        live.until_reading(more_than=value.nodes["Mark"].records_in)


# Whole frames of the protocol, as a flow could send that found the descriptor.
FLOOD = """
import os, stat
from loom_bench.protocol.codec import encode_frame
from loom_bench.protocol.frames import FeedProgress

frames = b"".join(encode_frame(FeedProgress(number)) for number in range(1_000))
channel = next(fd for fd in sorted(map(int, os.listdir("/proc/self/fd")))
               if fd > 2 and os.path.exists(f"/proc/self/fd/{fd}")
               and stat.S_ISSOCK(os.fstat(fd).st_mode))
for _ in range(150):
    os.write(channel, frames)
"""


def test_a_flow_that_floods_its_channel_waits_for_the_bench(tmp_path: Path) -> None:
    before = memory_bytes(os.getpid()) or 0
    options = {"feed_rate_per_s": 500, "load_time_limit_ms": 100_000}
    with Live(tmp_path, FLOOD + FLOW, **options) as live:
        most = 0

        def reads() -> bool:
            nonlocal most
            most = max(most, memory_bytes(os.getpid()) or 0)
            return "Mark" in live.value.nodes and live.value.nodes["Mark"].records_in > 0

        await_true(reads, "the flow reads after its flood", timeout_s=100)
    assert most - before < 40 * 2**20


def test_output_without_line_ends_is_cut_and_harms_nobody(tmp_path: Path) -> None:
    text = FLOW.replace(
        MARK,
        'if message.payload.id == 10: print("y" * 2_000_000, end="", flush=True)\n        ' + MARK,
    )
    with Live(tmp_path, text, feed_rate_per_s=500) as live:
        value = live.until_reading(more_than=50)
        value = live.until(lambda value: value.logs_seen >= 10, "the lines are shown")
        lines = [line.text for line in value.logs if line.text.startswith("yyy")]
        assert lines
        assert max(map(len, lines)) <= MAX_LINE_CHARACTERS + 1
        live.until_reading(more_than=value.nodes["Mark"].records_in)


# Leaves session and group as daemons do, deaf to signals, and holds on to the flow's output.
DAEMON = """
import os, signal, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        with open("PLACE", "w") as file:
            file.write(str(os.getpid()) + "\\n")
        time.sleep(120)
    os._exit(0)
os.wait()
"""


def test_a_daemon_that_holds_the_output_keeps_nobody_waiting(tmp_path: Path) -> None:
    place = tmp_path / "daemon"
    with Live(tmp_path, DAEMON.replace("PLACE", str(place)) + FLOW, feed_rate_per_s=500) as live:
        live.until_reading()
        await_true(lambda: place.exists() and place.read_text().endswith("\n"), "it says its pid")
        pid = int(place.read_text())
        try:
            assert running(pid)
            began_s = time.monotonic()
            live.session.close()
            assert time.monotonic() - began_s < 30
        finally:
            os.kill(pid, signal.SIGKILL)
