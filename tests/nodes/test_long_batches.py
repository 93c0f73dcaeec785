"""Batches longer than what goes through a segment at once: nothing shows where they are parted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from loom_runtime import (
    Broadcast,
    BroadcastRoute,
    ContextFactory,
    DomainError,
    ErrorKind,
    ExpandStep,
    IntoTopic,
    Message,
    Process,
    RecordStep,
    ResourceScope,
    With,
)
from tests.nodes.running import Item, Pass, ids, run, runner_of

COUNT = 1_000


class Picky(RecordStep[Item, Item]):
    """Refuses every hundredth."""

    def execute(self, message: Message[Item]) -> Item:
        if message.payload.value % 100 == 0:
            raise DomainError(message.payload.id)
        return message.payload


class Repeat(ExpandStep[Item, Item]):
    """Gives none, one or two."""

    def execute(self, message: Message[Item]) -> Iterable[Item]:
        return [message.payload] * (message.payload.value % 3)


def numbered() -> list[Item]:
    return [Item(str(value), value) for value in range(COUNT)]


def test_outputs_and_failures_keep_their_order() -> None:
    runner = run(runner_of(Picky, Repeat), numbered())
    kept = [item for item in numbered() if item.value % 100]
    assert ids(runner) == [item.id for item in kept for _ in range(item.value % 3)]
    failed = [envelope.reason for envelope in runner.errors[ErrorKind.BUSINESS]]
    assert failed == [str(value) for value in range(0, COUNT, 100)]


def test_every_branch_has_every_record_in_order() -> None:
    copies = Broadcast(
        BroadcastRoute(Process(Pass), IntoTopic("one")),
        BroadcastRoute(Process(Pass), IntoTopic("other")),
    )
    runner = run(runner_of(copies, output=False), numbered())
    assert ids(runner) == 2 * [item.id for item in numbered()]  # one sink after the other


def test_a_batchs_context_is_opened_once_for_all_of_it() -> None:
    opened: list[int] = []

    @contextmanager
    def connection() -> Iterator[str]:
        opened.append(len(opened))
        yield "open"

    class Use(RecordStep[Item, Item]):
        def execute(self, message: Message[Item], db: str) -> Item:
            return message.payload

    scope = With(process=Process(Use), scope=ResourceScope.BATCH, db=ContextFactory(connection))
    runner = run(runner_of(scope), numbered())
    assert ids(runner) == [item.id for item in numbered()]
    assert opened == [0]
