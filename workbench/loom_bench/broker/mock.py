"""The fallback broker: librdkafka's mock cluster in its own process, with faults on request."""

import json
import queue
import sys
import threading
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import IO, Any, Literal

from loom_bench.broker import topics
from loom_bench.broker.child import Child, memory_bytes, package_environment
from loom_bench.broker.contract import BrokerError
from loom_bench.broker.librdkafka import library_path
from loom_bench.broker.own_broker import OwnBroker
from loom_bench.protocol.security import ClientSettings

# librdkafka 2.16, rdkafka_mock.c: 5 MiB or 100,000 batches a partition.
LIMITS = (
    "Each partition keeps about 5 MB; beyond that the oldest records are lost without a word.",
    "A topic made by its first use gets 4 partitions; Kafka's own tools cannot create one.",
    "Data is kept in memory only and ends with the broker.",
    "Offsets cannot be found by time, and records of aborted transactions are visible.",
)
ALL_BROKERS = -1
DROP_CONNECTION = -195
"""Pushed as an error: the broker drops the connection instead of answering."""

_ANSWER_TIMEOUT_S = 5.0
_TOPIC_ALREADY_EXISTS = 36  # in the Kafka protocol


class MockCallError(BrokerError):
    """The mock broker did not do what it was told; `code` is librdkafka's error, 0 without one."""

    def __init__(self, code: int, what: str, where: str, what_next: str) -> None:
        super().__init__(what, where, what_next)
        self.code = code


class RequestKind(IntEnum):
    """Kafka request kinds that tests make fail, by their numbers in the protocol (API keys)."""

    PRODUCE = 0
    FETCH = 1
    LIST_OFFSETS = 2
    METADATA = 3
    OFFSET_COMMIT = 8
    OFFSET_FETCH = 9
    FIND_COORDINATOR = 10
    JOIN_GROUP = 11
    HEARTBEAT = 12
    CREATE_TOPICS = 19
    INIT_PRODUCER_ID = 22
    ADD_PARTITIONS_TO_TXN = 24
    END_TXN = 26


