"""The durability benchmark's flows in loom_runtime's public DSL.

The line ``drain`` on standard input drains the run. Every epoch is signalled as ``epoch`` with the
number of records that it read.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from benchmarks.job import CONSUMER_SETTINGS, PRODUCER_SETTINGS, signal
from benchmarks.movements import Life
from benchmarks.pace import pace
from loom_runtime import (
    FromTopic,
    IntoTopic,
    LoomFrozenStruct,
    Message,
    Process,
    RecordStep,
    StatefulStep,
    StreamFlow,
    StreamingRunner,
)
from loom_runtime.ledger import LedgerReport


class Movement(LoomFrozenStruct, frozen=True):
    """One record of the source topic."""

    id: int
    account: int
    amount: int


class Row(LoomFrozenStruct, frozen=True):
    """One record of the output topic."""

    id: int
    account: int
    count: int
    total: int


class Balance(LoomFrozenStruct, frozen=True):
    """State of one account."""

    count: int = 0
    total: int = 0


class DoubleStep(RecordStep[Movement, Row]):
    """The stateless flow."""

    def execute(self, message: Message[Movement]) -> Row:
        """Double the amount."""
        pace()
        movement = message.payload
        return Row(movement.id, movement.account, 0, 2 * movement.amount)


class BalanceStep(StatefulStep[Movement, Row, Balance]):
    """The stateful flow: count and sum per account."""

    def key(self, message: Message[Movement]) -> str:
        """The account."""
        return str(message.payload.account)

    def initial(self) -> Balance:
        """An account that was never seen."""
        return Balance()

    def execute(self, state: Balance, message: Message[Movement]) -> tuple[Balance, Iterable[Row]]:
        """Add one movement."""
        pace()
        movement = message.payload
        after = Balance(state.count + 1, state.total + movement.amount)
        return after, [Row(movement.id, movement.account, after.count, after.total)]


class EpochReads:
    """Signals how much every epoch read."""

    def __init__(self) -> None:
        self._consumed = 0

    def __call__(self, report: LedgerReport) -> None:
        """Take the ledger at an epoch's end; its counters are absolute."""
        consumed = report.total("consumed")
        if consumed > self._consumed:
            signal("epoch", consumed - self._consumed)
        self._consumed = consumed


def drain_on_request(drain: Callable[[], None]) -> None:
    """Call ``drain`` when the line arrives; the end of standard input asks for nothing."""

    def listen() -> None:
        for line in sys.stdin:
            if line.strip() == "drain":
                drain()

    threading.Thread(target=listen, daemon=True).start()


def build(stateful: bool) -> StreamFlow[Movement, Row]:
    """One of the two flows."""
    return StreamFlow(
        "movements",
        FromTopic("movements", payload=Movement),
        Process(BalanceStep if stateful else DoubleStep),
        output=IntoTopic("rows", payload=Row),
    )


def config_of(life: Life) -> dict[str, Any]:
    """The run's configuration."""
    return {
        "kafka": {
            "consumer": {
                "brokers": [life.broker],
                "group_id": life.group,
                "topics": [life.source],
                "delivery": "at_least_once",
                "batch_size": life.batch_records,
                "extra": CONSUMER_SETTINGS,
            },
            "producer": {
                "brokers": [life.broker],
                "topic": life.sink,
                "extra": PRODUCER_SETTINGS,
            },
        },
        "streaming": {
            "runtime": {
                "epoch_interval_ms": life.epoch_interval_ms,
                "process_id": life.process_id,
                "addresses": list(life.addresses) or None,
                "recovery": {"db_dir": life.store},
            }
        },
    }


def run(life: Life) -> None:
    """Run until the process is killed or drained."""
    runner = StreamingRunner.from_dict(build(life.stateful), config_of(life))
    runner.on_report(EpochReads())
    drain_on_request(runner.drain)
    runner.run()


if __name__ == "__main__":
    run(msgspec.json.decode(sys.argv[1], type=Life))
