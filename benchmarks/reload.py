"""``python -m benchmarks.reload``: from a save to the first record of the new code.

A live session runs a flow; ``watchfiles`` restarts ``python -m bytewax.run`` on the same job. Both
read one topic, in which a feed writes 1,000 records a second, and both are saved in turn, the way
editors do: a new file takes the old one's place. The clock starts when it does, and stops when a
consumer of the output topic has a record of that revision in hand. At the end the session's whole
output is compared with what was fed: nothing may be missing, nothing there twice.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final, Self

import msgspec
from confluent_kafka import Consumer, TopicPartition

from benchmarks.child import RunFailedError
from benchmarks.contestants.reloaded import BYTEWAX, LOOM, REVISION
from benchmarks.report import Bar, Report, progress, spread
from loom_bench.broker import topics
from loom_bench.session.live.session import LiveSession
from loom_bench.session.topics import PARTITIONS
from loom_bench.session.value import Phase, SessionValue

RATE_PER_S: Final = 1_000.0
RATIO_LIMIT: Final = 0.2

_OUTPUT: Final = "marked"
_PEER_OUTPUT: Final = "marked-by-peer"
_TIMEOUT_S: Final = 30.0
_QUIET_S: Final = 1.0
_PAUSE_S: Final = (1.5, 2.5)
"""Between two saves; the moments within an epoch are to be random."""


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    saves: int
    stateful: bool
    peer: bool


class _Row(msgspec.Struct):
    """One record of an output topic."""

    id: int
    revision: int


@dataclass
class _Output:
    """What one output topic holds.

    Attributes:
        first_ns: When the first record of each revision came.
        times: How often each record was written.
    """

    first_ns: dict[int, int] = field(default_factory=dict)
    times: Counter[int] = field(default_factory=Counter)


class Reader:
    """Reads both output topics as they grow, on a thread. A context manager.

    Args:
        broker: ``host:port``.
    """

    def __init__(self, broker: str) -> None:
        self.outputs = {_OUTPUT: _Output(), _PEER_OUTPUT: _Output()}
        self._changed = threading.Condition()
        self._closing = False
        self._consumer = Consumer(
            {
                "bootstrap.servers": broker,
                "group.id": "benchmark-reader",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 10,
                "log_level": 0,
            }
        )
        self._consumer.assign(
            [
                TopicPartition(topic, index, 0)
                for topic in self.outputs
                for index in range(PARTITIONS)
            ]
        )
        self._thread = threading.Thread(target=self._read, name="reader", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing = True
        self._thread.join()
        self._consumer.close()

    def wait(self, topic: str, revision: int) -> int:
        """Return when the first record of *revision* came.

        Raises:
            RunFailedError: None did.
        """
        first_ns = self.outputs[topic].first_ns
        with self._changed:
            if not self._changed.wait_for(lambda: revision in first_ns, _TIMEOUT_S):
                raise RunFailedError(f"no record of revision {revision} came to {topic}")
        return first_ns[revision]

    def _read(self) -> None:
        decode = msgspec.json.Decoder(_Row).decode
        while not self._closing:
            messages = self._consumer.consume(1_000, 0.02)
            now_ns = time.monotonic_ns()
            with self._changed:
                for message in messages:
                    value, topic = message.value(), message.topic()
                    if message.error() is not None or value is None or topic is None:
                        continue
                    row, output = decode(value), self.outputs[topic]
                    output.times[row.id] += 1
                    output.first_ns.setdefault(row.revision, now_ns)
                self._changed.notify_all()


class Edited:
    """A file that is saved again and again.

    Args:
        path: The file.
        text: What is in it.
    """

    def __init__(self, path: Path, text: str) -> None:
        self._path, self._text = path, text
        self.save(0)

    def save(self, revision: int) -> int:
        """Save another revision; return when."""
        # Beside the folder: what watches it sees one change.
        fresh = self._path.parent.with_suffix(".saved")
        fresh.write_text(self._text.replace(REVISION, f"REVISION = {revision}", 1))
        saved_ns = time.monotonic_ns()
        fresh.replace(self._path)
        return saved_ns


def parse_options(arguments: Sequence[str] | None = None) -> Options:
    """Read the command line; ``--help`` explains it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reload", description=__doc__)
    parser.add_argument("--saves", type=int, default=30)
    parser.add_argument("--stateful", action="store_true", help="with a node that keeps state")
    parser.add_argument("--no-peer", action="store_true", help="the session only")
    found = parser.parse_args(arguments)
    if found.saves < 1:
        parser.error("--saves must be 1 or more")
    return Options(found.saves, found.stateful, not found.no_peer)


@contextlib.contextmanager
def watched_bytewax(path: Path, log: Path) -> Iterator[None]:
    """``watchfiles`` restarting ``python -m bytewax.run`` whenever the folder of *path* changes."""
    run = shlex.join([sys.executable, "-m", "bytewax.run", f"{path.stem}:flow"])
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "watchfiles", "--filter", "python", run, str(path.parent)],
            cwd=path.parent,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def until(session: LiveSession, what: str, holds: Callable[[SessionValue], object]) -> SessionValue:
    """Wait for a value of which *holds* is true.

    Raises:
        RunFailedError: None came.
    """
    deadline_s = time.monotonic() + _TIMEOUT_S
    while not holds(value := session.value()):
        if time.monotonic() > deadline_s:
            told = [*(each.message for each in value.diagnoses), *(n.text for n in value.notices)]
            raise RunFailedError(f"not within {_TIMEOUT_S:g} s: {what}; {told[-5:]}")
        time.sleep(0.01)
    return value


