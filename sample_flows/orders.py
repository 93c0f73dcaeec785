"""An order desk: every kind of node in one flow, fed with some deliberate poison.

Placed orders are priced, scored, counted per customer and per minute, split into lines and
announced; cancelled ones are set aside. Of every hundred records a few are broken, each in its
own way, so that there is something to look at.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, ClassVar

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

ORDERS = 5_000
MINUTE_MS = 60_000
OPENED_MS = 1_767_254_400_000
"""The desk opens at 2026-01-01 08:00 UTC; event time starts there."""


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
    """An order and what it costs."""

    order_id: str
    customer: str
    product: str
    quantity: int
    total_cents: int
    risk: float = 0.0


class CustomerTotal(LoomFrozenStruct, frozen=True):
    """What a customer has ordered so far."""

    customer: str
    orders: int
    total_cents: int


class Totals(LoomFrozenStruct, frozen=True):
    """What is remembered of a customer."""

    orders: int = 0
    total_cents: int = 0


class MinuteSales(LoomFrozenStruct, frozen=True):
    """Sales of one minute on one partition."""

    minute_ms: int
    orders: int
    total_cents: int


class OrderLine(LoomFrozenStruct, frozen=True):
    """One line of the delivery note."""

    order_id: str
    product: str
    quantity: int


class TaxLine(LoomFrozenStruct, frozen=True):
    """The tax of an order."""

    order_id: str
    tax_cents: int


class StockMove(LoomFrozenStruct, frozen=True):
    """Stock that leaves the shelf."""

    product: str
    quantity: int


class LoyaltyPoints(LoomFrozenStruct, frozen=True):
    """Points that a customer earns."""

    customer: str
    points: int


class Notice(LoomFrozenStruct, frozen=True):
    """What the customer is told."""

    customer: str
    text: str


class Catalogue:
    """Prices in cents."""

    prices: ClassVar[dict[str, int]] = {"tea": 450, "coffee": 900, "mug": 1250, "kettle": 4900}

    def price(self, product: str) -> int:
        """Return the price of *product*; an unknown one is a plain bug, left in on purpose."""
        return self.prices[product]


class Post:
    """Carries notices."""

    async def send(self, notice: Notice) -> None:
        """Hand the notice over."""
        await asyncio.sleep(0)


@contextmanager
def open_catalogue() -> Iterator[Catalogue]:
    """Open the price list for one batch."""
    yield Catalogue()


@asynccontextmanager
async def open_post() -> AsyncIterator[Post]:
    """Open the post for as long as the worker lives."""
    yield Post()


class PayloadType(Selector[Any]):
    """Routes by the type of the payload."""

    def select(self, message: Message[Any]) -> object:
        """Return the type."""
        return type(message.payload)


class CheckOrder(RecordStep[OrderPlaced, OrderPlaced]):
    """Refuses orders that make no sense."""

    def execute(self, message: Message[OrderPlaced]) -> OrderPlaced:
        """Pass the order on."""
        if message.payload.quantity < 1:
            raise DomainError(f"an order of {message.payload.quantity} pieces")
        return message.payload


class DropTests(ExpandStep[OrderPlaced, OrderPlaced]):
    """Filters the orders of the test customer."""

    def execute(self, message: Message[OrderPlaced]) -> Iterable[OrderPlaced]:
        """Return the order, or nothing."""
        return [] if message.payload.customer == "test" else [message.payload]


class PriceOrder(RecordStep[OrderPlaced, PricedOrder]):
    """Looks the price up."""

    def execute(self, message: Message[OrderPlaced], catalogue: Catalogue) -> PricedOrder:
        """Return the priced order."""
        order = message.payload
        return PricedOrder(
            order_id=order.order_id,
            customer=order.customer,
            product=order.product,
            quantity=order.quantity,
            total_cents=catalogue.price(order.product) * order.quantity,
        )


class ScoreBatch(BatchStep[PricedOrder, PricedOrder]):
    """Rates each order against the batch it came with."""

    def execute(self, messages: Sequence[Message[PricedOrder]]) -> list[PricedOrder]:
        """Return one rated order per message."""
        dearest = max(message.payload.total_cents for message in messages)
        return [
            PricedOrder(
                order_id=order.order_id,
                customer=order.customer,
                product=order.product,
                quantity=order.quantity,
                total_cents=order.total_cents,
                risk=order.total_cents / dearest,
            )
            for order in (message.payload for message in messages)
        ]


class CountCustomer(StatefulStep[PricedOrder, CustomerTotal, Totals]):
    """Keeps each customer's total."""

    def key(self, message: Message[PricedOrder]) -> str:
        """Return the customer."""
        return message.payload.customer

    def initial(self) -> Totals:
        """Return an empty total."""
        return Totals()

    def execute(
        self, state: Totals, message: Message[PricedOrder]
    ) -> tuple[Totals, list[CustomerTotal]]:
        """Add the order."""
        order = message.payload
        state = Totals(state.orders + 1, state.total_cents + order.total_cents)
        return state, [CustomerTotal(order.customer, state.orders, state.total_cents)]


