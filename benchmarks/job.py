"""The job every contestant of the throughput benchmark does, and the settings they share.

Imports msgspec and the standard library only: the peer's contestant runs it in an environment of
its own.
"""

from __future__ import annotations

import sys
import time
from typing import Final, Protocol

import msgspec

PARTITIONS: Final = 4
EPOCH_INTERVAL_MS: Final = 100
"""Epoch of the contestants that run on Bytewax, where it is theirs to choose."""

BATCH_RECORDS: Final = 2_000
"""Most records that one read asks for, the same for every contestant."""

CONSUMER_SETTINGS: Final[dict[str, str | int | float | bool]] = {
    # 50 to 100 ms is what the embedded broker wants; it is only waited out at the end of the topic.
    "fetch.wait.max.ms": 50,
    # Bounds what a slow starter may have read ahead before its clock starts.
    "queued.min.messages": 10_000,
    # The default, 1,000 ms, stops a fast reader for that long whenever its queue is full: the
    # bare loop would wait most of its time.
    "fetch.queue.backoff.ms": 5,
}
PRODUCER_SETTINGS: Final[dict[str, str | int | float | bool]] = {
    "linger.ms": 20,
}
"""librdkafka settings given to every contestant; everything else is the client's default.

loom_runtime's own defaults come on top: above all one request in flight instead of a million, so
that a record that is sent again keeps its place.
"""

HEADERS: Final[list[tuple[str, str | bytes | None]]] = [
    ("x-trace-id", b"4bf92f3577b34da6a3ce929d0e0e4736"),
    ("x-correlation-id", b"cart-7781"),
    ("tenant", b"north"),
]
_CURRENCIES: Final = ("EUR", "USD", "GBP")


class OrderLike(Protocol):
    """The fields of an order, whatever struct base a contestant needs."""

    @property
    def id(self) -> int: ...
    @property
    def customer(self) -> str: ...
    @property
    def sku(self) -> str: ...
    @property
    def quantity(self) -> int: ...
    @property
    def unit_cents(self) -> int: ...


class Order(msgspec.Struct, frozen=True):
    """One record of the source topic, about 120 bytes as JSON."""

    id: int
    customer: str
    sku: str
    quantity: int
    unit_cents: int
    currency: str
    at_ms: int


class Priced(msgspec.Struct, frozen=True):
    """One record of the output topic: the order and what it costs."""

    id: int
    customer: str
    sku: str
    quantity: int
    unit_cents: int
    currency: str
    at_ms: int
    total_cents: int


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What the harness tells a contestant: its only command-line argument, as JSON.

    Attributes:
        broker: ``host:port``.
        source: Topic to read.
        sink: Topic to write.
        group: Consumer group whose committed offsets end the run.
        records: Records in ``source``.
        steps: Record steps in a chain, pricing included.
        headers: Whether records carry headers that must be copied through.
        logs: Whether to log every record, where that is the library's default.
        tuned: Whether the client gets the shared settings, or nothing but its own defaults.
        idempotent: Whether the producer is idempotent.
        scratch: An empty folder that lives as long as the run.
    """

    broker: str
    source: str
    sink: str
    group: str
    records: int
    steps: int = 1
    headers: bool = False
    logs: bool = False
    tuned: bool = True
    idempotent: bool = False
    scratch: str = ""


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """A line that a child prints.

    Attributes:
        event: ``first`` record in hand, ``done``, or what else the child and its harness agree on.
        at_ns: The machine's monotonic clock.
        value: A number that belongs to the event.
    """

    event: str
    at_ns: int
    value: int = 0


def read_task() -> Task:
    """The task of this process, from its command line."""
    return msgspec.json.decode(sys.argv[1], type=Task)


def signal(event: str, value: int = 0) -> None:
    """Tell the harness that something happened now."""
    line = msgspec.json.encode(Signal(event=event, at_ns=time.monotonic_ns(), value=value))
    sys.stdout.write(line.decode() + "\n")
    sys.stdout.flush()


_running = False


def total_cents(order: OrderLike) -> int:
    """The pricing itself. The first call starts the clock, for every contestant alike."""
    global _running  # noqa: PLW0603 - one clock per process, tested once per record
    if not _running:
        _running = True
        signal("first")
    return order.quantity * order.unit_cents


def make_order(order_id: int) -> Order:
    """The order with this id; the same every time, so that outputs can be checked against it."""
    return Order(
        id=order_id,
        customer=f"c{order_id * 7919 % 10_007:05d}",
        sku=f"sku-{order_id * 104_729 % 99_991:05d}",
        quantity=1 + order_id % 9,
        unit_cents=100 + order_id * 31 % 9_900,
        currency=_CURRENCIES[order_id % 3],
        at_ms=1_760_000_000_000 + order_id,
    )
