"""One trial of the durability benchmark: a flow, interrupted again and again, and its output."""

from __future__ import annotations

import random
import socket
import sys
import tempfile
import time
import uuid
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import msgspec
from confluent_kafka import Consumer, KafkaError, TopicPartition

from benchmarks.broker import prefill, reader
from benchmarks.child import Child, RunFailedError
from benchmarks.headway import Headway, unrecorded
from benchmarks.movements import (
    PARTITIONS,
    Life,
    OutputCheck,
    Row,
    expected_rows,
    movement_records,
)
from benchmarks.report import progress
from loom_bench.broker import topics

EPOCH_INTERVAL_MS: Final = 50
BATCH_RECORDS: Final = 100
"""Small, so that an epoch is written in several goes and a kill can fall between them."""

DRAIN_TIMEOUT_S: Final = 30.0
_START_TIMEOUT_S: Final = 30.0
_STALL_S: Final = 30.0
_LATE_WRITES_S: Final = 0.05
_QUIET_S: Final = 2.0
_START_UP_S: Final = 0.5
_SHARE_BEFORE_FIRST: Final = 0.15
_USUAL_RECORDS_PER_S: Final = 30_000.0

Interruption = Literal["kill", "drain"]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What is tried.

    Attributes:
        module: The child to run.
        stateful: Which of the two flows.
        interruption: SIGKILL, or a drain that the child is asked for with the line ``drain``.
        processes: Processes of the flow; more than one make a cluster.
        records: Records of the source topic.
        interruptions: How often it is interrupted before it may finish.
        seed: Of the random moments.
    """

    module: str
    stateful: bool
    interruption: Interruption
    processes: int
    records: int
    interruptions: int
    seed: int

    @property
    def name(self) -> str:
        """Short and unique among the trials of one invocation."""
        kind = "stateful" if self.stateful else "stateless"
        where = "one process" if self.processes == 1 else f"{self.processes} processes"
        return f"{kind}, {self.interruption}, {where}"


@dataclass
class Findings:
    """What came of a trial.

    Attributes:
        check: Lost, wrong and repeated rows.
        at_work: Interruptions that came after a life's first record and before the last record.
        failed_drains: Drains that took over 30 s or ended with another exit code than 0.
        epochs: For every interruption, what the flow had read past its last recorded epoch; empty
            when the child doesn't tell.
        fetched_again: How often a fetch of the output had passed over a batch.
        seconds: Duration of the trial.
    """

    check: OutputCheck
    at_work: int = 0
    failed_drains: int = 0
    epochs: list[int] = field(default_factory=list)
    fetched_again: int = 0
    seconds: float = 0.0

    @property
    def excess(self) -> int | None:
        """Interruptions after which more was repeated than the interrupted epoch had read."""
        if not self.epochs:
            return None
        after_each = zip(self.check.repeated[1:], self.epochs, strict=True)
        return sum(repeated > read for repeated, read in after_each)


class _Output:
    """Follows the output topic and shows its rows to the check, in the order of each partition."""

    def __init__(self, broker: str, topic: str, check: OutputCheck) -> None:
        self._broker = broker
        self._topic = topic
        self._check = check
        self._positions = dict.fromkeys(range(PARTITIONS), 0)
        self.fetched_again = 0
        self._decode = msgspec.json.Decoder(Row).decode
        self._consumer: Consumer = reader(broker, topic, PARTITIONS)

    def poll(self, timeout_s: float) -> None:
        """Take what has come."""
        sought: set[int] = set()
        for message in self._consumer.consume(5_000, timeout_s):
            error = message.error()
            if error is not None:
                if error.code() == KafkaError._PARTITION_EOF:
                    continue
                raise RunFailedError(f"cannot read {self._topic!r}: {error}")
            value, partition, offset = message.value(), message.partition(), message.offset()
            assert value is not None
            assert partition is not None
            assert offset is not None
            expected = self._positions[partition]
            if offset != expected:
                # The embedded broker moves a partition's end before it has stored the batch. While
                # both processes write there, a fetch in between gives the next batch and passes
                # over this one: it is fetched again instead of being counted as lost.
                if offset > expected and partition not in sought:
                    sought.add(partition)
                    self.fetched_again += 1
                    self._consumer.seek(TopicPartition(self._topic, partition, expected))
                continue
            self._check.visit(self._decode(value))
            self._positions[partition] = offset + 1

    def catch_up(self) -> None:
        """Take everything there is, once nobody writes any more."""
        # What a killed client had sent may still be on its way through the broker.
        time.sleep(_LATE_WRITES_S)
        ends = topics.end_offsets(self._broker, self._topic)
        deadline_s = time.monotonic() + _STALL_S
        while any(self._positions[index] < end for index, end in ends.items()):
            if time.monotonic() > deadline_s:
                raise RunFailedError(f"{self._topic!r} could not be read to its end")
            self.poll(0.05)

    def close(self) -> None:
        """Close the consumer."""
        self._consumer.close()


@dataclass
class _Clock:
    """Chooses random moments so that the interruptions are spread over the whole input."""

    random: random.Random
    records_per_s: float = _USUAL_RECORDS_PER_S
    _rates: list[float] = field(default_factory=list)

    def life_s(self, remaining: int, interruptions_left: int) -> float:
        """Seconds from a life's first record to its interruption."""
        mean_s = remaining / (interruptions_left + 1) / self.records_per_s
        return self.random.uniform(0, 2 * min(2.0, max(0.02, mean_s)))

    def learn(self, records: int, seconds: float) -> None:
        """Remember how fast a life was."""
        if records > 0 and seconds > 0:
            self._rates.append(records / seconds)
            self.records_per_s = sorted(self._rates)[len(self._rates) // 2]


def run_trial(trial: Trial, broker: str) -> Findings:
    """Run a trial on topics, a group and a store of its own.

    Raises:
        RunFailedError: A child would not start, or the output could not be read.
    """
    run = uuid.uuid4().hex[:8]
    source, sink = f"movements-{run}", f"rows-{run}"
    topics.create_topics(broker, {source: PARTITIONS, sink: PARTITIONS})
    prefill(broker, source, movement_records(trial.records))
    with tempfile.TemporaryDirectory(prefix="durability-") as scratch, ExitStack() as cleanup:
        cleanup.callback(topics.delete_topics, broker, [source, sink])
        store = Path(scratch) / "store"
        store.mkdir()
        life = Life(
            broker=broker,
            source=source,
            sink=sink,
            group=f"movements-{run}",
            store=str(store),
            stateful=trial.stateful,
            epoch_interval_ms=EPOCH_INTERVAL_MS,
            batch_records=BATCH_RECORDS,
            headway=str(Path(scratch) / "headway-0"),
        )
        session = _Session(trial, life, Path(scratch) / "stderr.log")
        cleanup.callback(session.output.close)
        return session.run()


class _Session:
    """The lives of one flow, one after the other."""

    def __init__(self, trial: Trial, life: Life, log: Path) -> None:
        self.trial = trial
        self.life = life
        self.log = log
        self.findings = Findings(OutputCheck(expected_rows(trial.stateful, trial.records)))
        self.output = _Output(life.broker, life.sink, self.findings.check)
        self.random = random.Random(trial.seed)
        self.clock = _Clock(self.random)
        self.lives = self._lives()
        self.headways = [Headway(Path(one.headway)) for one in self.lives]

    def _lives(self) -> list[Life]:
        if self.trial.processes == 1:
            return [self.life]
        folder = Path(self.life.headway).parent
        return [
            msgspec.structs.replace(
                self.life, process_id=index, headway=str(folder / f"headway-{index}")
            )
            for index in range(self.trial.processes)
        ]

    def run(self) -> Findings:
        """Interrupt the flow as often as asked, then let it finish."""
        started_s = time.monotonic()
        for done in range(self.trial.interruptions):
            self._interrupted_life(self.trial.interruptions - done)
        self._last_life()
        if not any(handled for one in self.headways for handled, _ in one.positions()):
            self.findings.epochs.clear()
        self.findings.seconds = time.monotonic() - started_s
        self.findings.fetched_again = self.output.fetched_again
        return self.findings

    def _start(self, cleanup: ExitStack) -> list[Child]:
        lives = self.lives
        if self.trial.processes > 1:
            addresses = _free_addresses(self.trial.processes)
            lives = [msgspec.structs.replace(one, addresses=addresses) for one in lives]
        return [
            cleanup.enter_context(Child(sys.executable, self.trial.module, life, self.log))
            for life in lives
        ]

    def _interrupted_life(self, interruptions_left: int) -> None:
        check = self.findings.check
        before, remaining = check.distinct, check.lost
        with ExitStack() as cleanup:
            children = self._start(cleanup)
            early = self.random.random() < _SHARE_BEFORE_FIRST and self.trial.processes == 1
            if early or remaining == 0:
                time.sleep(self.random.uniform(0, _START_UP_S))
                worked_s = 0.0
            else:
                self._await_first(children)
                worked_s = self.clock.life_s(remaining, interruptions_left)
                time.sleep(worked_s)
            self._interrupt(children)
        self.output.catch_up()
        check.interrupted()
        self.findings.epochs.append(unrecorded(self.headways))
        gained = check.distinct - before
        self.clock.learn(gained, worked_s)
        self.findings.at_work += worked_s > 0 and check.lost > 0
        when = f"after {worked_s * 1e3:.0f} ms" if worked_s else "at a random moment of its start"
        progress(
            f"{self.trial.name}: {self.trial.interruptions - interruptions_left + 1}"
            f"/{self.trial.interruptions} {when}, {gained:,} new rows, "
            f"{check.lost:,} to go, {check.repeated[-2]:,} repeated, "
            f"{self.findings.epochs[-1]:,} read since an epoch was recorded"
        )

    def _await_first(self, children: list[Child]) -> None:
        deadline_s = time.monotonic() + _START_TIMEOUT_S
        while not any(child.all("first") for child in children):
            codes = [child.exit_code() for child in children]
            if time.monotonic() > deadline_s or None not in codes:
                raise RunFailedError(
                    f"{self.trial.name}: no record was processed, exit codes {codes}\n"
                    f"{children[0].log_tail()}"
                )
            time.sleep(0.002)

    def _interrupt(self, children: list[Child]) -> None:
        if self.trial.interruption == "kill":
            # In a cluster one process is enough: the others must not outlive it for long.
            self.random.choice(children).kill()
            if self.random.random() < 0.5:
                for child in children:
                    child.wait_for_exit(2)
            for child in children:
                child.kill()
            return
        for child in children:
            child.say("drain")
        deadline_s = time.monotonic() + DRAIN_TIMEOUT_S
        codes = [child.wait_for_exit(max(0, deadline_s - time.monotonic())) for child in children]
        if codes != [0] * len(children):
            self.findings.failed_drains += 1
            progress(f"{self.trial.name}: drain ended with {codes}\n{children[0].log_tail()}")

    def _await_quiet(self) -> None:
        """Wait until no row has come for a while, new or repeated."""
        check = self.findings.check
        rows, moved_s = -1, time.monotonic()
        while time.monotonic() - moved_s < _QUIET_S:
            self.output.poll(0.1)
            now_rows = check.distinct + sum(check.repeated)
            if now_rows != rows:
                rows, moved_s = now_rows, time.monotonic()

    def _last_life(self) -> None:
        """Let it run until every movement has a row, or none came for 30 s; then stop it."""
        check = self.findings.check
        with ExitStack() as cleanup:
            children = self._start(cleanup)
            distinct, moved_s = check.distinct, time.monotonic()
            while check.lost and time.monotonic() - moved_s < _STALL_S:
                self.output.poll(0.1)
                if check.distinct > distinct:
                    distinct, moved_s = check.distinct, time.monotonic()
                if None not in [child.exit_code() for child in children]:
                    break
            # Whatever it would still write again follows without a pause.
            self._await_quiet()
            self._interrupt(children)
        self.output.catch_up()


def _free_addresses(count: int) -> tuple[str, ...]:
    with ExitStack() as cleanup:
        probes = [cleanup.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return tuple(f"127.0.0.1:{probe.getsockname()[1]}" for probe in probes)