class MockBroker(OwnBroker):
    """A running mock cluster that dies with this process, SIGKILL included.

    Errors are given as Kafka protocol numbers, such as `KafkaError.REQUEST_TIMED_OUT`. Every
    method that talks to the process raises BrokerError when it refuses or has ended.
    """

    kind: Literal["mock"] = "mock"
    lasting = None
    limits = LIMITS

    def __init__(self, process: Child, answers: "_Answers", bootstrap: str) -> None:
        self._process = process
        self._answers = answers
        self._bootstrap = bootstrap
        self._talking = threading.Lock()
        self.reason = "Stands in for the embedded broker, which has no binary for this platform."

    @classmethod
    def start(cls, *, brokers: int = 1, ready_timeout_s: float = 10.0) -> "MockBroker":
        """Start a mock cluster of `brokers` brokers on free loopback ports.

        Raises:
            BrokerError: no librdkafka was found, or the process did not come up in time.
        """
        library = library_path()
        if library is None:
            raise BrokerError(
                "the mock broker needs the librdkafka that comes with confluent-kafka",
                sys.executable,
                "Install confluent-kafka from a wheel, or use --broker HOST:PORT.",
            )
        try:
            process = Child.start(_command(library, brokers), env=package_environment())
        except OSError as error:
            raise _not_started(str(error)) from error
        answers = _Answers(process)
        first = answers.next(ready_timeout_s)
        if not first:
            tail = process.output_tail()
            process.kill()
            answers.end()
            raise _not_started(tail or f"it said nothing within {ready_timeout_s:g} s")
        return cls(process, answers, json.loads(first)["bootstrap"])

    @property
    def bootstrap(self) -> str:
        """The brokers' addresses, separated by commas."""
        return self._bootstrap

    @property
    def pid(self) -> int:
        """Process id of the mock cluster."""
        return self._process.pid

    def alive(self) -> bool:
        """Whether its process runs; brokers set down do not change that."""
        return self._process.exit_code() is None

    def memory_bytes(self) -> int | None:
        """Resident memory of its process in bytes; None when it has ended or cannot be read."""
        return memory_bytes(self.pid) if self.alive() else None

    def create_topics(
        self,
        partitions: Mapping[str, int],
        security: ClientSettings | None = None,  # noqa: ARG002 - it asks nobody who they are
    ) -> None:
        """Create topics that do not exist yet, by name and number of partitions.

        Raises:
            BrokerError: one exists with another number of partitions, or the process has ended.
        """
        for topic, count in partitions.items():
            try:
                self._call("create_topic", topic, count)
            except MockCallError as error:
                if error.code != _TOPIC_ALREADY_EXISTS:
                    raise
                topics.check_counts(self._bootstrap, {topic: count})

    def push_request_errors(self, kind: RequestKind, errors: Sequence[int]) -> None:
        """Answer the next requests of a kind, on any broker, with these errors in turn."""
        self._call("push_request_errors", kind, list(errors))

    def push_broker_request_errors(
        self, broker_id: int, kind: RequestKind, errors_and_delays_ms: Sequence[tuple[int, int]]
    ) -> None:
        """The same on one broker (ids from 1), each error (0 for none) with its answer's delay."""
        self._call("push_broker_request_errors", broker_id, kind, list(errors_and_delays_ms))

    def clear_request_errors(self, kind: RequestKind) -> None:
        """Forget what `push_request_errors` left for a kind of request."""
        self._call("clear_request_errors", kind)

    def set_broker_down(self, broker_id: int = ALL_BROKERS) -> None:
        """Drop its connections and refuse new ones. Data stays; leaderships do not move."""
        self._call("set_broker_down", broker_id)

    def set_broker_up(self, broker_id: int = ALL_BROKERS) -> None:
        """Accept connections again."""
        self._call("set_broker_up", broker_id)

    def set_rtt(self, rtt_ms: int, broker_id: int = ALL_BROKERS) -> None:
        """Delay every answer by so many milliseconds."""
        self._call("set_rtt", broker_id, rtt_ms)

    def set_partition_leader(self, topic: str, partition: int, broker_id: int) -> None:
        """Move a partition's leadership; -1 leaves it without a leader."""
        self._call("set_partition_leader", topic, partition, broker_id)

    def set_topic_error(self, topic: str, error: int) -> None:
        """Answer metadata requests for a topic with an error; 0 ends it."""
        self._call("set_topic_error", topic, error)

    def set_group_coordinator(self, group: str, broker_id: int) -> None:
        """Make a broker the coordinator of a consumer group."""
        self._call("set_group_coordinator", group, broker_id)

    def delete_records(self, topic: str, partition: int, before_offset: int) -> None:
        """Make `before_offset` the first offset of a partition, as retention does."""
        self._call("delete_records", topic, partition, before_offset)

    def delete_topic(self, topic: str) -> None:
        """Delete a topic with its records."""
        self._call("delete_topic", topic)

    def stop(self) -> None:
        """Kill the process; there is nothing to save. May be called twice."""
        self._process.kill()
        self._answers.end()

    def _call(self, name: str, *arguments: Any) -> None:
        request = json.dumps({"call": name, "args": arguments}).encode()
        with self._talking:
            try:
                self._process.write_line(request)
                answer = self._answers.next(_ANSWER_TIMEOUT_S)
            except (OSError, ValueError):
                answer = b""
            if not answer:
                # One that came later would be taken for the answer to the next call.
                self.stop()
        ended = {"error": "its process has ended", "code": 0}
        said: dict[str, Any] = json.loads(answer) if answer else ended
        if "error" in said:
            raise MockCallError(
                said["code"],
                f"the mock broker did not do {name}: {said['error']}",
                self._bootstrap,
                "Check the arguments; start a new mock broker if it has ended.",
            )


class _Answers:
    """The lines that the process writes, read on a thread: no pipe of Windows reads with a limit
    of time."""

    def __init__(self, process: Child) -> None:
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._thread = threading.Thread(
            target=self._read, args=(process.stdout,), name="mock-broker-answers", daemon=True
        )
        self._thread.start()

    def next(self, timeout_s: float) -> bytes:
        """The next line; empty when none came in time, or will."""
        try:
            return self._lines.get(timeout=timeout_s)
        except queue.Empty:
            return b""

    def end(self) -> None:
        """Wait until the thread has read the end that the process left."""
        self._thread.join(_ANSWER_TIMEOUT_S)

    def _read(self, stdout: IO[bytes]) -> None:
        with stdout:
            for line in stdout:
                self._lines.put(line)
        self._lines.put(b"")


def _command(library: str, brokers: int) -> list[str]:
    module = "loom_bench.broker.mock_process"
    # -P: nothing in the working folder may stand in for a module of the standard library.
    return [sys.executable, "-P", "-m", module, library, str(brokers)]


def _not_started(cause: str) -> BrokerError:
    return BrokerError(
        f"the mock broker did not start: {cause}",
        sys.executable,
        "Run again; if it persists, use --broker HOST:PORT.",
    )
