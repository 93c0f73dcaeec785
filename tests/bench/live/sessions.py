"""A live session of a flow that tests write, and ways to wait for what it shows."""

import json
import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from types import TracebackType
from typing import Any, Self

from confluent_kafka import Consumer, TopicPartition

from loom_bench.session.live.session import LiveSession
from loom_bench.session.value import Phase, SessionValue
from tests.bench.processes import await_true, running

TIMEOUT_S = 20.0

FLOW = """
import itertools

from loom_runtime import (
    FromTopic, IntoTopic, LoomStruct, Message, Process, RecordStep, StatefulStep, StreamFlow,
)


class Order(LoomStruct):
    id: int
    mark: str = ""
    count: int = 0


class Mark(RecordStep[Order, Order]):
    def execute(self, message: Message[Order]) -> Order:
        return Order(message.payload.id, "first")


class Seen(LoomStruct):
    count: int = 0


class Number(StatefulStep[Order, Order, Seen]):
    def key(self, message):
        return "all"

    def initial(self):
        return Seen()

    def execute(self, state, message):
        order = message.payload
        return Seen(state.count + 1), [Order(order.id, order.mark, state.count + 1)]


flow = StreamFlow(
    "orders",
    source=FromTopic("orders", payload=Order),
    process=Process(Mark),
    output=IntoTopic("numbered", payload=Order),
)


def bench_feed():
    for number in itertools.count():
        yield str(number), Order(number)
"""

STATEFUL_FLOW = FLOW.replace("Process(Mark)", "Process(Mark, Number)")


class Live:
    """A session, and the file that its flow is in."""

    def __init__(self, folder: Path, text: str = FLOW, **options: Any) -> None:
        self.path = folder / "orders.py"
        self.path.write_text(dedent(text))
        self.session = LiveSession.open(str(self.path), **options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.session.close()

    @property
    def value(self) -> SessionValue:
        return self.session.value()

    def edit(self, old: str, new: str) -> None:
        """Replace text in the file as an editor does: a new file takes the old one's place."""
        text = self.path.read_text()
        assert old in text
        saved = self.path.with_suffix(".saved")
        saved.write_text(text.replace(old, new))
        saved.replace(self.path)

    def until(
        self,
        condition: Callable[[SessionValue], object],
        what: str,
        *,
        timeout_s: float = TIMEOUT_S,
    ) -> SessionValue:
        """Wait for a value of which *condition* holds, and return it; *what* says it in words."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            value = self.value
            if condition(value):
                return value
            assert time.monotonic() < deadline_s, f"not within {timeout_s} s: {what}\n{told(value)}"
            time.sleep(0.01)

    def until_phase(self, phase: Phase) -> SessionValue:
        return self.until(lambda value: value.phase is phase, f"the phase is {phase}")

    def until_reading(self, node: str = "Mark", *, more_than: int = 0) -> SessionValue:
        """Wait until *node* of what runs has taken records."""
        return self.until(
            lambda value: (
                value.phase is Phase.RUNNING
                and node in value.nodes
                and value.nodes[node].records_in > more_than
            ),
            f"{node} has taken more than {more_than} records",
        )

    def until_noticed(self, text: str) -> SessionValue:
        return self.until(
            lambda value: any(text in notice.text for notice in value.notices),
            f"a notice with {text!r}",
        )

    def until_revision(self, number: int, state: str = "running") -> SessionValue:
        return self.until(
            lambda value: (
                value.revisions
                and value.revisions[-1].number == number
                and value.revisions[-1].state == state
            ),
            f"revision {number} is {state}",
        )

    def flow_pid(self) -> int:
        """Process id of the first host that said its own, as the first revision does first."""
        lines = [line.text for line in self.value.logs if line.text.startswith("pid ")]
        return int(lines[0].removeprefix("pid "))


SAYS_PID = "import os; print('pid', os.getpid())\n"
"""Put into a flow's module so that a test knows its process."""


class OutputReader:
    """Reads an output topic of a session's broker as it grows."""

    def __init__(
        self, value: SessionValue, topic: str = "numbered", *, partitions: int = 4
    ) -> None:
        self.records: list[dict[str, Any]] = []
        self._consumer = Consumer(
            {
                "bootstrap.servers": value.broker.bootstrap,
                "group.id": "tests",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 20,
                "log_level": 0,
            }
        )
        self._consumer.assign(
            [TopicPartition(topic, partition, 0) for partition in range(partitions)]
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def until(self, condition: Callable[[list[dict[str, Any]]], bool], what: str) -> None:
        """Read until *condition* holds of all records."""

        def holds() -> bool:
            for message in self._consumer.consume(5_000, 0.05):
                if message.error() is None:
                    self.records.append(json.loads(message.value() or b"null"))
            return condition(self.records)

        await_true(holds, what, timeout_s=TIMEOUT_S)

    def until_mark(self, mark: str) -> None:
        """Read until a record has *mark*."""
        self.until(
            lambda records: any(record["mark"] == mark for record in records),
            f"a record marked {mark!r} is written",
        )

    def until_count(self, count: int) -> None:
        """Read until there are so many."""
        self.until(lambda records: len(records) >= count, f"{count} records are written")

    @property
    def times_written(self) -> Counter[int]:
        """How often each id was written."""
        return Counter(record["id"] for record in self.records)


def told(value: SessionValue) -> str:
    """What a value says that helps to see what went wrong."""
    return "\n".join(
        [
            f"phase {value.phase}, broker {value.broker.state}, conflict {value.conflict}",
            *(f"{each.number} {each.state} {each.summary}" for each in value.revisions),
            *(f"{each.code}: {each.message}" for each in value.diagnoses),
            *(f"notice: {each.text}" for each in value.notices),
            *(f"log: {each.text}" for each in value.logs[-10:]),
        ]
    )


def ended(pid: int) -> bool:
    return not running(pid) and pid != os.getpid()
