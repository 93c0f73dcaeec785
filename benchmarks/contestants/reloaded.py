"""The two flows that the reload benchmark edits: the same job, with its revision in every record.

They are templates: the benchmark writes them into files, and each save is another ``REVISION``.
"""

from __future__ import annotations

from typing import Final

REVISION: Final = "REVISION = 0"
"""The line that a save changes."""

LOOM: Final = """
import itertools

from loom_runtime import (
    FromTopic, IntoTopic, LoomStruct, Message, Process, RecordStep, StatefulStep, StreamFlow,
)

REVISION = 0
STATEFUL = False


class Order(LoomStruct):
    id: int


class Marked(LoomStruct):
    id: int
    revision: int
    count: int = 0


class Mark(RecordStep[Order, Marked]):
    def execute(self, message: Message[Order]) -> Marked:
        return Marked(message.payload.id, REVISION)


class Seen(LoomStruct):
    count: int = 0


class Count(StatefulStep[Marked, Marked, Seen]):
    def key(self, message: Message[Marked]) -> str:
        return str(message.payload.id % 100)

    def initial(self) -> Seen:
        return Seen()

    def execute(self, state: Seen, message: Message[Marked]) -> tuple[Seen, list[Marked]]:
        order = message.payload
        return Seen(state.count + 1), [Marked(order.id, order.revision, state.count + 1)]


flow = StreamFlow(
    "reloaded",
    FromTopic("orders", Order),
    Process(Mark, Count) if STATEFUL else Process(Mark),
    IntoTopic("marked", Marked),
)


def bench_feed():
    return ((str(number), Order(number)) for number in itertools.count())
"""

BYTEWAX: Final = """
import sys

import msgspec
from bytewax import operators as op
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
from bytewax.dataflow import Dataflow
from confluent_kafka import OFFSET_END

REVISION = 0
BROKERS = ["ADDRESS"]


class Order(msgspec.Struct):
    id: int


class Marked(msgspec.Struct):
    id: int
    revision: int


decode = msgspec.json.Decoder(Order).decode
encode = msgspec.json.Encoder().encode


def mark(message):
    order = decode(message.value)
    return KafkaSinkMessage(message.key, encode(Marked(order.id, REVISION)))


flow = Dataflow("reloaded")
orders = op.input("orders", flow, KafkaSource(BROKERS, ["orders"], starting_offset=OFFSET_END))
op.output("marked", op.map("mark", orders, mark), KafkaSink(BROKERS, "marked-by-peer"))
"""