class CountMinute(BatchExpandStep[PricedOrder, MinuteSales]):
    """One row a minute."""

    def execute(self, messages: Sequence[Message[PricedOrder]]) -> list[list[MinuteSales]]:
        """Return the row with the window's first message."""
        at_ms = messages[0].meta.produced_at_ms or 0
        row = MinuteSales(
            minute_ms=at_ms - at_ms % MINUTE_MS,
            orders=len(messages),
            total_cents=sum(message.payload.total_cents for message in messages),
        )
        return [[row], *([] for _ in messages[1:])]


class NotifyCustomer(RecordStep[PricedOrder, Notice]):
    """Tells the customer."""

    async def execute(self, message: Message[PricedOrder], post: Post) -> Notice:
        """Return the notice that was sent."""
        notice = Notice(message.payload.customer, f"order {message.payload.order_id} is on its way")
        await post.send(notice)
        return notice


class DeliveryNote(PayloadExpander[PricedOrder]):
    """Lines and taxes of an order."""

    outputs: ClassVar[tuple[type, ...]] = (OrderLine, TaxLine)

    @classmethod
    def expand(cls, event: PricedOrder) -> dict[type, list[Any]]:
        """Return the rows by type."""
        return {
            OrderLine: [OrderLine(event.order_id, event.product, event.quantity)],
            TaxLine: [TaxLine(event.order_id, event.total_cents // 5)],
        }


class Bookkeeping(PayloadExpander[PricedOrder]):
    """Stock moves and loyalty points of an order."""

    outputs: ClassVar[tuple[type, ...]] = (StockMove, LoyaltyPoints)

    @classmethod
    def expand(cls, event: PricedOrder) -> dict[type, list[Any]]:
        """Return the rows by type."""
        return {
            StockMove: [StockMove(event.product, event.quantity)],
            LoyaltyPoints: [LoyaltyPoints(event.customer, event.total_cents // 100)],
        }


flow = StreamFlow(
    "orders",
    source=FromMultiTypeTopic("orders", payloads=(OrderPlaced, OrderCancelled)),
    process=Process(
        Router.by(
            PayloadType(),
            routes={
                OrderPlaced: Process(CheckOrder, DropTests),
                OrderCancelled: Process(IntoTopic("orders.cancelled", payload=OrderCancelled)),
            },
        ),
        With(
            scope=ResourceScope.BATCH,
            process=Process(PriceOrder),
            catalogue=ContextFactory(open_catalogue),
        ),
        Broadcast(
            BroadcastRoute(
                process=Process(CountCustomer),
                output=IntoTopic("customers.totals", payload=CustomerTotal),
            ),
            BroadcastRoute(
                process=Process(
                    CollectBatch(max_records=50, timeout_ms=500),
                    ScoreBatch,
                    ForEach(),
                    Fork.when(
                        [
                            ForkRoute(
                                when=(payload.risk > 0.9) & (payload.total_cents > 10_000),
                                process=Process(IntoTopic("orders.review", payload=PricedOrder)),
                            )
                        ],
                        default=Process(Drain()),
                    ),
                )
            ),
            BroadcastRoute(
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
            ),
            BroadcastRoute(
                process=Process(
                    WithAsync(
                        max_concurrency=20,
                        task_timeout_ms=2_000,
                        process=Process(NotifyCustomer, IntoTopic("notices", payload=Notice)),
                        post=ContextFactory(open_post),
                    )
                )
            ),
            BroadcastRoute(
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
            ),
            BroadcastRoute(
                process=Process(
                    ExpandRoutes(
                        expander=Bookkeeping,
                        routes={
                            StockMove: Process(IntoTopic("stock.moves", payload=StockMove)),
                            LoyaltyPoints: Process(IntoTopic("loyalty", payload=LoyaltyPoints)),
                        },
                    )
                )
            ),
        ),
    ),
    errors=IntoTopic("orders.errors", payload=ErrorEnvelope[OrderPlaced]),
)


def bench_feed() -> Iterator[Message[Any] | bytes]:
    """Yield a day of orders, one a second, with poison in between. The same every time."""
    chance = random.Random(20260101)  # noqa: S311 - sample data, not a secret
    customers = [f"customer-{number:03d}" for number in range(200)]
    products = [*Catalogue.prices]
    for number in range(ORDERS):
        customer, at_ms = chance.choice(customers), OPENED_MS + number * 1_000
        roll = chance.random()
        order = OrderPlaced(f"o-{number:05d}", customer, chance.choice(products), 1 + number % 5)
        if roll < 0.01:
            yield b'{"order_id": "o-%05d", "customer": ' % number
        elif roll < 0.02:
            yield _message(OrderPlaced(order.order_id, customer, "unicorn", 1), at_ms)
        elif roll < 0.03:
            yield _message(OrderPlaced(order.order_id, customer, "tea", 0), at_ms)
        elif roll < 0.04:
            yield _message(order, at_ms - 10 * MINUTE_MS)
        elif roll < 0.06:
            yield _message(OrderPlaced(order.order_id, "test", "tea", 1), at_ms)
        elif roll < 0.10:
            yield _message(OrderCancelled(order.order_id, customer), at_ms)
        else:
            yield _message(order, at_ms)


def _message(event: OrderPlaced | OrderCancelled, at_ms: int) -> Message[Any]:
    meta = MessageMeta(message_id=event.order_id, key=event.customer, produced_at_ms=at_ms)
    return Message(payload=event, meta=meta)
