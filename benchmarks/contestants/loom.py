"""Ours: the job in loom_runtime's public DSL, with everything that a flow has by default.

That is the ledger, counters per node and error boundaries. It runs for ever; the harness ends it
when its group has committed every record.
"""

from __future__ import annotations

from typing import Any

from benchmarks.job import (
    BATCH_RECORDS,
    CONSUMER_SETTINGS,
    EPOCH_INTERVAL_MS,
    PRODUCER_SETTINGS,
    Task,
    read_task,
    total_cents,
)
from loom_runtime import (
    FromTopic,
    IntoTopic,
    LoomFrozenStruct,
    Message,
    Process,
    RecordStep,
    StreamFlow,
    StreamingRunner,
)


class Order(LoomFrozenStruct, frozen=True):
    """One record of the source topic."""

    id: int
    customer: str
    sku: str
    quantity: int
    unit_cents: int
    currency: str
    at_ms: int


class Priced(LoomFrozenStruct, frozen=True):
    """One record of the output topic."""

    id: int
    customer: str
    sku: str
    quantity: int
    unit_cents: int
    currency: str
    at_ms: int
    total_cents: int


class CheckStep(RecordStep[Order, Order]):
    """A further step of a longer chain: looks at an order and passes it on."""

    def execute(self, message: Message[Order]) -> Order:
        """Refuse an order of nothing."""
        order = message.payload
        if order.quantity < 1:
            raise ValueError(f"order {order.id} is for {order.quantity} pieces")
        return order


class PriceStep(RecordStep[Order, Priced]):
    """Works out what an order costs."""

    def execute(self, message: Message[Order]) -> Priced:
        """Price one order."""
        order = message.payload
        return Priced(
            order.id,
            order.customer,
            order.sku,
            order.quantity,
            order.unit_cents,
            order.currency,
            order.at_ms,
            total_cents(order),
        )


def build(steps: int) -> StreamFlow[Order, Priced]:
    """The flow, with ``steps`` record steps in its chain."""
    checks = [CheckStep() for _ in range(steps - 1)]
    return StreamFlow(
        "orders",
        FromTopic("orders", payload=Order),
        Process(*checks, PriceStep()),
        output=IntoTopic("priced", payload=Priced),
    )


def run(task: Task) -> None:
    """Run the flow until the process is ended."""
    config: dict[str, Any] = {
        "kafka": {
            "consumer": {
                "brokers": [task.broker],
                "group_id": task.group,
                "topics": [task.source],
                "delivery": "at_least_once",
                "batch_size": BATCH_RECORDS,
                "extra": CONSUMER_SETTINGS,
            },
            "producer": {
                "brokers": [task.broker],
                "topic": task.sink,
                "extra": {**PRODUCER_SETTINGS, "enable.idempotence": task.idempotent},
            },
        },
        "streaming": {"runtime": {"epoch_interval_ms": EPOCH_INTERVAL_MS}},
    }
    StreamingRunner.from_dict(build(task.steps), config).run()


if __name__ == "__main__":
    run(read_task())
