"""The durability benchmark's flows in loom_runtime's public DSL.

The line ``drain`` on standard input drains the run. How far it gets stands in the file that the
harness names.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.headway import Headway
from benchmarks.job import CONSUMER_SETTINGS, PRODUCER_SETTINGS
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


def handled(message: Message[Movement], headway: Headway) -> None:
    """Note the record's place, and wait as :func:`~benchmarks.pace.pace` says."""
    meta = message.meta
    assert meta.partition is not None
    assert meta.offset is not None
    headway.handled(meta.partition, meta.offset)
    pace()


class DoubleStep(RecordStep[Movement, Row]):
    """The stateless flow."""

    def __init__(self, headway: Headway) -> None:
        self._headway = headway

    def execute(self, message: Message[Movement]) -> Row:
        """Double the amount."""
        handled(message, self._headway)
        movement = message.payload
        return Row(movement.id, movement.account, 0, 2 * movement.amount)


class BalanceStep(StatefulStep[Movement, Row, Balance]):
    """The stateful flow: count and sum per account."""

    def __init__(self, headway: Headway) -> None:
        self._headway = headway

    def key(self, message: Message[Movement]) -> str:
        """The account."""
        return str(message.payload.account)

    def initial(self) -> Balance:
        """An account that was never seen."""
        return Balance()

    def execute(self, state: Balance, message: Message[Movement]) -> tuple[Balance, Iterable[Row]]:
        """Add one movement."""
        handled(message, self._headway)
        movement = message.payload
        after = Balance(state.count + 1, state.total + movement.amount)
        return after, [Row(movement.id, movement.account, after.count, after.total)]


def note_epochs(headway: Headway) -> Callable[[LedgerReport], None]:
    """What takes the ledger at an epoch's end and notes where the epoch ended."""

    def note(report: LedgerReport) -> None:
        for row in report.partitions:
            headway.recorded(row.partition, row.position or 0)

    return note


def drain_on_request(drain: Callable[[], None]) -> None:
    """Call ``drain`` when the line arrives; the end of standard input asks for nothing."""

    def listen() -> None:
        for line in sys.stdin:
            if line.strip() == "drain":
                drain()

    threading.Thread(target=listen, daemon=True).start()


def build(stateful: bool, headway: Headway) -> StreamFlow[Movement, Row]:
    """One of the two flows."""
    return StreamFlow(
        "movements",
        FromTopic("movements", payload=Movement),
        Process(BalanceStep(headway) if stateful else DoubleStep(headway)),
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
    headway = Headway(Path(life.headway))
    runner = StreamingRunner.from_dict(build(life.stateful, headway), config_of(life))
    runner.on_report(note_epochs(headway))
    drain_on_request(runner.control.drain)
    runner.run()


if __name__ == "__main__":
    run(msgspec.json.decode(sys.argv[1], type=Life))
