"""Baseline: the same job in loom-kernel's DSL, in its own environment and its own wire format.

It runs for ever; the harness ends it when its group has committed every record. As it comes it logs
every node of every record, which is most of its time; ``task.logs`` says whether it may.
"""

from __future__ import annotations

from typing import Any

from loom.core.model import LoomFrozenStruct  # type: ignore[import-not-found]
from loom.streaming import (  # type: ignore[import-not-found]
    FromTopic,
    IntoTopic,
    Message,
    Process,
    RecordStep,
    StreamFlow,
)
from loom.streaming.bytewax import StreamingRunner  # type: ignore[import-not-found]

from benchmarks.job import (
    BATCH_RECORDS,
    CONSUMER_SETTINGS,
    EPOCH_INTERVAL_MS,
    PRODUCER_SETTINGS,
    Task,
    read_task,
    total_cents,
)


class Order(LoomFrozenStruct, frozen=True):  # type: ignore[misc,call-arg]
    """One record of the source topic."""

    __loom_message_type__ = "orders.order"

    id: int
    customer: str
    sku: str
    quantity: int
    unit_cents: int
    currency: str
    at_ms: int


class Priced(LoomFrozenStruct, frozen=True):  # type: ignore[misc,call-arg]
    """One record of the output topic."""

    __loom_message_type__ = "orders.priced"

    id: int
    customer: str
    sku: str
    quantity: int
    unit_cents: int
    currency: str
    at_ms: int
    total_cents: int


class PriceStep(RecordStep[Order, Priced]):  # type: ignore[misc]
    """Works out what an order costs."""

    def execute(self, message: Message[Order], **_: Any) -> Priced:
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


def run(task: Task) -> None:
    """Run the flow until the process is ended."""
    flow = StreamFlow(
        name="orders",
        source=FromTopic("orders", payload=Order),
        process=Process(PriceStep()),
        output=IntoTopic("priced", payload=Priced),
    )
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
                "extra": PRODUCER_SETTINGS,
            },
        },
        "observability": {"log": {"enabled": task.logs}},
        "streaming": {"runtime": {"epoch_interval_ms": EPOCH_INTERVAL_MS}},
    }
    StreamingRunner.from_dict(flow, config).run()


if __name__ == "__main__":
    run(read_task())
