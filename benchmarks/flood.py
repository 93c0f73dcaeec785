"""``python -m benchmarks.flood``: the bench under a flow that shouts.

A flow reads 100,000 records a second from a broker that has them already, fails at every
hundredth, and prints 20,000 lines a second. It runs by itself, its lines going to a file, then
under the bench on a pseudo-terminal of 120x36 cells with the panel of lines open, then by itself
again. Throughput is what its group committed. In the bench the selection is moved to and fro at
random moments; the clock of a key stops when the details of the box that it selects were painted.
At the end the bench drains, and its counts are compared with what those records must have given.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Final

import msgspec
from confluent_kafka import Consumer, TopicPartition

from benchmarks.broker import committed_total, open_broker, prefill
from benchmarks.child import ROOT, RunFailedError
from benchmarks.contestants import flooding
from benchmarks.contestants.flood_watched import Counts
from benchmarks.contestants.flooding import FAILS_EVERY, PRINTS_EVERY, RECORDS_PER_S
from benchmarks.report import Bar, Report, progress, spread
from benchmarks.startup import environment
from benchmarks.terminal import Terminal
from loom_bench.broker import topics
from loom_bench.broker.child import memory_bytes

PARTITIONS: Final = 4
KEY_LIMIT_MS: Final = 100
GROWTH_LIMIT: Final = 0.05
THROUGHPUT_LIMIT: Final = 0.95

_SETTLED_S: Final = 5.0
"""Before this much time nothing counts: connections are made, queues fill."""

_MEMORY_SHARE: Final = 2 / 3
"""Last part of the time over which memory must be flat: 40 s of 60."""

_TIMEOUT_S: Final = 60.0
_KEY_TIMEOUT_S: Final = 10.0
_KEY_PAUSE_S: Final = (0.15, 0.35)
_FOCUS_PAUSE_S: Final = 0.5
_SPARE: Final = 1.15
"""More records than a run takes at its rate, for its start and its end."""


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    seconds: float
    alone_seconds: float

    @property
    def records(self) -> int:
        """Records that the longest run has to find."""
        return round((self.seconds + 2 * _SETTLED_S) * RECORDS_PER_S * _SPARE)


@dataclass
class Watched:
    """What was seen of the bench.

    Attributes:
        records_per_s: Throughput of the flow in it.
        keys_ms: From each key to its frame.
        memory_bytes: Its memory, once a second, after it had settled.
        counts: What it counted.
        records: Records that the flow had read when it was drained, by partition.
        painted_bytes: What it wrote to its terminal.
        cpu: Share of one processor that it took.
    """

    records_per_s: float = 0.0
    keys_ms: list[float] = field(default_factory=list)
    memory_bytes: list[int] = field(default_factory=list)
    counts: Counts | None = None
    records: dict[int, int] = field(default_factory=dict)
    painted_bytes: int = 0
    cpu: float = 0.0


def parse_options(arguments: Sequence[str] | None = None) -> Options:
    """Read the command line; ``--help`` explains it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.flood", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="under the bench")
    parser.add_argument("--alone-seconds", type=float, default=20.0, help="each time without it")
    found = parser.parse_args(arguments)
    return Options(found.seconds, found.alone_seconds)


def write_config(folder: Path, broker: str, group: str) -> Path:
    """Write the flow's configuration."""
    path = folder / "flooding.yaml"
    path.write_text(
        f"kafka: {{consumer: {{brokers: ['{broker}'], group_id: {group}}}, "
        f"producer: {{brokers: ['{broker}']}}}}\n"
    )
    return path


class Throughput:
    """What a group commits while a block runs, from when it has settled."""

    def __init__(self, broker: str, group: str) -> None:
        self._consumer = Consumer({"bootstrap.servers": broker, "group.id": group, "log_level": 0})
        self._total = committed_total(self._consumer, "drops", PARTITIONS)
        self._began: tuple[float, int] = (0.0, 0)

    def settle(self) -> None:
        """Wait until the flow has read for a while, then begin.

        Raises:
            RunFailedError: It does not read.
        """
        deadline_s = time.monotonic() + _TIMEOUT_S
        while self._total() == 0:
            if time.monotonic() > deadline_s:
                raise RunFailedError("the flow commits nothing")
            time.sleep(0.05)
        time.sleep(_SETTLED_S)
        self._began = time.monotonic(), self._total()

    def end(self) -> float:
        """Records per second since it settled."""
        began_s, began = self._began
        total = self._total()
        return (total - began) / (time.monotonic() - began_s)

    def close(self) -> None:
        """Release the client."""
        self._consumer.close()


