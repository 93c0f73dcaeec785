"""An order desk: every kind of node in one flow, fed with some deliberate poison.

Placed orders are checked, priced and then go six ways: into their customer's total, to a review of
risky ones, into the sales of each minute, to the customer as a notice, to the delivery and into the
books. Of every hundred records a few are broken, so that there is something to look at.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, ClassVar

import anyio
from msgspec.structs import replace

from loom_runtime import (
    BatchExpandStep,
    BatchStep,
    Broadcast,
    BroadcastRoute,
    CollectBatch,
    ContextFactory,
    DomainError,
    Drain,
    ErrorEnvelope,
    ExpandRoutes,
    ExpandStep,
    Explode,
    ForEach,
    Fork,
    ForkRoute,
    FromMultiTypeTopic,
    IntoTopic,
    LoomFrozenStruct,
    Message,
    MessageMeta,
    PayloadExpander,
    Process,
    RecordStep,
    ResourceScope,
    Router,
    Selector,
    StatefulStep,
    StreamFlow,
    WindowStrategy,
    With,
    WithAsync,
    payload,
)

MINUTE_MS = 60_000
PRICES_CENTS = {"tea": 450, "coffee": 900, "mug": 1_250, "kettle": 4_900}


class OrderPlaced(LoomFrozenStruct, frozen=True):
    """A customer wants *quantity* of *product*."""

    __loom_message_type__: ClassVar[str] = "order.placed"

    order_id: str
    customer: str
    product: str
    quantity: int


class OrderCancelled(LoomFrozenStruct, frozen=True):
    """A customer changed their mind."""

    __loom_message_type__: ClassVar[str] = "order.cancelled"

    order_id: str
    customer: str


class PricedOrder(LoomFrozenStruct, frozen=True):
    """An order, what it costs, and how much its customer is to be doubted, 0 to 1."""

    order: OrderPlaced
    total_cents: int
    risk: float = 0.0


class Totals(LoomFrozenStruct, frozen=True):
    """A number of orders and what they cost together."""

    orders: int = 0
    total_cents: int = 0


class CustomerTotal(LoomFrozenStruct, frozen=True):
    """A customer and what they have ordered so far."""

    customer: str
    so_far: Totals


class MinuteSales(LoomFrozenStruct, frozen=True):
    """Sales of one minute on one partition."""

    minute_ms: int
    sold: Totals


class Notice(LoomFrozenStruct, frozen=True):
    """What the customer is told."""

    customer: str
    text: str


class OrderLine(LoomFrozenStruct, frozen=True):
    """One line of an order: for the delivery note, and for the stock."""

    order_id: str
    product: str
    quantity: int


class TaxLine(LoomFrozenStruct, frozen=True):
    """The tax of an order."""

    order_id: str
    tax_cents: int


class LoyaltyPoints(LoomFrozenStruct, frozen=True):
    """Points that a customer earns."""

    customer: str
    points: int


@contextmanager
def open_catalogue() -> Iterator[dict[str, int]]:
    """Open the price list for one batch; a database transaction would look the same."""
    yield PRICES_CENTS


class Post:
    """Carries notices; stands for the client of some service."""

    async def send(self, notice: Notice) -> str:
        await anyio.sleep(0)  # where a real one waits for the network
        return f"sent to {notice.customer}"


@asynccontextmanager
async def open_post() -> AsyncIterator[Post]:
    """Open the post for as long as the worker lives."""
    yield Post()


def doubts_about(customers: Collection[str]) -> dict[str, float]:
    """Return how much each customer is to be doubted; stands for one costly question."""
    return {customer: zlib.crc32(customer.encode()) % 100 / 100 for customer in customers}


class PayloadType(Selector[Any]):
    """Chooses by the type of the payload."""

    def select(self, message: Message[Any]) -> object:
        return type(message.payload)


class CheckOrder(RecordStep[OrderPlaced, OrderPlaced]):
    """Refuses orders that make no sense."""

    def execute(self, message: Message[OrderPlaced]) -> OrderPlaced:
        if message.payload.quantity < 1:
            raise DomainError(f"an order of {message.payload.quantity} pieces")
        return message.payload


class DropTests(ExpandStep[OrderPlaced, OrderPlaced]):
    """Filters the orders of the test customer: no output, no record."""

    def execute(self, message: Message[OrderPlaced]) -> Iterable[OrderPlaced]:
        return [] if message.payload.customer == "test" else [message.payload]


class PriceOrder(RecordStep[OrderPlaced, PricedOrder]):
    """Looks the price up. An unknown product is a KeyError: a plain bug, left in on purpose."""

    def execute(self, message: Message[OrderPlaced], catalogue: dict[str, int]) -> PricedOrder:
        order = message.payload
        return PricedOrder(order, total_cents=catalogue[order.product] * order.quantity)


class CountCustomer(StatefulStep[PricedOrder, CustomerTotal, Totals]):
    """Keeps each customer's total."""

    def key(self, message: Message[PricedOrder]) -> str:
        return message.payload.order.customer

    def initial(self) -> Totals:
        return Totals()

    def execute(
        self, state: Totals, message: Message[PricedOrder]
    ) -> tuple[Totals, list[CustomerTotal]]:
        so_far = Totals(state.orders + 1, state.total_cents + message.payload.total_cents)
        return so_far, [CustomerTotal(self.key(message), so_far)]


