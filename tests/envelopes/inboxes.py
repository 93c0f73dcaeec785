"""An inbox on a real broker, of a flow that need not run, and ways to wait for what it shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from loom_bench.broker.reading import Headers
from loom_bench.session.envelopes.flow_view import InboxFlow
from loom_bench.session.envelopes.inbox import Inbox
from loom_bench.session.envelopes.opening import Tracer
from loom_bench.session.envelopes.value import InboxValue
from loom_bench.session.tracing.value import TracingView
from loom_runtime import (
    ConfigContext,
    ErrorEnvelope,
    ErrorKind,
    FromTopic,
    IntoTopic,
    LoomFrozenStruct,
    Message,
    MessageMeta,
    Process,
    RecordStep,
    StreamFlow,
    compile_flow,
)
from loom_runtime.compiler.document import document_of
from loom_runtime.config.kafka import WireFormat
from loom_runtime.errors import message_for_envelope
from loom_runtime.wire.envelopes import EnvelopeEncoder
from tests.bench.processes import await_true
from tests.broker_fixtures import NewRecord, ReadRecord, Topics

TIMEOUT_S = 30.0


class Order(LoomFrozenStruct, frozen=True):
    """What failed."""

    number: int
    product: str


class Price(RecordStep[Order, Order]):
    """Stands for the node that failed; never runs."""

    def execute(self, message: Message[Order]) -> Order:
        return message.payload


class Place:
    """Topics of a flow on a broker, and an inbox of them.

    Attributes:
        source: The source topic.
        errors: The topic of its envelopes.
        dead: The dead-letter topic of its output.
        output: That output.
        flow: The flow.
    """

    def __init__(self, topics: Topics, *, partitions: int = 2, owned: bool = True) -> None:
        self.topics = topics
        self.source = topics.create("orders", partitions=partitions)
        self.errors = topics.create("errors", partitions=partitions)
        self.output = topics.create("priced")
        self.dead = topics.create("dead")
        self.flow = self._flow(owned)

    def _flow(self, owned: bool) -> InboxFlow:
        flow = StreamFlow(
            "orders",
            source=FromTopic(self.source, Order),
            process=Process(Price),
            output=IntoTopic(self.output, Order, dlq=self.dead),
            errors=IntoTopic(self.errors, payload=ErrorEnvelope[Order]),
        )
        client = {"brokers": ["localhost:9092"]}
        config = {"kafka": {"consumer": {**client, "group_id": "orders"}, "producer": client}}
        plan = document_of(compile_flow(flow, config=ConfigContext.from_dict(config)))
        return InboxFlow(
            target=__file__,
            config_path=None,
            module="orders",
            plan=plan,
            bootstrap=self.topics.bootstrap,
            owned=owned,
            lasting=None if owned else self.topics.bootstrap,
        )

    def write_orders(self, orders: Sequence[tuple[int, str, str]], partition: int = 0) -> None:
        """Write number, product and key of orders to the source."""
        self.topics.produce(
            self.source,
            [
                NewRecord(
                    f'{{"number": {number}, "product": "{product}"}}'.encode(),
                    key.encode(),
                    (("shop", b"1"),),
                    partition,
                )
                for number, product, key in orders
            ],
        )

    def write_envelopes(self, *envelopes: ErrorEnvelope[Any]) -> None:
        """Write envelopes as the flow would."""
        encoder = EnvelopeEncoder(WireFormat.JSON)
        records = [encoder.encode(each) for each in envelopes]
        self.topics.produce(
            self.errors, [NewRecord(value, key, headers or ()) for key, value, headers in records]
        )

    def envelope(
        self, offset: int, key: str = "k", *, partition: int = 0, **changes: Any
    ) -> ErrorEnvelope[Any]:
        """The envelope of the order at an offset of the source."""
        headers = changes.pop("headers", {})
        message = Message(
            payload=Order(offset, changes.pop("product", "unicorn")),
            meta=MessageMeta(
                message_id=f"{self.source}:{partition}:{offset}",
                topic=self.source,
                partition=partition,
                offset=offset,
                key=key.encode(),
                headers=headers,
            ),
        )
        fields: dict[str, Any] = {
            "kind": ErrorKind.TASK,
            "reason": "'unicorn'",
            "payload_type": "order",
            "original_message": message_for_envelope(message),
            "flow": "orders",
            "revision": "abc",
            "node": "Price",
            "exception_type": "builtins.KeyError",
            "traceback": '  File "orders.py", line 3, in Price.execute\n    return prices[product]',
            **changes,
        }
        return ErrorEnvelope(**fields)

    def read(self, topic: str) -> list[ReadRecord]:
        """Everything in a topic."""
        return self.topics.read(topic)

    def write_letter(self, topic: str, key: bytes, value: bytes, headers: Headers) -> None:
        """Write a foreign dead letter."""
        self.topics.produce(topic, [NewRecord(value, key, headers)])


class Opened:
    """An inbox that is open."""

    def __init__(self, inbox: Inbox) -> None:
        self.inbox = inbox

    @property
    def value(self) -> InboxValue:
        return self.inbox.value()

    def until(self, holds: Callable[[InboxValue], object], what: str) -> InboxValue:
        """Wait for a value of which *holds* is true, and return it."""
        found: list[InboxValue] = []

        def look() -> bool:
            value = self.inbox.value()
            if holds(value):
                found.append(value)
            return bool(found)

        await_true(look, what, timeout_s=TIMEOUT_S)
        return found[0]

    def until_seen(self, count: int) -> InboxValue:
        """Wait until so many envelopes have come."""
        return self.until(lambda value: value.kept.seen >= count, f"{count} envelopes did not come")


@contextmanager
def opened(
    place: Place, *, store: Path | None = None, tracer: Tracer | None = None
) -> Iterator[Opened]:
    """Open an inbox."""
    inbox = Inbox(tracer, TracingView, lambda _flow: store)
    try:
        inbox.flow_runs(place.flow)
        yield Opened(inbox)
    finally:
        inbox.close()
