"""A flow whose price list lacks a product: what its orders of that become is what is looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from loom_bench.broker import topics

PARTITIONS: Final = 4
"""Of each of its topics."""

_FLOW: Final = '''
"""An order desk whose price list lacks a product."""

import hashlib

from loom_runtime import (
    ErrorEnvelope, FromTopic, IntoTopic, LoomStruct, Message, Process, RecordStep, StreamFlow,
)

PRICES = {"tea": 450}


class Order(LoomStruct):
    number: int
    product: str


class Priced(LoomStruct):
    number: int
    cents: int
    seal: str


class Price(RecordStep[Order, Priced]):
    def execute(self, message: Message[Order]) -> Priced:
        order = message.payload
        seal = b"%d" % order.number
        for _ in range(10):
            seal = hashlib.sha256(seal).digest()
        return Priced(order.number, PRICES[order.product], seal.hex())


flow = StreamFlow(
    "NAME",
    source=FromTopic("NAME.orders", payload=Order),
    process=Process(Price),
    output=IntoTopic("NAME.priced", payload=Priced),
    errors=IntoTopic("NAME.broken", payload=ErrorEnvelope[Order]),
)
'''


def write_flow(folder: Path, name: str, broker: str) -> tuple[Path, str]:
    """Write the flow, its configuration and its topics, all called after *name*.

    Returns:
        Its file, and the topic of its envelopes.
    """
    path, errors = folder / f"{name}.py", f"{name}.broken"
    path.write_text(_FLOW.replace("NAME", name))
    path.with_suffix(".yaml").write_text(
        f'kafka:\n  consumer: {{brokers: ["{broker}"], group_id: {name}, '
        f'auto_offset_reset: earliest}}\n  producer: {{brokers: ["{broker}"]}}\n'
    )
    topics.create_topics(
        broker, dict.fromkeys((f"{name}.orders", f"{name}.priced", errors), PARTITIONS)
    )
    return path, errors
