"""A flow that ran for real, its store, and the broker that still has its records."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from textwrap import dedent
from typing import Any

from loom_bench.broker.embedded import EmbeddedBroker
from loom_bench.session.run import RunOptions, RunSession
from loom_bench.session.snapshots.ground import Ground
from loom_bench.session.snapshots.reading import StoreReader
from loom_bench.session.snapshots.value import EpochView
from tests.bench.runs import SharedBroker

FLOW = """
from loom_runtime import (
    ErrorEnvelope, FromTopic, IntoTopic, LoomStruct, Message, Process, RecordStep, StatefulStep,
    StreamFlow,
)


class Order(LoomStruct):
    id: int
    account: str


class Numbered(LoomStruct):
    id: int
    count: int
    total: int


class Seen(LoomStruct):
    count: int = 0
    total: int = 0


class Check(RecordStep[Order, Order]):
    def execute(self, message: Message[Order]) -> Order:
        if message.payload.id % POISON == 3:
            raise ValueError(f"order {message.payload.id} is poison")
        return message.payload


class Number(StatefulStep[Order, Numbered, Seen]):
    def key(self, message):
        return message.payload.account

    def initial(self):
        return Seen()

    def execute(self, state, message):
        order = message.payload
        amount = order.id if order.id != BUG else -100_000_000
        after = Seen(state.count + 1, state.total + amount)
        return after, [Numbered(order.id, after.count, after.total)]


flow = StreamFlow(
    "NAME",
    source=FromTopic("NAME", payload=Order),
    process=Process(Check, Number),
    output=IntoTopic("NAME.numbered", payload=Numbered),
    errors=IntoTopic("NAME.errors", payload=ErrorEnvelope[Order]),
)


def bench_feed():
    for number in range(ORDERS):
        account = f"a{number % 7}"
        yield account, Order(number, account)
"""


def flow_text(name: str, *, orders: int, poison: int = 50, bug: int = 10**9) -> str:
    """The text of a flow that numbers the orders of each account, and sums their ids."""
    text = dedent(FLOW).replace("NAME", name).replace("ORDERS", str(orders))
    return text.replace("POISON", str(poison)).replace("BUG", str(bug))


def ran(
    folder: Path, broker: EmbeddedBroker, name: str, *, orders: int, runs: int = 3, **flow: int
) -> Ground:
    """Feed a flow and run it to its end, several times on one store, so that there are epochs in
    between whatever the machine does; return where its replays run."""
    module = folder / "orders.py"
    text = flow_text(name, orders=orders, **flow)
    ground = Ground(
        store=folder / "store", target=str(module), bootstrap=broker.bootstrap, plaintext=True
    )
    shared: Any = SharedBroker(broker)
    bounds = [orders * turn // runs for turn in range(runs + 1)]
    for begin, end in pairwise(bounds):
        module.write_text(text.replace(f"range({orders})", f"range({begin}, {end})"))
        options = RunOptions(target=str(module), until_idle_ms=300, store=str(ground.store))
        assert RunSession(options, lambda *_: shared, lambda _: None).run() == "finished"
    return ground


def whole_epochs(store: Path) -> list[EpochView]:
    """Whole epochs that differ in where their sources stood."""
    found: list[EpochView] = []
    for epoch in StoreReader(store).timeline().epochs:
        if epoch.complete and (not found or found[-1].positions != epoch.positions):
            found.append(epoch)
    return found
