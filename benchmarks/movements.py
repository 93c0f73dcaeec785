"""The records of the durability benchmark, what must become of them, and the count of what did.

The stateless flow doubles every movement's amount. The stateful one keeps, per account, how many
movements it saw and their sum, and writes both with every movement; so an output row shows the
state that it was computed from, and each has exactly one right value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec

PARTITIONS: Final = 4
ACCOUNTS: Final = 1_000


class Movement(msgspec.Struct, frozen=True):
    """One record of the source topic."""

    id: int
    account: int
    amount: int


class Row(msgspec.Struct, frozen=True):
    """One record of the output topic.

    Attributes:
        id: Of the movement.
        account: Of the movement.
        count: Movements of the account so far, this one included; 0 in the stateless flow.
        total: Their sum; twice the amount in the stateless flow.
    """

    id: int
    account: int
    count: int
    total: int


class Life(msgspec.Struct, frozen=True, kw_only=True):
    """What the harness tells one process of the flow: its only argument, as JSON.

    Attributes:
        broker: ``host:port``.
        source: Topic to read.
        sink: Topic to write.
        group: Consumer group.
        store: Folder of the recovery store, kept from life to life.
        stateful: Which of the two flows.
        epoch_interval_ms: Length of an epoch.
        batch_records: Most records of one read.
        headway: File of this process's :class:`~benchmarks.headway.Headway`.
        process_id: Index of this process in ``addresses``; None without a cluster.
        addresses: ``host:port`` of every process; empty without a cluster.
    """

    broker: str
    source: str
    sink: str
    group: str
    store: str
    stateful: bool
    epoch_interval_ms: int
    batch_records: int
    headway: str
    process_id: int | None = None
    addresses: tuple[str, ...] = ()


def make_movement(movement_id: int) -> Movement:
    """The movement with this id, the same every time."""
    return Movement(
        id=movement_id,
        account=movement_id * 7919 % ACCOUNTS,
        amount=movement_id * 31 % 997 - 300,
    )


def movement_records(count: int) -> Iterator[tuple[int, bytes, bytes]]:
    """Partition, key and value of ``count`` movements; an account stays in one partition."""
    encode = msgspec.json.Encoder().encode
    for movement_id in range(count):
        movement = make_movement(movement_id)
        yield movement.account % PARTITIONS, b"%d" % movement.account, encode(movement)


def expected_rows(stateful: bool, count: int) -> list[Row]:
    """The oracle: the row of every movement, by id, if nothing ever failed."""
    if not stateful:
        made = map(make_movement, range(count))
        return [Row(one.id, one.account, 0, 2 * one.amount) for one in made]
    balances: dict[int, tuple[int, int]] = {}
    rows: list[Row] = []
    for movement in map(make_movement, range(count)):
        seen, total = balances.get(movement.account, (0, 0))
        balances[movement.account] = seen + 1, total + movement.amount
        rows.append(Row(movement.id, movement.account, *balances[movement.account]))
    return rows


@dataclass
class OutputCheck:
    """Compares an output topic with the oracle, row by row, interruption by interruption.

    Rows of one account must be shown in the order in which they lie in their partition.

    Attributes:
        expected: The right row of every movement, by id.
        repeated: Rows that had been seen before, per stretch between interruptions.
        wrong: Rows that are not what they must be.
        examples: The first few wrong rows, each beside the right one.
    """

    expected: list[Row]
    repeated: list[int] = field(default_factory=lambda: [0])
    wrong: int = 0
    examples: list[str] = field(default_factory=list)
    _times: bytearray = field(init=False)
    _last: dict[int, Row] = field(default_factory=dict, init=False)
    _distinct: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        """Nothing was seen yet."""
        self._times = bytearray(len(self.expected))

    def visit(self, row: Row) -> None:
        """Take the next output row."""
        known = 0 <= row.id < len(self.expected)
        if not known or row != self.expected[row.id]:
            self.wrong += 1
            if len(self.examples) < 3:
                right = self.expected[row.id] if known else "no such movement"
                self.examples.append(f"{row}, not {right}")
        if not known:
            return
        if self._times[row.id]:
            self.repeated[-1] += 1
        else:
            self._times[row.id] = 1
            self._distinct += 1
        self._last[row.account] = row

    def interrupted(self) -> None:
        """An interruption ends the stretch: what repeats from now on repeats because of it."""
        self.repeated.append(0)

    @property
    def distinct(self) -> int:
        """Movements with at least one row."""
        return self._distinct

    @property
    def lost(self) -> int:
        """Movements without a row."""
        return len(self.expected) - self._distinct

    @property
    def wrong_final(self) -> int:
        """Accounts whose last row is not the one that their last movement must give."""
        final = {row.account: row for row in self.expected}
        return sum(self._last.get(account) != row for account, row in final.items())