class RateRisk(BatchStep[PricedOrder, PricedOrder]):
    """Rates orders; the costly question is asked once a batch instead of once an order."""

    def execute(self, messages: Sequence[Message[PricedOrder]]) -> list[PricedOrder]:
        orders = [message.payload for message in messages]
        doubts = doubts_about({priced.order.customer for priced in orders})
        return [replace(priced, risk=doubts[priced.order.customer]) for priced in orders]


class CountMinute(BatchExpandStep[PricedOrder, MinuteSales]):
    """Makes one row of a window; it goes out with the window's first order."""

    def execute(self, messages: Sequence[Message[PricedOrder]]) -> list[list[MinuteSales]]:
        at_ms = messages[0].meta.produced_at_ms or 0
        sold = Totals(len(messages), sum(message.payload.total_cents for message in messages))
        return [[MinuteSales(at_ms - at_ms % MINUTE_MS, sold)], *([] for _ in messages[1:])]


class NotifyCustomer(RecordStep[PricedOrder, Notice]):
    """Tells the customer; many at once, each within its deadline."""

    async def execute(self, message: Message[PricedOrder], post: Post) -> Notice:
        order = message.payload.order
        notice = Notice(order.customer, f"order {order.order_id} is on its way")
        await post.send(notice)
        return notice


