"""A flow of every node kind, written as an author with a strict type checker writes it."""

from __future__ import annotations

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
    Drain,
    ErrorEnvelope,
    ErrorKind,
    ErrorRoute,
    ExpandRoutes,
    ExpandStep,
    Explode,
    ForEach,
    Fork,
    ForkRoute,
    FromMultiTypeTopic,
    FromTopic,
    IntoTopic,
    LoomFrozenStruct,
    Message,
    PartitionGuarantee,
    PartitionPolicy,
    Process,
    RecordStep,
    ResourceScope,
    Route,
    Router,
    StatefulStep,
    StreamFlow,
    WindowStrategy,
    With,
    WithAsync,
    msg,
    payload,
)


class Order(LoomFrozenStruct, frozen=True):
    id: str
    region: str
    amount: float


class Refund(LoomFrozenStruct, frozen=True):
    id: str


class Priced(LoomFrozenStruct, frozen=True):
    id: str
    region: str
    total: float


class Totals(LoomFrozenStruct, frozen=True):
    count: int = 0
    total: float = 0.0


class Line(LoomFrozenStruct, frozen=True):
    id: str


class Tax(LoomFrozenStruct, frozen=True):
    id: str


class Rates:
    """A dependency."""

    def of(self, region: str) -> float:
        return 1.2 if region == "eu" else 1.0


@contextmanager
def rates() -> Iterator[Rates]:
    yield Rates()


@asynccontextmanager
async def async_rates() -> AsyncIterator[Rates]:
    yield Rates()


class Price(RecordStep[Order, Priced]):
    def __init__(self, surcharge: float = 0.0) -> None:
        self.surcharge = surcharge

    def execute(self, message: Message[Order]) -> Priced:
        order = message.payload
        return Priced(order.id, order.region, order.amount + self.surcharge)


class Taxed(RecordStep[Priced, Priced]):
    def execute(self, message: Message[Priced], *, rates: Rates) -> Priced:
        priced = message.payload
        return Priced(priced.id, priced.region, priced.total * rates.of(priced.region))


class TaxedRemotely(RecordStep[Priced, Priced]):
    async def execute(self, message: Message[Priced], *, rates: Rates) -> Priced:
        return message.payload


class Valid(ExpandStep[Priced, Priced]):
    def execute(self, message: Message[Priced]) -> Iterable[Priced]:
        if message.payload.total > 0:
            yield message.payload


class Saved(BatchStep[Priced, Priced]):
    def execute(self, messages: Sequence[Message[Priced]]) -> Sequence[Priced]:
        return [message.payload for message in messages]


class Unrolled(BatchExpandStep[Priced, Priced]):
    def execute(self, messages: Sequence[Message[Priced]]) -> list[list[Priced]]:
        return [[message.payload] for message in messages]


class RunningTotal(StatefulStep[Priced, Priced, Totals]):
    def key(self, message: Message[Priced]) -> str:
        return message.payload.region

    def initial(self) -> Totals:
        return Totals()

    def execute(self, state: Totals, message: Message[Priced]) -> tuple[Totals, Iterable[Priced]]:
        priced = message.payload
        total = state.total + priced.total
        return Totals(state.count + 1, total), [Priced(priced.id, priced.region, total)]


class ByRegion:
    def select(self, message: Message[Priced]) -> object:
        return message.payload.region


class Large:
    def matches(self, message: Message[Priced]) -> bool:
        return message.payload.total > 1000


class ById:
    def partition_key(self, message: Message[Priced]) -> str:
        return message.payload.id


class Lines:
    outputs: ClassVar[tuple[type, ...]] = (Line, Tax)

    @classmethod
    def expand(cls, event: Priced) -> dict[type, list[Any]]:
        return {Line: [Line(event.id)], Tax: [Tax(event.id)]}


class RowType:
    def select(self, message: Message[Any]) -> object:
        return type(message.payload)