def run_alone(broker: str, folder: Path, seconds: float) -> float:
    """Records per second of the flow without the bench."""
    group = f"alone-{uuid.uuid4().hex[:8]}"
    config = write_config(folder, broker, group)
    with (folder / "flow.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.contestants.flood_alone", str(config)],
            cwd=ROOT,
            env=environment(),
            stdout=log,
            stderr=log,
        )
    throughput = Throughput(broker, group)
    try:
        throughput.settle()
        time.sleep(seconds)
        return throughput.end()
    finally:
        throughput.close()
        process.kill()
        process.wait()


def run_watched(broker: str, folder: Path, seconds: float) -> Watched:
    """The flow under the bench, keys pressed all the while."""
    group = f"watched-{uuid.uuid4().hex[:8]}"
    write_config(folder, broker, group)
    flow, counts = folder / "flooding.py", folder / "counts.json"
    flow.write_text(Path(flooding.__file__).read_text())
    command = [sys.executable, "-m", "benchmarks.contestants.flood_watched"]
    found = Watched()
    throughput = Throughput(broker, group)
    with Terminal([*command, str(flow), broker, str(counts)], environment=environment()) as bench:
        try:
            throughput.settle()
            bench.press(b"6")  # the panel of lines
            time.sleep(_FOCUS_PAUSE_S)
            bench.press(b"\t")  # and back to the graph
            _press_and_watch(bench, _places(flow), seconds, found)
            found.records_per_s = throughput.end()
        finally:
            throughput.close()
        bench.press(b"D")
        if bench.wait(lambda text: "STOPPED" in text, _TIMEOUT_S) is None:
            raise RunFailedError("the bench did not drain")
        time.sleep(1.0)  # a value is published ten times a second
        found.records = _committed(broker, group)
        bench.press(b"Q")
        if bench.exit_code(_TIMEOUT_S) != 0:
            raise RunFailedError("the bench did not end well")
        found.painted_bytes = sum(len(each.data) for each in bench.painted())
    found.counts = msgspec.json.decode(counts.read_bytes(), type=Counts)
    return found


def _places(flow: Path) -> dict[bytes, str]:
    """What is painted of the box that each key selects: the line where it is declared."""
    lines = flow.read_text().splitlines()

    def line_of(text: str) -> int:
        return next(number for number, line in enumerate(lines, 1) if line.startswith(text))

    return {b"j": f".py:{line_of('class Pour')}", b"k": f".py:{line_of('flow = ') + 2}"}


def _press_and_watch(
    bench: Terminal, places: dict[bytes, str], seconds: float, found: Watched
) -> None:
    began_s, began_cpu_s = time.monotonic(), _cpu_s(bench.pid)
    next_look_s = began_s
    keys = _alternating(places)
    while (now_s := time.monotonic()) < began_s + seconds:
        if now_s >= next_look_s:
            next_look_s += 1.0
            found.memory_bytes.append(memory_bytes(bench.pid) or 0)
        time.sleep(random.uniform(*_KEY_PAUSE_S))
        key, place = next(keys)
        pressed_ns = bench.press(key)
        painted_ns = bench.wait(partial(_shows, place), _KEY_TIMEOUT_S, since_ns=pressed_ns)
        if painted_ns is None:
            raise RunFailedError(
                f"no answer to {key!r} within {_KEY_TIMEOUT_S:g} s:\n{bench.last_screen()}"
            )
        found.keys_ms.append((painted_ns - pressed_ns) / 1e6)
    found.cpu = (_cpu_s(bench.pid) - began_cpu_s) / (time.monotonic() - began_s)


def _shows(place: str, text: str) -> bool:
    return place in text


def _alternating(places: dict[bytes, str]) -> Iterator[tuple[bytes, str]]:
    while True:
        yield from places.items()


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _committed(broker: str, group: str) -> dict[int, int]:
    consumer = Consumer({"bootstrap.servers": broker, "group.id": group, "log_level": 0})
    try:
        return {
            place.partition: place.offset
            for place in consumer.committed(
                [TopicPartition("drops", index) for index in range(PARTITIONS)], timeout=10
            )
        }
    finally:
        consumer.close()


