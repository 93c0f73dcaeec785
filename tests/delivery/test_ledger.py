"""The ledger balances at the end of every epoch and counts source records exactly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any, ClassVar

import pytest

from loom_runtime import (
    BatchExpandStep,
    Broadcast,
    BroadcastRoute,
    CollectBatch,
    Drain,
    ExpandRoutes,
    Explode,
    ForEach,
    IntoTopic,
    LoomFrozenStruct,
    Message,
    Process,
    Router,
    WindowStrategy,
    WithAsync,
)
from loom_runtime.ledger import Fate, PartitionLedger, Receipt
from tests.delivery.checks import assert_balanced
from tests.delivery.flows import (
    Check,
    Copies,
    Flow,
    Item,
    SlowCheck,
    Tally,
    Whole,
    flow,
    items,
    nested,
    sorted_away,
    windows,
)
from tests.delivery.places import Place
from tests.delivery.running import run_to_end

COUNT = 240
KINDS = ("fine", "x2", "x0", "task", "fine", "business", "x3", "drop", "fine", "fine")
PER_KIND = COUNT // len(KINDS)


class Odd(LoomFrozenStruct, frozen=True):
    """A row of an item."""

    id: int


class Even(LoomFrozenStruct, frozen=True):
    """Another."""

    id: int


class Rows:
    """As many odd rows as the kind says copies, and an even row; nothing of what is dropped."""

    outputs: ClassVar[tuple[type, ...]] = (Odd, Even)

    @classmethod
    def expand(cls, event: Item) -> dict[type, list[Any]]:
        """Expand an item."""
        if event.kind == "drop":
            return {}
        if event.kind == "x0":
            raise ValueError("no rows of nothing")
        copies = int(event.kind[1:]) if event.kind.startswith("x") else 1
        return {Odd: [Odd(event.id)] * copies, Even: [Even(event.id)]}


class Untold(Rows):
    """Says nothing of its even rows."""

    outputs: ClassVar[tuple[type, ...]] = (Odd,)


class RowType:
    """Selects by type."""

    def select(self, message: Message[Any]) -> object:
        """Return the payload's type."""
        return type(message.payload)


class Pairs(BatchExpandStep[Item, Item]):
    """Two of each fine item, none of the others."""

    def execute(self, messages: list[Message[Item]]) -> list[list[Item]]:
        """Expand a batch."""
        return [[m.payload] * (2 if m.payload.kind == "fine" else 0) for m in messages]


TO_OUT: Process[Any, Any] = Process(IntoTopic("out"))
TO_ROWS: dict[type, Process[Any, Any]] = {Odd: TO_OUT, Even: Process(Drain())}
ONLY_ODD: dict[type, Process[Any, Any]] = {Odd: TO_OUT}


def linear() -> Flow:
    return flow(SlowCheck)


def copying() -> Flow:
    return flow(SlowCheck, Copies)


def broadcasting() -> Flow:
    return flow(
        SlowCheck,
        Broadcast(
            BroadcastRoute(Process(Copies), IntoTopic("out")),
            BroadcastRoute(Process(Check, Drain())),
        ),
        output=None,
    )


def exploding() -> Flow:
    return flow(SlowCheck, Explode(Rows), Router.by(RowType(), TO_ROWS), output=None)


def expanding() -> Flow:
    return flow(SlowCheck, ExpandRoutes(expander=Rows, routes=TO_ROWS), output=None)


def expanding_to_too_few() -> Flow:
    """Even rows have no route: every record fails, though its odd rows are written."""
    return flow(SlowCheck, ExpandRoutes(expander=Untold, routes=ONLY_ODD), output=None)


def batching() -> Flow:
    return flow(SlowCheck, CollectBatch(7, 600_000), Whole, Pairs)


def windowing() -> Flow:
    session = CollectBatch(50, 600_000, WindowStrategy.SESSION)
    return flow(SlowCheck, session, Whole, ForEach(), Copies)