class KeepLine(RecordStep[Line, Line]):
    def execute(self, message: Message[Line]) -> Line:
        return message.payload


pricing: StreamFlow[Order, Priced] = StreamFlow(
    name="pricing",
    source=FromTopic("orders", payload=Order),
    process=Process(
        Price,
        Price(surcharge=0.5),
        Price.from_config("steps.price", surcharge=2.0),
        Price.configure(surcharge=1.0),
        With(process=Process(Taxed), scope=ResourceScope.BATCH, rates=ContextFactory(rates)),
        WithAsync(
            process=Process(TaxedRemotely, Valid),
            max_concurrency=4,
            task_timeout_ms=500,
            rates=ContextFactory(async_rates),
        ),
        RunningTotal,
        Router.by(
            ByRegion(),
            routes={"eu": Process(Saved), "us": Process(Valid)},
            default=Process(Drain()),
        ),
        Router.by(payload.region, routes={"eu": Process(Valid)}),
        Router.when(
            [
                Route((payload.total > 100) & ~payload.region.in_(["us"]), Process(Valid)),
                Route(msg.meta.key == b"x", Process(IntoTopic("marked", payload=Priced))),
                Route(Large(), Process(Valid)),
            ],
            default=Process(Valid),
        ),
        CollectBatch(max_records=100, timeout_ms=50),
        Saved,
        ForEach(),
        CollectBatch(
            max_records=100,
            timeout_ms=3_600_000,
            window=WindowStrategy.TUMBLING,
            event_time=True,
            allowed_lateness_ms=60_000,
            late=IntoTopic("late", payload=Priced),
        ),
        Unrolled,
    ),
    output=IntoTopic(
        "priced",
        payload=Priced,
        partitioning=PartitionPolicy(
            strategy=ById(), guarantee=PartitionGuarantee.ENTITY_STABLE, allow_repartition=True
        ),
        dlq="priced.dlq",
    ),
    errors=[
        ErrorRoute((ErrorKind.WIRE,), IntoTopic("unreadable")),
        ErrorRoute(
            (ErrorKind.TASK, ErrorKind.BUSINESS),
            IntoTopic("failed", payload=ErrorEnvelope[Order]),
        ),
    ],
)

splitting: StreamFlow[Order, Priced] = StreamFlow(
    "splitting",
    FromTopic("orders", payload=Order),
    Process(
        Price,
        Fork.when(
            [
                ForkRoute(
                    payload.total > 100,
                    Process(
                        Broadcast(
                            BroadcastRoute(Process(Valid), IntoTopic("copies", payload=Priced)),
                            BroadcastRoute(Process(Drain())),
                        )
                    ),
                ),
                ForkRoute(
                    payload.total > 50,
                    Process(
                        ExpandRoutes(
                            expander=Lines,
                            routes={Line: Process(KeepLine, IntoTopic("lines", payload=Line))},
                            default=Process(Drain()),
                        )
                    ),
                ),
            ],
            default=Process(
                Explode(Lines),
                Router.by(RowType(), routes={Line: Process(KeepLine), Tax: Process(Drain())}),
                IntoTopic("rows", payload=Line),
            ),
        ),
    ),
    errors={ErrorKind.ROUTING: IntoTopic("unrouted", payload=ErrorEnvelope[Priced])},
)

multiple: StreamFlow[Order | Refund, Order] = StreamFlow(
    "multiple",
    FromMultiTypeTopic("events", payloads=(Order, Refund)),
    Process(Drain()),
    errors=ErrorRoute(tuple(ErrorKind), IntoTopic("errors", payload=ErrorEnvelope[Order])),
)

CONFIG: dict[str, object] = {
    "kafka": {
        "consumer": {"brokers": ["localhost:9092"], "group_id": "pricing"},
        "producer": {"brokers": ["localhost:9092"]},
    },
    "steps": {"price": {"surcharge": 0.25}},
}
