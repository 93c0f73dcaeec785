"""Baseline: Bytewax's own Kafka connectors with ``op.map``.

The connectors commit to no consumer group: their offsets live in Bytewax's recovery store, so at
least once means a run with a store. The run ends at the end of the topic and is done when the last
epoch is in the store.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
from bytewax import operators as op
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from benchmarks.job import (
    BATCH_RECORDS,
    CONSUMER_SETTINGS,
    EPOCH_INTERVAL_MS,
    PRODUCER_SETTINGS,
    Order,
    Priced,
    Task,
    read_task,
    signal,
    total_cents,
)


def build(task: Task) -> Dataflow:
    """The dataflow: input, one map, output."""
    decode = msgspec.json.Decoder(Order).decode
    encode = msgspec.json.Encoder().encode

    def price(message: Any) -> KafkaSinkMessage[bytes | None, bytes | None]:
        order = decode(message.value)
        priced = Priced(
            order.id,
            order.customer,
            order.sku,
            order.quantity,
            order.unit_cents,
            order.currency,
            order.at_ms,
            total_cents(order),
        )
        return KafkaSinkMessage(message.key, encode(priced))

    consumer: dict[str, Any] = CONSUMER_SETTINGS
    producer: dict[str, Any] = PRODUCER_SETTINGS
    flow = Dataflow("orders")
    source = KafkaSource(
        [task.broker], [task.source], tail=False, add_config=consumer, batch_size=BATCH_RECORDS
    )
    orders = op.input("orders", flow, source)
    priced = op.map("price", orders, price)
    op.output("priced", priced, KafkaSink([task.broker], task.sink, add_config=producer))
    return flow


def run(task: Task) -> None:
    """Run the dataflow to the end of the topic."""
    store = Path(task.scratch) / "store"
    store.mkdir()
    init_db_dir(store, 1)  # type: ignore[no-untyped-call]
    cli_main(  # type: ignore[no-untyped-call]
        build(task),
        epoch_interval=timedelta(milliseconds=EPOCH_INTERVAL_MS),
        recovery_config=RecoveryConfig(str(store)),  # type: ignore[no-untyped-call]
    )
    signal("done")


if __name__ == "__main__":
    run(read_task())
