"""Headless runs that fail: at the feed, the module, the host, the broker."""

from pathlib import Path
from typing import Any

import pytest

from loom_bench.broker.choice import open_broker
from loom_bench.broker.embedded import EmbeddedBroker
from loom_bench.broker.opening import Opening
from loom_bench.session.happenings import (
    Failed,
    FeedEnded,
    Happening,
    OutputShown,
    Progress,
)
from tests.bench.modules import line_of, write_flow, write_module
from tests.bench.runs import ENDLESS, Run, fed_flow

pytestmark = pytest.mark.usefixtures("nothing_is_left")


def test_a_feed_that_raises_says_where_and_the_rest_is_finished(tmp_path: Path) -> None:
    path = write_flow(
        tmp_path,
        more="def bench_feed():\n    yield Order(1)\n    raise KeyError('gone')  # here\n",
    )
    run = Run(path, until_idle_ms=300)
    failure = run.one(FeedEnded).failure
    assert failure is not None
    assert failure.message == "KeyError: 'gone'"
    assert (failure.file, failure.line) == (str(path), line_of(path, "# here"))
    assert (run.outcome, run.ledger.consumed) == ("finished", 1)
    assert not run.session.succeeded


@pytest.mark.parametrize(
    ("feed", "said"),
    [
        ("def bench_feed(): return [object()]", "item 0 of bench_feed() is a object"),
        ("def bench_feed(): return [(1, b'x')]", "the key of item 0"),
        ("def bench_feed(): return 5", "not iterable"),
        ("def bench_feed(): import os; os._exit(4)", "exit code 4"),
    ],
)
def test_a_feed_of_the_wrong_kind(tmp_path: Path, feed: str, said: str) -> None:
    run = Run(write_flow(tmp_path, more=feed), until_idle_ms=200)
    failure = run.one(FeedEnded).failure
    assert failure is not None
    assert said in failure.message
    assert not run.session.succeeded


def test_a_failure_without_a_topic_ends_the_run(tmp_path: Path) -> None:
    path = fed_flow(tmp_path, 10)
    path.write_text(path.read_text().replace("return message.payload", "raise ValueError('no')"))
    run = Run(path, until_idle_ms=300)
    assert run.outcome == "failed"
    (diagnosis,) = run.one(Failed).diagnoses
    assert diagnosis.code == "run_failed"
    assert diagnosis.hint
    assert not run.session.succeeded


def test_a_module_that_does_not_load(tmp_path: Path) -> None:
    path = write_module(tmp_path, "orders.py", "1 / 0\n")
    run = Run(path)
    (diagnosis,) = run.one(Failed).diagnoses
    assert (diagnosis.file, diagnosis.line) == (str(path), 1)
    assert (run.outcome, run.ledger.flow, run.ledger.consumed) == ("failed", "", 0)


def test_a_module_that_never_loads(tmp_path: Path) -> None:
    path = write_module(tmp_path, "orders.py", "import time\ntime.sleep(600)\n")
    run = Run(path, load_time_limit_ms=600)
    (diagnosis,) = run.one(Failed).diagnoses
    assert (diagnosis.code, diagnosis.line) == ("import_timed_out", 2)


@pytest.mark.parametrize(
    ("crash", "said"),
    [
        ("import os; os._exit(7)", "exit code 7"),
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
    ],
)
def test_a_host_that_dies_while_it_runs(tmp_path: Path, crash: str, said: str) -> None:
    path = fed_flow(tmp_path, 10)
    path.write_text(path.read_text().replace("return message.payload", crash))
    run = Run(path, until_idle_ms=300)
    (diagnosis,) = run.one(Failed).diagnoses
    assert said in diagnosis.message
    assert run.outcome == "failed"


BLOCKS = {
    "asleep": "import time; print('blocked'); time.sleep(600)  # here",
    "holding the interpreter": (
        "import re; print('blocked'); re.match('(a+)+$', 'a' * 64 + 'b')  # here"
    ),
}


@pytest.mark.parametrize("how", BLOCKS)
def test_a_drain_that_hangs_is_ended_and_says_where_it_was(tmp_path: Path, how: str) -> None:
    path = fed_flow(tmp_path, 10)
    path.write_text(path.read_text().replace("return message.payload", BLOCKS[how]))

    def drain(run: Run, happening: Happening) -> None:
        if isinstance(happening, OutputShown) and happening.text == "blocked":
            run.session.request_stop("drain")

    run = Run(path, react=drain, drain_time_limit_ms=300)
    (diagnosis,) = run.one(Failed).diagnoses
    assert diagnosis.code == "drain_timed_out"
    assert "0.3 s" in diagnosis.message
    assert (diagnosis.file, diagnosis.line) == (str(path), line_of(path, "# here"))
    assert run.outcome == "failed"
    assert not run.session.succeeded


def test_a_broker_that_dies_while_the_flow_runs(tmp_path: Path) -> None:
    brokers = []

    def start(choice: str, opening: Opening) -> Any:
        brokers.append(open_broker(choice, opening))
        return brokers[-1]

    def kill_it(run: Run, happening: Happening) -> None:
        if isinstance(happening, Progress) and happening.consumed:
            brokers[0].stop()

    run = Run(write_flow(tmp_path, more=ENDLESS), opener=start, react=kill_it)
    assert run.outcome == "failed"
    assert run.one(Failed).diagnoses[0].code in ("broker_died", "run_failed")


def test_a_topic_that_is_missing_there(tmp_path: Path, broker: EmbeddedBroker) -> None:
    path = write_flow(tmp_path)
    path.write_text(path.read_text().replace('"orders"', '"nowhere-to-be-found"'))
    run = Run(path, broker=broker.bootstrap, until_idle_ms=400)
    (diagnosis,) = run.one(Failed).diagnoses
    assert "nowhere-to-be-found" in diagnosis.message + diagnosis.component


def test_a_broker_that_cannot_be_reached(tmp_path: Path) -> None:
    run = Run(write_flow(tmp_path), broker="127.0.0.1:1")
    (diagnosis,) = run.one(Failed).diagnoses
    assert diagnosis.code == "broker_unavailable"
    assert "127.0.0.1:1" in diagnosis.component
