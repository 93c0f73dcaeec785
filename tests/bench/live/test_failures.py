"""What goes wrong costs a message: the session goes on, and nothing survives it."""

import os
import signal
from pathlib import Path

import pytest

from loom_bench.session.value import Phase
from tests.bench.live.sessions import FLOW, SAYS_PID, Live, OutputReader, ended
from tests.bench.processes import await_true
from tests.bench.runs import children

pytestmark = pytest.mark.usefixtures("nothing_is_left")


def test_a_killed_host_is_told_and_restarted(tmp_path: Path) -> None:
    with Live(tmp_path, SAYS_PID + FLOW, feed_rate_per_s=500) as live:
        live.until_reading()
        os.kill(live.flow_pid(), signal.SIGKILL)
        value = live.until_phase(Phase.FAILED)
        assert value.diagnoses[0].code == "host_killed"
        assert "SIGKILL" in value.diagnoses[0].message
        live.session.restart()
        value = live.until_reading()
        assert value.diagnoses == ()


def test_a_save_starts_a_flow_whose_process_had_crashed(tmp_path: Path) -> None:
    crash = 'import ctypes; ctypes.string_at(0); return Order(message.payload.id, "first")'
    with Live(tmp_path, FLOW, feed_rate_per_s=500) as live:
        live.until_reading()
        live.edit('return Order(message.payload.id, "first")', crash)
        value = live.until_phase(Phase.FAILED)
        assert "SIGSEGV" in value.diagnoses[0].message
        assert value.diagnoses[0].source is not None
        assert "ctypes.string_at(0)" in value.diagnoses[0].source
        live.edit("ctypes.string_at(0)", "ctypes.sizeof(ctypes.c_int)")
        live.until_revision(3)
        live.until_reading()


def test_a_run_that_fails_is_told_with_what_to_do(tmp_path: Path) -> None:
    with Live(tmp_path, FLOW, feed_rate_per_s=500) as live:
        live.until_reading()
        live.edit('return Order(message.payload.id, "first")', "raise ValueError('poison')")
        value = live.until_phase(Phase.FAILED)
        assert "poison" in value.diagnoses[0].message
        assert value.diagnoses[0].hint
        live.edit("raise ValueError('poison')", 'return Order(message.payload.id, "second")')
        with OutputReader(live.until_reading()) as reader:
            reader.until_mark("second")


def test_killing_the_flow_stops_it_and_what_was_under_way_is_repeated(tmp_path: Path) -> None:
    with Live(tmp_path, FLOW, feed_rate_per_s=500) as live:
        live.until_reading()
        live.session.kill()
        value = live.until_phase(Phase.STOPPED)
        assert "repeated" in value.notices[-1].text
        live.session.resume()
        live.until_reading()


def test_garbage_on_the_channel_and_a_flood_of_lines_do_no_harm(tmp_path: Path) -> None:
    flood = 'import sys\nprint("flood\\n" * 20_000)\n'
    garbage = (
        "import contextlib, os\n"
        "for number in filter((2).__lt__, map(int, os.listdir('/proc/self/fd'))):\n"
        "    with contextlib.suppress(OSError): os.write(number, b'x' * 64)\n"
    )
    with Live(tmp_path, flood + FLOW, feed_rate_per_s=500) as live:
        live.until_reading()
        value = live.until(lambda value: value.logs_seen >= 20_000, "every line was taken")
        assert len(value.logs) == 5_000
        assert value.logs_left_out == value.logs_seen - 5_000
        live.edit(flood, garbage)
        value = live.until_revision(2, "refused")
        assert value.diagnoses[0].code == "channel_broken"
        live.until_reading(more_than=value.nodes["Mark"].records_in)


def test_when_the_broker_dies_a_restart_goes_on_with_another(tmp_path: Path) -> None:
    before = children()
    with Live(tmp_path, FLOW, feed_rate_per_s=500) as live:
        first = live.until_reading().broker.bootstrap
        for pid in children() - before:
            if b"tansu" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.killpg(pid, signal.SIGKILL)
        value = live.until_phase(Phase.FAILED)
        assert value.diagnoses[0].code == "broker_died"
        assert value.diagnoses[0].hint
        assert value.broker.state == "dead"
        live.session.restart()
        value = live.until_reading()
        assert value.broker.bootstrap != first
        assert value.broker.state == "ready"


def test_a_module_that_cannot_be_loaded_at_all_is_mended_in_the_session(tmp_path: Path) -> None:
    with Live(tmp_path, FLOW.replace("flow = StreamFlow", "flow = 1; StreamFlow")) as live:
        value = live.until_phase(Phase.FAILED)
        assert value.diagnoses[0].code == "not_a_flow"
        live.edit("flow = 1; StreamFlow", "flow = StreamFlow")
        live.until_reading()


def test_a_flow_that_is_not_there_and_a_broker_that_is_not_there_are_told(tmp_path: Path) -> None:
    with Live(tmp_path, broker="127.0.0.1:1") as live:
        value = live.until_phase(Phase.FAILED)
        assert value.diagnoses[0].code == "broker_unavailable"
        value = live.until(lambda value: value.plan, "the graph is there without a broker")
        live.session.open_flow(str(tmp_path / "nowhere.py"))
        live.until(
            lambda value: [each.code for each in value.diagnoses] == ["file_not_found"],
            "the missing file is told",
        )


def test_closing_ends_every_process_also_while_it_loads(tmp_path: Path) -> None:
    stubborn = SAYS_PID + "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    with Live(tmp_path, stubborn + "time.sleep(60)\n") as live:
        live.until(lambda value: value.logs, "it is being imported")
        pid = live.flow_pid()
    await_true(lambda: ended(pid), "the host is gone")