class DeliveryNote(PayloadExpander[PricedOrder]):
    """Makes the lines and taxes of an order."""

    outputs: ClassVar[tuple[type, ...]] = (OrderLine, TaxLine)

    @classmethod
    def expand(cls, event: PricedOrder) -> dict[type, list[Any]]:
        order = event.order
        return {
            OrderLine: [OrderLine(order.order_id, order.product, order.quantity)],
            TaxLine: [TaxLine(order.order_id, event.total_cents // 5)],
        }


class Bookkeeping(PayloadExpander[PricedOrder]):
    """Makes what the books note of an order: what leaves the stock, and loyalty points."""

    outputs: ClassVar[tuple[type, ...]] = (OrderLine, LoyaltyPoints)

    @classmethod
    def expand(cls, event: PricedOrder) -> dict[type, list[Any]]:
        order = event.order
        return {
            OrderLine: [OrderLine(order.order_id, order.product, order.quantity)],
            LoyaltyPoints: [LoyaltyPoints(order.customer, event.total_cents // 100)],
        }


sort_out = Router.by(
    PayloadType(),
    routes={
        OrderPlaced: Process(CheckOrder, DropTests),
        OrderCancelled: Process(IntoTopic("orders.cancelled", payload=OrderCancelled)),
    },
)

price = With(
    process=Process(PriceOrder),
    scope=ResourceScope.BATCH,
    catalogue=ContextFactory(open_catalogue),
)

customer_totals = BroadcastRoute(
    Process(CountCustomer), output=IntoTopic("customers.totals", payload=CustomerTotal)
)

risky = (payload.risk > 0.9) & (payload.total_cents > 10_000)
review = BroadcastRoute(
    process=Process(
        CollectBatch(max_records=50, timeout_ms=500),
        RateRisk,
        ForEach(),
        Fork.when(
            [ForkRoute(risky, Process(IntoTopic("orders.review", payload=PricedOrder)))],
            default=Process(Drain()),
        ),
    )
)

minute_sales = BroadcastRoute(
    process=Process(
        CollectBatch(
            max_records=10_000,
            timeout_ms=MINUTE_MS,
            window=WindowStrategy.TUMBLING,
            event_time=True,
            allowed_lateness_ms=MINUTE_MS,
            late=IntoTopic("orders.overdue", payload=PricedOrder),
        ),
        CountMinute,
    ),
    output=IntoTopic("orders.minutes", payload=MinuteSales),
)

notices = BroadcastRoute(
    process=Process(
        WithAsync(
            process=Process(NotifyCustomer, IntoTopic("notices", payload=Notice)),
            max_concurrency=20,
            task_timeout_ms=2_000,
            post=ContextFactory(open_post),
        )
    )
)

delivery = BroadcastRoute(
    process=Process(
        Explode(DeliveryNote),
        Router.by(
            PayloadType(),
            routes={
                OrderLine: Process(IntoTopic("delivery.lines", payload=OrderLine)),
                TaxLine: Process(IntoTopic("delivery.taxes", payload=TaxLine)),
            },
        ),
    )
)

books = BroadcastRoute(
    process=Process(
        ExpandRoutes(
            expander=Bookkeeping,
            routes={
                OrderLine: Process(IntoTopic("stock.moves", payload=OrderLine)),
                LoyaltyPoints: Process(IntoTopic("loyalty", payload=LoyaltyPoints)),
            },
        )
    )
)

everywhere = Broadcast(customer_totals, review, minute_sales, notices, delivery, books)

flow = StreamFlow(
    "orders",
    source=FromMultiTypeTopic("orders", payloads=(OrderPlaced, OrderCancelled)),
    process=Process(sort_out, price, everywhere),
    errors=IntoTopic("orders.errors", payload=ErrorEnvelope[OrderPlaced]),
)

ORDERS = 5_000
OPENED_MS = 1_767_254_400_000
"""The desk opens at 2026-01-01 08:00 UTC; event time starts there, an order a second."""

SHARES_PERCENT = {
    "fine": 90,
    "cancelled": 4,
    "of the test customer": 2,
    "ten minutes late": 1,
    "of no pieces": 1,
    "of an unknown product": 1,
    "cut short": 1,
}


def bench_feed() -> Iterator[Message[Any] | bytes]:
    """Yield a day's orders, poison in between; the same every time."""
    chance = random.Random(2026)  # noqa: S311 - sample data, not a secret
    for number in range(ORDERS):
        at_ms = OPENED_MS + number * 1_000
        order = OrderPlaced(
            order_id=f"o-{number:05d}",
            customer=f"customer-{chance.randrange(200):03d}",
            product=chance.choice([*PRICES_CENTS]),
            quantity=chance.randint(1, 5),
        )
        match chance.choices([*SHARES_PERCENT], [*SHARES_PERCENT.values()])[0]:
            case "cut short":
                yield f'{{"order_id": "{order.order_id}", "customer": '.encode()
            case "of an unknown product":
                yield _message(replace(order, product="unicorn"), at_ms)
            case "of no pieces":
                yield _message(replace(order, quantity=0), at_ms)
            case "ten minutes late":
                yield _message(order, at_ms - 10 * MINUTE_MS)
            case "of the test customer":
                yield _message(replace(order, customer="test"), at_ms)
            case "cancelled":
                yield _message(OrderCancelled(order.order_id, order.customer), at_ms)
            case _:
                yield _message(order, at_ms)


def _message(event: OrderPlaced | OrderCancelled, at_ms: int) -> Message[Any]:
    meta = MessageMeta(message_id=event.order_id, key=event.customer, produced_at_ms=at_ms)
    return Message(payload=event, meta=meta)