@dataclass
class Findings:
    """What was measured.

    Attributes:
        ours_ms: From each save to its first record, in a live session.
        peer_ms: The same, restarted.
        fed: Records that were fed.
        lost: Of those, how many are not in the session's output.
        repeated: How many are there more than once.
    """

    ours_ms: list[float] = field(default_factory=list)
    peer_ms: list[float] = field(default_factory=list)
    fed: int = 0
    lost: int = 0
    repeated: int = 0


def measure(options: Options, folder: Path) -> Findings:
    """Run both, save both in turn, and check the session's output."""
    for name in ("ours", "peer"):
        (folder / name).mkdir()
    path = folder / "ours" / "reloaded.py"
    ours = Edited(path, LOOM.replace("STATEFUL = False", f"STATEFUL = {options.stateful}"))
    found = Findings()
    with LiveSession.open(str(path), feed_rate_per_s=RATE_PER_S) as session:
        value = until(session, "the flow runs", lambda value: value.feed.delivered > 0)
        broker = value.broker.bootstrap
        topics.create_topics(broker, {_PEER_OUTPUT: PARTITIONS})
        with Reader(broker) as reader, contextlib.ExitStack() as running:
            reader.wait(_OUTPUT, 0)
            peer: Edited | None = None
            if options.peer:
                path = folder / "peer" / "restarted.py"
                peer = Edited(path, BYTEWAX.replace("ADDRESS", broker))
                running.enter_context(watched_bytewax(path, folder / "peer.log"))
                reader.wait(_PEER_OUTPUT, 0)
            for revision in range(1, options.saves + 1):
                time.sleep(random.uniform(*_PAUSE_S))
                found.ours_ms.append(_time(ours, reader, _OUTPUT, revision))
                found.fed = _fed(session, since=found.fed)
                if peer is not None:
                    time.sleep(random.uniform(*_PAUSE_S))
                    found.peer_ms.append(_time(peer, reader, _PEER_OUTPUT, revision))
                restarted = f"   restarted {found.peer_ms[-1]:5.0f} ms" if peer is not None else ""
                progress(
                    f"save {revision}/{options.saves}  reloaded {found.ours_ms[-1]:5.0f} ms"
                    + restarted
                )
            _check(session, reader, found)
    return found


def _time(edited: Edited, reader: Reader, topic: str, revision: int) -> float:
    saved_ns = edited.save(revision)
    return (reader.wait(topic, revision) - saved_ns) / 1e6


def _check(session: LiveSession, reader: Reader, found: Findings) -> None:
    """Stop the feed, drain, and compare the output with what was fed."""
    session.set_feed_rate(0)
    broker, fed = session.value().broker.bootstrap, -1
    while fed != (fed := sum(topics.end_offsets(broker, "orders").values())):
        time.sleep(_QUIET_S)  # what was on its way to the broker when the feed was told to stop
        until(session, "all is read", partial(_has_committed, fed))
    session.drain()
    value = until(session, "it is drained", lambda value: value.phase is Phase.STOPPED)
    written = sum(topics.end_offsets(value.broker.bootstrap, _OUTPUT).values())
    times = reader.outputs[_OUTPUT].times
    deadline_s = time.monotonic() + _TIMEOUT_S
    while times.total() < written:
        if time.monotonic() > deadline_s:
            raise RunFailedError(f"{times.total()} of {written} records could be read")
        time.sleep(0.05)
    found.fed = fed
    found.lost = sum(1 for number in range(found.fed) if not times[number])
    found.repeated = sum(1 for count in times.values() if count > 1)


def _fed(session: LiveSession, *, since: int) -> int:
    """Return how many records the feed has written.

    Raises:
        RunFailedError: It failed or began anew: its records cannot be told apart then.
    """
    value = session.value()
    if value.feed.problem is not None:
        raise RunFailedError(f"the feed failed: {value.feed.problem}")
    if value.feed.delivered < since:
        told = [notice.text for notice in value.notices if "feed" in notice.text]
        raise RunFailedError(f"the feed began anew: {told}")
    return value.feed.delivered


def _has_committed(records: int, value: SessionValue) -> bool:
    return sum(each.row.committed or 0 for each in value.offsets) >= records


def report_of(found: Findings, options: Options) -> Report:
    """Medians, spreads, the ratio and the bars."""
    report = Report("reload")
    report.figures["reloaded_ms"] = spread(found.ours_ms)
    ratio: float | None = None
    if found.peer_ms:
        report.figures["restarted_ms"] = spread(found.peer_ms)
        ratio = median(found.ours_ms) / median(found.peer_ms)
    report.figures["saves"] = options.saves
    report.figures["stateful"] = options.stateful
    report.figures["records"] = found.fed
    report.figures["rate_per_s"] = RATE_PER_S
    report.figures["cpus"] = os.cpu_count()
    report.bars.append(Bar("reloaded by restarted, median", ratio, "<=", RATIO_LIMIT))
    report.bars.append(Bar("records lost", found.lost, "==", 0))
    report.bars.append(Bar("records repeated", found.repeated, "==", 0))
    return report


def main() -> int:
    """Run the benchmark; 0 when it was measured, whether or not the bars are met."""
    options = parse_options()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package has its modules compiled
    try:
        with tempfile.TemporaryDirectory(prefix="benchmark-") as scratch:
            found = measure(options, Path(scratch))
    except RunFailedError as error:
        progress(f"failed: {error}")
        return 1
    report_of(found, options).emit()
    return 0


if __name__ == "__main__":
    sys.exit(main())
