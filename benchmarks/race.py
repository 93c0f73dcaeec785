"""One run of one contestant: start it, watch it finish, check what it wrote.

The clock, for every contestant alike, runs from its first call of the shared pricing function to
the moment the whole input is written and recorded as done: its group's committed offsets, asked of
the broker every 5 ms, have reached the end of the source topic. Bytewax's connectors commit to no
group, so theirs stops when the run has returned, its last epoch in its recovery store. Process
start, imports and the wait for the first record lie before the clock and are told apart as
``startup_s``.
"""

from __future__ import annotations

import tempfile
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from confluent_kafka import Consumer, Message
from msgspec.structs import asdict

from benchmarks.broker import committed_total, read_all
from benchmarks.child import Child, RunFailedError
from benchmarks.job import HEADERS, PARTITIONS, Priced, Task, make_order
from loom_bench.broker import topics

_WATCH_INTERVAL_S: Final = 0.005
_RUN_TIMEOUT_S: Final = 120.0

_JSON: Final = msgspec.json.Decoder(Priced)
_ENCODER: Final = msgspec.json.Encoder()

Wire = Literal["json", "loom"]


@dataclass(frozen=True)
class Contestant:
    """Who runs, and how its run ends.

    Attributes:
        name: Key of its figures.
        module: Module that is started, with the task as its argument.
        python: Interpreter that runs it.
        wire: Format of its source and output topics.
        commits: Whether its group's committed offsets tell the end; else it says ``done``.
        steps: Record steps in its chain.
        headers: Whether its records carry headers.
        logs: Whether it may log every record, where that is its default.
        tuned: Whether its client gets the shared settings.
        idempotent: Whether its producer is idempotent.
    """

    name: str
    module: str
    python: str
    wire: Wire = "json"
    commits: bool = True
    steps: int = 1
    headers: bool = False
    logs: bool = False
    tuned: bool = True
    idempotent: bool = False


@dataclass(frozen=True)
class Outcome:
    """What one run measured.

    Attributes:
        records_per_s: Records by the seconds of the clock.
        startup_s: Process start to the first record priced.
        checksum: Of all it wrote, in any order: equal for equal output.
    """

    records_per_s: float
    startup_s: float
    checksum: str


def run_once(contestant: Contestant, broker: str, source: str, records: int, run: str) -> Outcome:
    """Run a contestant over ``records`` records of ``source``, its group and output topic fresh.

    Raises:
        RunFailedError: The run or its output is not as it should be.
    """
    sink = f"priced-{run}"
    topics.create_topics(broker, {sink: PARTITIONS})
    try:
        with tempfile.TemporaryDirectory(prefix="benchmark-") as scratch:
            task = Task(
                broker=broker,
                source=source,
                sink=sink,
                group=f"group-{run}",
                records=records,
                steps=contestant.steps,
                headers=contestant.headers,
                logs=contestant.logs,
                tuned=contestant.tuned,
                idempotent=contestant.idempotent,
                scratch=scratch,
            )
            seconds, startup_s = _time(contestant, task)
        checksum = _verify(contestant, task)
    finally:
        topics.delete_topics(broker, [sink])
    return Outcome(records / seconds, startup_s, checksum)


def _time(contestant: Contestant, task: Task) -> tuple[float, float]:
    """Seconds on the clock, and seconds before it."""
    log = Path(task.scratch) / "stderr.log"
    started_ns = time.monotonic_ns()
    with Child(contestant.python, contestant.module, task, log) as child:
        first = child.wait("first", _RUN_TIMEOUT_S)
        if first is None:
            raise RunFailedError(f"{contestant.name}: no record was priced\n{child.log_tail()}")
        if contestant.commits:
            done_ns = _watch_commits(contestant.name, child, task)
        else:
            done = child.wait("done", _RUN_TIMEOUT_S)
            if done is None:
                raise RunFailedError(f"{contestant.name}: it did not end\n{child.log_tail()}")
            done_ns = done.at_ns
    return (done_ns - first.at_ns) / 1e9, (first.at_ns - started_ns) / 1e9


def _watch_commits(name: str, child: Child, task: Task) -> int:
    watcher = Consumer({"bootstrap.servers": task.broker, "group.id": task.group})
    committed = committed_total(watcher, task.source, PARTITIONS)
    deadline_s = time.monotonic() + _RUN_TIMEOUT_S
    try:
        while True:
            exit_code = child.exit_code()
            total = committed()
            now_ns = time.monotonic_ns()
            if total == task.records:
                return now_ns
            if exit_code is not None or time.monotonic() > deadline_s:
                raise RunFailedError(
                    f"{name}: {total} of {task.records} records were committed, "
                    f"exit code {exit_code}\n{child.log_tail()}"
                )
            time.sleep(_WATCH_INTERVAL_S)
    finally:
        watcher.close()


class _Check:
    """Compares every record of an output topic with what it must be."""

    def __init__(self, contestant: Contestant, records: int) -> None:
        self._contestant = contestant
        self._decode = _envelope_payload if contestant.wire == "loom" else _JSON.decode
        self._seen = bytearray(records)
        self.checksum = 0

    @property
    def missing(self) -> int:
        """Orders that were not seen."""
        return self._seen.count(0)

    def visit(self, message: Message) -> None:
        """Check value, key and headers of one record, and that its order was not seen before."""
        value = message.value()
        assert value is not None
        row = self._decode(value)
        order = make_order(row.id)
        expected = Priced(**asdict(order), total_cents=order.quantity * order.unit_cents)
        if row != expected:
            raise RunFailedError(f"{self._contestant.name}: {row} written, {expected} expected")
        if self._seen[row.id]:
            raise RunFailedError(f"{self._contestant.name}: order {row.id} was written twice")
        if message.key() != row.customer.encode():
            raise RunFailedError(f"{self._contestant.name}: wrong key {message.key()!r}")
        if self._contestant.headers and not set(HEADERS) <= set(_headers(message)):
            raise RunFailedError(f"{self._contestant.name}: headers lost: {message.headers()}")
        self._seen[row.id] = 1
        self.checksum ^= zlib.crc32(_ENCODER.encode(row))


def _verify(contestant: Contestant, task: Task) -> str:
    """Check the whole output, and its size by true end offsets; return its checksum."""
    check = _Check(contestant, task.records)
    read_all(task.broker, task.sink, PARTITIONS, check.visit)
    written = sum(topics.end_offsets(task.broker, task.sink).values())
    if written != task.records or check.missing:
        raise RunFailedError(
            f"{contestant.name}: {written} records written, {task.records} expected, "
            f"{check.missing} orders missing"
        )
    return f"{check.checksum:08x}"


def _envelope_payload(value: bytes) -> Priced:
    envelope: dict[str, Any] = msgspec.msgpack.decode(value)
    return msgspec.convert(envelope["payload"], Priced)


def _headers(message: Message) -> list[tuple[str, str | bytes | None]]:
    found = message.headers()
    return found if isinstance(found, list) else []
