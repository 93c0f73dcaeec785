"""Flows made by hypothesis, each part with an oracle that says what it makes of one value.

The oracle looks at one value at a time and knows nothing of batches, epochs or order.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import anyio
from hypothesis import strategies as st

from loom_runtime import (
    Broadcast,
    BroadcastRoute,
    CollectBatch,
    ContextFactory,
    DomainError,
    Drain,
    ErrorKind,
    ExpandStep,
    ForEach,
    Fork,
    ForkRoute,
    IntoTopic,
    LoomFrozenStruct,
    Message,
    Process,
    ProcessNode,
    RecordStep,
    ResourceScope,
    Router,
    StatefulStep,
    WindowStrategy,
    With,
    WithAsync,
    payload,
)
from tests.nodes.running import Item

LONG_MS = 60_000

FILTERED = "filtered"

End = int | ErrorKind | str
"""Where a value ends: written with this value, failed with this kind, or filtered."""


class Part(ABC):
    """One or two nodes that belong together."""

    @abstractmethod
    def nodes(self) -> tuple[ProcessNode, ...]:
        """Return the declarations."""

    @abstractmethod
    def result(self, value: int) -> Iterator[tuple[int, bool] | End]:
        """Yield ``(value, True)`` for what goes on, and the end of what does not."""


class Adding(RecordStep[Item, Item]):
    def __init__(self, amount: int) -> None:
        self.amount = amount

    def execute(self, message: Message[Item]) -> Item:
        return Item(message.payload.id, message.payload.value + self.amount)


class AddingLater(Adding):
    async def execute(self, message: Message[Item]) -> Item:  # type: ignore[override]
        await anyio.sleep(0)
        return super().execute(message)


class Failing(RecordStep[Item, Item]):
    def __init__(self, rest: int, error: type[Exception]) -> None:
        self.rest, self.error = rest, error

    def execute(self, message: Message[Item]) -> Item:
        if message.payload.value % 5 == self.rest:
            raise self.error("as it should")
        return message.payload


class Copying(ExpandStep[Item, Item]):
    def __init__(self, divisor: int) -> None:
        self.divisor = divisor

    def execute(self, message: Message[Item]) -> Iterable[Item]:
        item = message.payload
        return [Item(item.id, item.value + n) for n in range(item.value % self.divisor)]


class Seen(LoomFrozenStruct, frozen=True):
    count: int = 0


class Counting(StatefulStep[Item, Item, Seen]):
    def __init__(self, rest: int) -> None:
        self.rest = rest

    def key(self, message: Message[Item]) -> str:
        return str(message.payload.value % 3)

    def initial(self) -> Seen:
        return Seen()

    def execute(self, state: Seen, message: Message[Item]) -> tuple[Seen | None, list[Item]]:
        if message.payload.value % 5 == self.rest:
            raise KeyError("as it should")
        dropped = state.count == 2
        return (None if dropped else Seen(state.count + 1)), [message.payload]


@dataclass(frozen=True)
class Add(Part):
    amount: int
    later: bool = False

    def nodes(self) -> tuple[ProcessNode, ...]:
        return ((AddingLater if self.later else Adding)(self.amount),)

    def result(self, value: int) -> Iterator[tuple[int, bool] | End]:
        yield value + self.amount, True


@dataclass(frozen=True)
class Fail(Part):
    rest: int
    business: bool

    def nodes(self) -> tuple[ProcessNode, ...]:
        return (Failing(self.rest, DomainError if self.business else KeyError),)

    def result(self, value: int) -> Iterator[tuple[int, bool] | End]:
        if value % 5 == self.rest:
            yield ErrorKind.BUSINESS if self.business else ErrorKind.TASK
        else:
            yield value, True


@dataclass(frozen=True)
class Copy(Part):
    divisor: int

    def nodes(self) -> tuple[ProcessNode, ...]:
        return (Copying(self.divisor),)

    def result(self, value: int) -> Iterator[tuple[int, bool] | End]:
        copies = value % self.divisor
        if copies == 0:
            yield FILTERED
        for number in range(copies):
            yield value + number, True


@dataclass(frozen=True)
class Collect(Part):
    most: int
    window: WindowStrategy

    def nodes(self) -> tuple[ProcessNode, ...]:
        event_time = self.window is not WindowStrategy.COLLECT
        return CollectBatch(self.most, LONG_MS, self.window, event_time=event_time), ForEach()

    def result(self, value: int) -> Iterator[tuple[int, bool] | End]:
        yield value, True


@dataclass(frozen=True)
class Count(Part):
    rest: int

    def nodes(self) -> tuple[ProcessNode, ...]:
        return (Counting(self.rest),)

    def result(self, value: int) -> Iterator[tuple[int, bool] | End]:
        if value % 5 == self.rest:
            yield ErrorKind.TASK
        else:
            yield value, True


@contextmanager
def connection() -> Iterator[str]:
    yield "open"


@dataclass(frozen=True)
class Scope(Part):
    inner: tuple[Part, ...]
    kind: str

    def nodes(self) -> tuple[ProcessNode, ...]:
        process: Process[Any, Any] = Process(*nodes_of(self.inner))
        if self.kind == "async":
            return (WithAsync(process=process, max_concurrency=3, task_timeout_ms=LONG_MS),)
        scope = ResourceScope.BATCH if self.kind == "batch" else ResourceScope.WORKER
        return (With(scope, process=process, db=ContextFactory(connection)),)

    def result(self, value: int) -> Iterator[tuple[int, bool] | End]:
        yield from results(self.inner, value)


@dataclass(frozen=True)
class Route(Part):
    branches: tuple[tuple[Part, ...], ...]
    default: tuple[Part, ...] | None
    ends: str

    def nodes(self) -> tuple[ProcessNode, ...]:
        routes = {n: Process(*nodes_of(b)) for n, b in enumerate(self.branches)}
        end: dict[str, ProcessNode] = {"sink": IntoTopic("aside", payload=Item), "drop": Drain()}
        if self.ends in end:
            routes[3] = Process(end[self.ends])
        default = None if self.default is None else Process(*nodes_of(self.default))

        class ByRest:
            def select(self, message: Message[Item]) -> object:
                return message.payload.value % 4

        return (Router.by(ByRest(), routes, default=default),)

    def result(self, value: int) -> Iterator[tuple[int, bool] | End]:
        choice = value % 4
        if choice < len(self.branches):
            yield from results(self.branches[choice], value)
        elif choice == 3 and self.ends == "sink":
            yield value
        elif choice == 3 and self.ends == "drop":
            yield FILTERED
        elif self.default is not None:
            yield from results(self.default, value)
        else:
            yield value, True


@dataclass(frozen=True)
class Split(Part):
    """A terminal: a Fork by size, or a Broadcast."""

    low: tuple[Part, ...]
    high: tuple[Part, ...]
    copies: bool

    def nodes(self) -> tuple[ProcessNode, ...]:
        low: Process[Any, Any] = Process(*nodes_of(self.low), IntoTopic("low", payload=Item))
        high: Process[Any, Any] = Process(*nodes_of(self.high), IntoTopic("high", payload=Item))
        if self.copies:
            return (Broadcast(BroadcastRoute(process=low), BroadcastRoute(process=high)),)
        return (Fork.when([ForkRoute(payload.value < 10, low)], default=high),)

    def result(self, value: int) -> Iterator[tuple[int, bool] | End]:
        if self.copies or value < 10:
            yield from map(ended, results(self.low, value))
        if self.copies or value >= 10:
            yield from map(ended, results(self.high, value))


def nodes_of(parts: Iterable[Part]) -> list[ProcessNode]:
    """Return the declarations of *parts*, at least one."""
    return [node for part in parts for node in part.nodes()] or [Adding(0)]


def results(parts: tuple[Part, ...], value: int) -> Iterator[tuple[int, bool] | End]:
    """Yield what *parts* make of one value."""
    if not parts:
        yield value, True
        return
    for each in parts[0].result(value):
        if isinstance(each, tuple):
            yield from results(parts[1:], each[0])
        else:
            yield each


def ended(each: tuple[int, bool] | End) -> End:
    """Return the end of what goes on into an output."""
    return each[0] if isinstance(each, tuple) else each


_ADD = st.builds(Add, st.integers(-3, 3))
_FAIL = st.builds(Fail, st.integers(0, 4), st.booleans())
_COPY = st.builds(Copy, st.integers(2, 4))
_PLAIN = _ADD | _FAIL | _COPY
_IN_ASYNC = st.builds(Add, st.integers(-3, 3), st.just(True)) | _PLAIN


def _parts(each: st.SearchStrategy[Any], most: int = 3) -> st.SearchStrategy[tuple[Part, ...]]:
    return st.lists(each, max_size=most).map(tuple)


def _route(each: st.SearchStrategy[Any]) -> st.SearchStrategy[Part]:
    return st.builds(
        Route,
        st.lists(_parts(each, 2), min_size=1, max_size=2).map(tuple),
        st.none() | _parts(each, 2),
        st.sampled_from(["", "sink", "drop"]),
    )


_ASYNC = st.builds(Scope, _parts(_IN_ASYNC | _route(_IN_ASYNC), 2), st.just("async"))
_IN_ROUTER = (
    _PLAIN | _ASYNC | st.builds(Scope, _parts(_PLAIN, 2), st.sampled_from(["worker", "batch"]))
)
_IN_SCOPE = _PLAIN | _route(_PLAIN)
_ANYWHERE = (
    _PLAIN
    | _ASYNC
    | st.builds(Collect, st.integers(1, 4), st.sampled_from(list(WindowStrategy)))
    | st.builds(Count, st.integers(0, 4))
    | st.builds(Scope, _parts(_IN_SCOPE, 2), st.sampled_from(["worker", "batch"]))
    | _route(_IN_ROUTER)
)
LINES = _parts(_ANYWHERE, 4)
FLOWS: st.SearchStrategy[tuple[Part, ...]] = st.tuples(
    LINES, st.none() | st.builds(Split, LINES, LINES, st.booleans())
).map(lambda made: (*made[0], *([made[1]] if made[1] else [])))
"""Parts of a whole flow; it ends itself when its last part is a :class:`Split`."""
