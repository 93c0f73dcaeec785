"""Flows of the delivery tests, by name, so that child processes can run them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, ClassVar

import msgspec

from loom_runtime import (
    BatchStep,
    CollectBatch,
    DomainError,
    Drain,
    ErrorEnvelope,
    ExpandStep,
    ForEach,
    Fork,
    FromTopic,
    IntoTopic,
    LoomFrozenStruct,
    Message,
    Process,
    ProcessNode,
    RecordStep,
    StatefulStep,
    StreamFlow,
    WindowStrategy,
    payload,
)
from tests.broker_fixtures import NewRecord

_encode = msgspec.json.Encoder().encode


class Item(LoomFrozenStruct, frozen=True):
    """What every flow here reads. *kind* says what becomes of it."""

    id: int
    account: int = 0
    kind: str = "fine"


class Counted(LoomFrozenStruct, frozen=True):
    """An item with its number and the sum of ids within its account."""

    id: int
    account: int
    count: int
    total: int


class Balance(LoomFrozenStruct, frozen=True):
    """State of an account."""

    count: int = 0
    total: int = 0


class Check(RecordStep[Item, Item]):
    """Passes items on, fails poison, and takes a little time."""

    pause_s: ClassVar[float] = 0.0

    def execute(self, message: Message[Item]) -> Item:
        """Pass the item on."""
        item = message.payload
        if item.kind == "task":
            raise ValueError(f"item {item.id} is poison")
        if item.kind == "business":
            raise DomainError(f"item {item.id} is not wanted")
        if self.pause_s and item.id % 10 == 0:
            time.sleep(self.pause_s)
        return item


class SlowCheck(Check):
    """Ten items a millisecond, so that a kill falls between them."""

    pause_s: ClassVar[float] = 0.001


class Copies(ExpandStep[Item, Item]):
    """As many copies as the kind says: ``x0``, ``x1``, ``x3``; one of any other kind."""

    def execute(self, message: Message[Item]) -> Iterator[Item]:
        """Copy the item."""
        kind = message.payload.kind
        for _ in range(int(kind[1:]) if kind.startswith("x") else 1):
            yield message.payload


class Whole(BatchStep[Item, Item]):
    """Passes a batch on."""

    def execute(self, messages: Sequence[Message[Item]]) -> list[Item]:
        """Pass the batch on."""
        return [message.payload for message in messages]


class Tally(StatefulStep[Item, Counted, Balance]):
    """Count and sum of ids by account."""

    def key(self, message: Message[Item]) -> str:
        """The account."""
        return str(message.payload.account)

    def initial(self) -> Balance:
        """An account that was never seen."""
        return Balance()

    def execute(self, state: Balance, message: Message[Item]) -> tuple[Balance, Iterable[Counted]]:
        """Add one item."""
        item = message.payload
        if item.kind == "task":
            raise ValueError(f"item {item.id} is poison")
        after = Balance(state.count + 1, state.total + item.id)
        return after, [Counted(item.id, item.account, after.count, after.total)]


OUT: IntoTopic[Any] = IntoTopic("out")
ERRORS: IntoTopic[Any] = IntoTopic("errors", payload=ErrorEnvelope[Item])

Flow = StreamFlow[Any, Any]


def flow(*nodes: ProcessNode, output: IntoTopic[Any] | None = OUT, errors: Any = ERRORS) -> Flow:
    """Return a flow from ``items`` through *nodes*."""
    return StreamFlow("delivery", FromTopic("items", payload=Item), Process(*nodes), output, errors)


def sorted_away() -> Flow:
    """Every end that a record can have: written, dropped, failed."""
    return flow(
        SlowCheck,
        Fork.by(
            payload.kind,
            {"drop": Process(Drain())},
            default=Process(Copies, IntoTopic("out")),
        ),
        output=None,
    )


def batches() -> Flow:
    """Batches that only their size or the end of the run completes."""
    return flow(SlowCheck, CollectBatch(max_records=7, timeout_ms=600_000), Whole, ForEach())


def timed_batches() -> Flow:
    """Batches that the clock completes as well."""
    return flow(SlowCheck, CollectBatch(max_records=7, timeout_ms=40), Whole, ForEach())


def windows() -> Flow:
    """Windows that stay open until the run is finished."""
    return flow(
        SlowCheck,
        CollectBatch(max_records=1_000, timeout_ms=600_000, window=WindowStrategy.SESSION),
        Whole,
        ForEach(),
    )


def nested() -> Flow:
    """A batch, keyed state, and a batch behind it."""
    return flow(
        SlowCheck,
        CollectBatch(max_records=5, timeout_ms=600_000),
        Whole,
        ForEach(),
        Tally,
        CollectBatch(max_records=7, timeout_ms=600_000),
        ForEach(),
    )


def tally() -> Flow:
    """Keyed state."""
    return flow(SlowCheck, Tally)


def plain() -> Flow:
    """One step."""
    return flow(Check)


def plain_strict() -> Flow:
    """One step, and no topic for what fails."""
    return flow(Check, errors=None)


FLOWS: dict[str, Callable[[], Flow]] = {
    make.__name__: make
    for make in (sorted_away, batches, timed_batches, windows, nested, tally, plain, plain_strict)
}


def items(
    count: int, *, start: int = 0, partitions: int = 1, kind: Callable[[int], str] | None = None
) -> list[NewRecord]:
    """Return items with ascending ids; five accounts, each within one partition."""
    made = []
    for index in range(start, start + count):
        item = Item(index, index % (5 * partitions), kind(index) if kind else "fine")
        made.append(
            NewRecord(
                _encode(item),
                key=b"%d" % item.account,
                partition=item.account % partitions,
            )
        )
    return made


def oracle(records: Iterable[NewRecord]) -> dict[int, Counted]:
    """Return what :class:`Tally` makes of each item, by id."""
    balances: dict[int, Balance] = {}
    rows: dict[int, Counted] = {}
    for record in records:
        item = msgspec.json.decode(record.value or b"", type=Item)
        before = balances.get(item.account, Balance())
        after = balances[item.account] = Balance(before.count + 1, before.total + item.id)
        rows[item.id] = Counted(item.id, item.account, after.count, after.total)
    return rows
