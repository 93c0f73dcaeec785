"""A flow with every kind of node, for drawings."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from loom_runtime import (
    BatchExpandStep,
    BatchStep,
    Broadcast,
    BroadcastRoute,
    CollectBatch,
    Drain,
    ErrorEnvelope,
    ErrorKind,
    ErrorRoute,
    ExpandRoutes,
    ExpandStep,
    Fork,
    FromTopic,
    IntoTopic,
    LoomStruct,
    Message,
    Process,
    RecordStep,
    Route,
    Router,
    StatefulStep,
    StreamFlow,
    WindowStrategy,
    With,
    WithAsync,
    payload,
)


class Order(LoomStruct):
    """An order."""

    id: str
    country: str
    amount: float


class Line(LoomStruct):
    """A line of an order."""

    id: str


class Total(LoomStruct):
    """State: the sum of a country's orders."""

    amount: float = 0.0


class Validate(RecordStep[Order, Order]):
    """Passes an order on."""

    def execute(self, message: Message[Order]) -> Order:
        return message.payload


class Price(RecordStep[Order, Order]):
    """Prices an order."""

    def execute(self, message: Message[Order], rates: dict[str, float]) -> Order:
        return message.payload


class Enrich(RecordStep[Order, Order]):
    """Asks a service."""

    async def execute(self, message: Message[Order], client: object) -> Order:
        return message.payload


class Split(ExpandStep[Order, Order]):
    """One order to several."""

    def execute(self, message: Message[Order]) -> Iterable[Order]:
        return [message.payload]


class Score(BatchStep[Order, Order]):
    """Scores a batch."""

    def execute(self, messages: Sequence[Message[Order]]) -> list[Order]:
        return [message.payload for message in messages]


class Duplicate(BatchExpandStep[Order, Order]):
    """Two of each."""

    def execute(self, messages: Sequence[Message[Order]]) -> list[list[Order]]:
        return [[message.payload] * 2 for message in messages]


class CountryTotal(StatefulStep[Order, Order, Total]):
    """Sums by country."""

    def key(self, message: Message[Order]) -> str:
        return message.payload.country

    def initial(self) -> Total:
        return Total()

    def execute(self, state: Total, message: Message[Order]) -> tuple[Total, Iterable[Order]]:
        return Total(state.amount + message.payload.amount), [message.payload]


class ToLines:
    """Rows of an order."""

    outputs: ClassVar[tuple[type, ...]] = (Line, Order)

    @classmethod
    def expand(cls, event: Order) -> dict[type, list[Any]]:
        return {Line: [Line(event.id)], Order: [event]}


flow: StreamFlow[Order, Order] = StreamFlow(
    "everything",
    FromTopic("orders", payload=Order),
    Process(
        Validate,
        Split,
        CountryTotal,
        Router.by(
            payload.country,
            routes={
                "ES": Process(With(process=Process(Price), rates={"ES": 1.0})),
                "FR": Process(Validate, Validate),
                "XX": Process(IntoTopic("refused", payload=Order, dlq="refused-dead")),
            },
            default=Process(Validate),
        ),
        WithAsync(process=Process(Enrich), client=object(), max_concurrency=4),
        CollectBatch(
            max_records=100,
            timeout_ms=1000,
            window=WindowStrategy.TUMBLING,
            event_time=True,
            late=IntoTopic("late-orders"),
        ),
        Score,
        Duplicate,
        Router.when(
            [Route(when=payload.amount > 1000, process=Process(Drain()))],
            default=Process(Validate),
        ),
        Fork.by(
            payload.country,
            routes={
                "ES": Process(
                    Broadcast(
                        BroadcastRoute(Process(Validate), IntoTopic("spain", payload=Order)),
                        BroadcastRoute(Process(Validate)),
                    )
                ),
                "FR": Process(
                    ExpandRoutes(
                        expander=ToLines,
                        routes={
                            Line: Process(IntoTopic("lines", payload=Line)),
                            Order: Process(IntoTopic("french", payload=Order)),
                        },
                    )
                ),
            },
            default=Process(Drain()),
        ),
    ),
    errors=[
        ErrorRoute((ErrorKind.WIRE,), IntoTopic("undecodable", payload=ErrorEnvelope[Order])),
        ErrorRoute(
            (ErrorKind.TASK, ErrorKind.BUSINESS, ErrorKind.ROUTING),
            IntoTopic("failed", payload=ErrorEnvelope[Order]),
        ),
    ],
)