def tallying() -> Flow:
    return flow(Copies, Tally)


def asynchronous() -> Flow:
    return flow(WithAsync(process=Process(Check, Copies), max_concurrency=4))


# Written, errored, filtered of each kind; what is not named is written.
EXPECTED: dict[Callable[[], Flow], dict[str, str]] = {
    linear: {},
    copying: {"x0": "filtered"},
    broadcasting: {"x0": "filtered"},
    exploding: {"drop": "filtered", "x0": "errored"},
    expanding: {"drop": "filtered", "x0": "errored"},
    expanding_to_too_few: {
        "drop": "filtered",
        **dict.fromkeys(("fine", "x0", "x2", "x3"), "errored"),
    },
    batching: dict.fromkeys(("x0", "x2", "x3", "drop"), "filtered"),
    windowing: {"x0": "filtered"},
    tallying: {"x0": "filtered", "business": "written"},
    asynchronous: {"x0": "filtered"},
    sorted_away: {"x0": "filtered", "drop": "filtered"},
    nested: {},
    windows: {},
}
FAILING = {"task": "errored", "business": "errored"}


@pytest.mark.parametrize(
    ("make", "workers"),
    [*((make, 1) for make in EXPECTED), *((make, 2 + i % 2) for i, make in enumerate(EXPECTED))],
    ids=lambda case: str(getattr(case, "__name__", case)),
)
def test_the_ledger_balances_at_every_epochs_end_and_is_exact(
    embedded: Place, make: Callable[[], Flow], workers: int
) -> None:
    source = embedded.topic("items", partitions=3)
    embedded.topic("out")
    embedded.topic("errors")
    embedded.topics.produce(
        source, items(COUNT, partitions=3, kind=lambda index: KINDS[index % len(KINDS)])
    )
    embedded.topics.produce(source, [b"{"] * 5)
    config = embedded.config(
        consumer={"batch_size": 5}, epoch_interval_ms=10, workers_per_process=workers
    )
    run = run_to_end(make(), config)
    reports = run.reports.all()
    assert_balanced(reports)
    wanted: Counter[str] = Counter({"errored": 5})
    for kind in KINDS:
        wanted[{**FAILING, **EXPECTED[make]}.get(kind, "written")] += PER_KIND
    end = run.last
    assert end.total("consumed") == COUNT + 5
    for fate in ("written", "errored", "filtered", "dead_lettered", "held"):
        assert end.total(fate) == wanted[fate], (fate, end)
    assert end.total("records_written") == len(embedded.read("out"))
    assert end.total("envelopes_written") == len(embedded.read("errors"))
    for before, after in pairwise(reports):
        counters = {name: after.total(name) - before.total(name) for name in after.totals()}
        assert all(change >= 0 for name, change in counters.items() if name != "held")


def test_what_was_let_go_after_the_epochs_end_still_holds_its_commit_back() -> None:
    """It is written, but not delivered before the next epoch ends."""
    ledger = PartitionLedger("items", 0, tracked=False)
    ledger.apply(Receipt(consumed=3, held=[7, 8, 9]))
    ledger.close_epoch()
    assert ledger.hold_back() == 7
    ledger.apply(Receipt(released=[7, 8]))
    assert ledger.hold_back() == 7
    ledger.delivered([7, 8], Fate.WRITTEN)
    ledger.close_epoch()
    assert ledger.hold_back() == 9
    row = ledger.row(position=10, committed=9, end_offset=10)
    assert (row.consumed, row.written, row.held, row.balanced) == (3, 2, 1, True)


def test_a_record_that_disappears_unbalances_the_ledger() -> None:
    ledger = PartitionLedger("items", 0, tracked=False)
    ledger.apply(Receipt(consumed=3, filtered=1))
    ledger.delivered([1], Fate.WRITTEN)
    ledger.close_epoch()
    assert not ledger.row(position=3, committed=None, end_offset=3).balanced
