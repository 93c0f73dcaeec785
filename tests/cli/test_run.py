"""``loom-bench run``: lines for people, JSON lines for programs, and signals."""

import json
import signal
from pathlib import Path
from typing import IO, Any

import pytest

from loom_bench.broker.embedded import EmbeddedBroker
from tests.bench.modules import write_flow
from tests.broker_fixtures import Topics
from tests.cli.commands import run, start

FEED = "def bench_feed():\n    return [Order(number) for number in range(500)]\n"


def test_the_last_json_line_is_the_ledger(tmp_path: Path) -> None:
    done = run("run", write_flow(tmp_path, more=FEED), "--until-idle", "0.5", "--json")
    assert (done.code, done.err) == (0, "")
    kinds = [line["type"] for line in done.lines]
    assert {"broker", "loaded", "feed_started", "started", "feed_ended"} <= set(kinds)
    ledger = done.lines[-1]
    assert ledger["type"] == "ledger"
    assert {name: ledger[name] for name in LEDGER} == LEDGER
    assert len(ledger["partitions"]) == 4


LEDGER = {
    "flow": "orders",
    "outcome": "finished",
    "consumed": 500,
    "written": 500,
    "errored": 0,
    "filtered": 0,
    "dead_lettered": 0,
    "held": 0,
    "balanced": True,
    "fed": 500,
}


def test_lines_for_people(tmp_path: Path) -> None:
    done = run("run", write_flow(tmp_path, more=FEED), "--max-records", "500")
    assert done.code == 0
    assert "broker: embedded at 127.0.0.1:" in done.out
    assert "loaded orders from " in done.out
    assert "configuration: defaults" in done.out
    assert "feeding bench_feed() into orders, as fast as it goes" in done.out
    assert "fed 500 records" in done.out
    lines = done.out.splitlines()
    total = next(line for line in lines if line.startswith("total"))
    assert total.split() == ["total", "500", "500", "0", "0", "0", "0"]
    assert lines[-1] == "output: 500 records, 0 envelopes, 0 dead letters"


def test_without_a_command_a_flow_is_opened(tmp_path: Path) -> None:
    done = run(write_flow(tmp_path, more=FEED), "--max-records", "10")
    assert done.code == 0
    assert done.err == "No terminal: running as `loom-bench run` does.\n"
    assert "output: 10 records" in done.out


def test_a_broker_of_the_users_own(tmp_path: Path, broker: EmbeddedBroker, topics: Topics) -> None:
    source, sink = topics.create("orders"), topics.create("copies")
    topics.produce(source, [b'{"id": 1}', b'{"id": 2}'])
    path = write_flow(tmp_path, more=FEED)
    path.write_text(path.read_text().replace('"orders"', f'"{source}"').replace("copies", sink))
    done = run("run", path, "--broker", broker.bootstrap, "--max-records", "2", "--json")
    assert done.code == 0
    assert (done.lines[-1]["consumed"], done.lines[-1]["fed"]) == (2, None)
    assert [record.value for record in topics.read(sink)] == [b'{"id":1}', b'{"id":2}']


def await_line(output: IO[str], kind: str) -> dict[str, Any]:
    """Read JSON lines up to one of *kind*."""
    for text in output:
        line: dict[str, Any] = json.loads(text)
        if line["type"] == kind:
            return line
    raise AssertionError(f"no {kind} line")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_drains(tmp_path: Path, number: signal.Signals) -> None:
    path = write_flow(tmp_path, more="from itertools import count\n" + ENDLESS)
    with start("run", path, "--rate", "2000", "--json") as process:
        assert process.stdout is not None
        assert await_line(process.stdout, "progress")["consumed"] > 0
        process.send_signal(number)
        ledger = await_line(process.stdout, "ledger")
    assert process.returncode == 0
    assert (ledger["outcome"], ledger["balanced"], ledger["held"]) == ("drained", True, 0)


ENDLESS = "def bench_feed():\n    return map(Order, count())\n"


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    path = write_flow(tmp_path, more=FEED)
    path.write_text(
        path.read_text().replace("return message.payload", "import time; time.sleep(600)")
    )
    with start("run", path, "--json") as process:
        assert process.stdout is not None
        await_line(process.stdout, "feed_ended")
        process.send_signal(signal.SIGINT)
        await_line(process.stdout, "stopping")
        process.send_signal(signal.SIGINT)
        ledger = await_line(process.stdout, "ledger")
    assert process.returncode == 130
    assert ledger["outcome"] == "killed"


def test_a_flow_that_fails_to_load(tmp_path: Path) -> None:
    path = tmp_path / "orders.py"
    path.write_text("flow = StreamFlow('orders')\n")
    done = run("run", path)
    assert done.code == 1
    assert "orders.py:1: import_failed: orders.py: NameError: name 'StreamFlow'" in done.out
    assert "1 | flow = StreamFlow('orders')" in done.out
    assert "Traceback" not in done.out + done.err


def test_a_reader_that_has_had_enough(tmp_path: Path) -> None:
    path = write_flow(tmp_path, more="from itertools import count\n" + ENDLESS)
    with start("run", path, "--rate", "1000", "--json") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1