def _expected(records: dict[int, int], every: int) -> int:
    """How many of the records that were read have a number that *every* divides."""
    return sum(
        1
        for partition, offset in records.items()
        for number in range(partition, partition + PARTITIONS * offset, PARTITIONS)
        if number % every == 0
    )


def miscounted(found: Watched) -> int:
    """By how much what the bench says that it saw, kept and left out is wrong."""
    counts = found.counts
    if counts is None:
        raise RunFailedError("the bench told no counts")
    return (
        abs(counts.logs_seen - _expected(found.records, PRINTS_EVERY))
        + abs(counts.errors_seen - _expected(found.records, FAILS_EVERY))
        + abs(counts.logs_seen - counts.logs_left_out - counts.logs_kept)
        + abs(counts.events_seen - counts.events_left_out - counts.events_kept)
    )


def growth(memory: Sequence[int]) -> float:
    """By what share memory grew over the last part of the time."""
    last = memory[-max(6, round(len(memory) * _MEMORY_SHARE)) :]
    return median(last[-3:]) / median(last[:3]) - 1


def report_of(alone: Sequence[float], found: Watched, options: Options) -> Report:
    """Figures and bars."""
    report = Report("flood")
    p99_ms = quantiles(found.keys_ms, n=100)[98]
    by_alone = found.records_per_s / median(alone)
    wrong = miscounted(found)
    report.figures["alone_records_per_s"] = spread(alone)
    report.figures["watched_records_per_s"] = round(found.records_per_s)
    report.figures["key_to_frame_ms"] = spread(found.keys_ms)
    report.figures["key_to_frame_p99_ms"] = round(p99_ms, 1)
    report.figures["memory_mib"] = [round(each / 2**20, 1) for each in found.memory_bytes]
    report.figures["painted_kib"] = round(found.painted_bytes / 1024)
    report.figures["bench_cpu_share"] = round(found.cpu, 3)
    report.figures["counts"] = msgspec.to_builtins(found.counts)
    report.figures["setting"] = {
        "seconds": options.seconds,
        "records_per_s": RECORDS_PER_S,
        "lines_per_s": RECORDS_PER_S // PRINTS_EVERY,
        "failures_per_s": RECORDS_PER_S // FAILS_EVERY,
        "terminal": "120x36",
        "broker": "embedded",
        "cpus": os.cpu_count(),
    }
    report.bars.append(Bar("key to frame, p99, ms", p99_ms, "<=", KEY_LIMIT_MS))
    report.bars.append(
        Bar("growth of the bench's memory", growth(found.memory_bytes), "<=", GROWTH_LIMIT)
    )
    report.bars.append(Bar("throughput by that without it", by_alone, ">=", THROUGHPUT_LIMIT))
    report.bars.append(Bar("miscounted lines, failures and events", wrong, "==", 0))
    return report


def drops(count: int) -> Iterator[tuple[int, bytes, bytes]]:
    """The records of the source topic."""
    for number in range(count):
        yield number % PARTITIONS, b"drop", b'{"id":%d}' % number


def main() -> int:
    """Run the benchmark; 0 when it was measured, whether or not the bars are met."""
    options = parse_options()
    alone: list[float] = []
    try:
        with (
            open_broker(None) as broker,
            tempfile.TemporaryDirectory(prefix="benchmark-") as scratch,
        ):
            names = ("drops", "puddles", "floods")
            topics.create_topics(broker, dict.fromkeys(names, PARTITIONS))
            progress(f"writing {options.records:,} records")
            prefill(broker, "drops", drops(options.records))
            alone.append(run_alone(broker, Path(scratch), options.alone_seconds))
            progress(f"without the bench  {alone[-1]:>9,.0f} records/s")
            found = run_watched(broker, Path(scratch), options.seconds)
            progress(f"under the bench    {found.records_per_s:>9,.0f} records/s")
            alone.append(run_alone(broker, Path(scratch), options.alone_seconds))
            progress(f"without the bench  {alone[-1]:>9,.0f} records/s")
        report = report_of(alone, found, options)
    except RunFailedError as error:
        progress(f"failed: {error}")
        return 1
    report.emit()
    return 0


if __name__ == "__main__":
    sys.exit(main())
