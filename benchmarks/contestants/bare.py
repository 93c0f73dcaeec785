"""Baseline: a loop over confluent_kafka, written as one would write it by hand.

It asks for no delivery reports, so a refused record would be lost unseen: it does less than a
flow does. ``task.tuned`` says whether it gets the settings that every contestant has, or none.
"""

from __future__ import annotations

import msgspec
from confluent_kafka import Consumer, Producer, TopicPartition

from benchmarks.job import (
    BATCH_RECORDS,
    CONSUMER_SETTINGS,
    PARTITIONS,
    PRODUCER_SETTINGS,
    Order,
    Priced,
    Task,
    read_task,
    total_cents,
)


def run(task: Task) -> None:
    """Read, price and write ``task.records`` records, committing after every batch."""
    consumer = Consumer(
        {
            "bootstrap.servers": task.broker,
            "group.id": task.group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            **(CONSUMER_SETTINGS if task.tuned else {}),
        }
    )
    consumer.assign([TopicPartition(task.source, index) for index in range(PARTITIONS)])
    producer = Producer(
        {"bootstrap.servers": task.broker, **(PRODUCER_SETTINGS if task.tuned else {})}
    )
    produce = producer.produce
    decode = msgspec.json.Decoder(Order).decode
    encode = msgspec.json.Encoder().encode
    sink = task.sink
    done = 0
    while done < task.records:
        messages = consumer.consume(BATCH_RECORDS, 0.1)
        for message in messages:
            error = message.error()
            if error is not None:
                raise RuntimeError(str(error))
            value = message.value()
            assert value is not None
            order = decode(value)
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
            if task.headers:
                produce(sink, encode(priced), message.key(), headers=message.headers())
            else:
                produce(sink, encode(priced), message.key())
        if messages:
            if producer.flush(30) != 0:
                raise RuntimeError("records were left unwritten")
            consumer.commit(asynchronous=False)
            done += len(messages)
    consumer.close()


if __name__ == "__main__":
    run(read_task())
