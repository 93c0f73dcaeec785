"""With: sync dependencies, opened for a worker or for each batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from types import TracebackType
from typing import Any

import pytest
from structlog.testing import capture_logs

from loom_runtime import (
    BatchStep,
    CollectBatch,
    ConfigBinding,
    Configurable,
    ContextFactory,
    DomainError,
    ErrorKind,
    ForEach,
    IntoTopic,
    Message,
    Process,
    RecordStep,
    ResourceScope,
    With,
)
from loom_runtime.failures import ResourceError
from tests.nodes.running import Item, Pass, Result, config_of, ids, items, run, runner_of

PAIRS = CollectBatch(max_records=2, timeout_ms=60_000)


class Journal:
    """Hands out contexts and writes down what happens to them."""

    def __init__(self) -> None:
        self.entries: list[str] = []

    @contextmanager
    def context(self, name: str) -> Iterator[str]:
        self.entries.append(f"open {name}")
        try:
            yield name
        finally:
            self.entries.append(f"close {name}")

    def factory(self, name: str) -> ContextFactory:
        return ContextFactory(lambda: self.context(name))


class Use(RecordStep[Item, Result]):
    """Says which database it was given."""

    def execute(self, message: Message[Item], db: Any) -> Result:
        return Result(message.payload.id, str(db))


class UseAll(BatchStep[Item, Result]):
    """Says which database its batch was given."""

    def execute(self, messages: Sequence[Message[Item]], db: Any) -> list[Result]:
        return [Result(message.payload.id, str(db)) for message in messages]


def scope(*nodes: Any, **options: Any) -> With[Any, Any]:
    return With(process=Process(*(nodes or (Use,))), **options)


def test_a_workers_context_is_opened_once_and_closed_at_shutdown() -> None:
    journal = Journal()
    runner = run(
        runner_of(PAIRS, scope(UseAll, db=journal.factory("db")), ForEach()), items(*"abcde")
    )
    assert ids(runner) == list("abcde")
    assert journal.entries == ["open db", "close db"]


def test_a_batchs_context_is_opened_and_closed_for_each_batch() -> None:
    journal = Journal()
    batch = scope(UseAll, scope=ResourceScope.BATCH, db=journal.factory("db"))
    run(runner_of(PAIRS, batch, ForEach()), items(*"abcde"))
    assert journal.entries == ["open db", "close db"] * 3


def test_an_instance_is_opened_once_a_factory_makes_a_fresh_one_each_run() -> None:
    journal = Journal()
    once, again = journal.context("once"), journal.factory("again")
    run(runner_of(scope(UseBoth, db=once, other=again)), items("a", "b"))
    assert journal.entries == ["open once", "open again", "close again", "close once"]
    journal.entries.clear()
    runner = runner_of(scope(Use, db=again))
    run(runner, items("a"))
    runner.run()
    assert journal.entries == ["open again", "close again"] * 2


class UseBoth(RecordStep[Item, Result]):
    def execute(self, message: Message[Item], db: str, other: str) -> Result:
        return Result(message.payload.id, db + other)


def test_contexts_are_closed_in_reverse_order_of_their_opening() -> None:
    journal = Journal()
    inner = scope(UseBoth, other=journal.factory("inner"), third=journal.context("shared"))
    outer = scope(inner, db=journal.factory("outer"), fourth=journal.context("first"))
    later = scope(Pass, fifth=journal.factory("later"))
    run(runner_of(outer, later), items("a"))
    opened = [each.removeprefix("open ") for each in journal.entries[:5]]
    closed = [each.removeprefix("close ") for each in journal.entries[5:]]
    assert opened == ["first", "outer", "shared", "inner", "later"]
    assert closed == opened[::-1]


def test_a_flow_without_records_opens_nothing() -> None:
    journal = Journal()
    run(runner_of(scope(db=journal.factory("db"))), [])
    assert journal.entries == []


def test_contexts_are_closed_when_the_run_fails() -> None:
    journal = Journal()

    class Interrupt(RecordStep[Item, Item]):
        def execute(self, message: Message[Item], db: str) -> Item:
            raise KeyboardInterrupt

    runner = runner_of(scope(Interrupt, db=journal.factory("db"))).with_payloads(items("a"))
    with pytest.raises(KeyboardInterrupt):
        runner.run()
    assert journal.entries == ["open db", "close db"]


def test_a_batchs_context_is_closed_when_a_step_in_it_fails() -> None:
    journal = Journal()

    class Refuse(RecordStep[Item, Item]):
        def execute(self, message: Message[Item], db: str) -> Item:
            raise DomainError("no")

    batch = scope(Refuse, scope=ResourceScope.BATCH, db=journal.factory("db"))
    runner = run(runner_of(batch), items("a", "b"))
    assert len(runner.errors[ErrorKind.BUSINESS]) == 2
    assert journal.entries == ["open db", "close db"]


def refusing() -> AbstractContextManager[str]:
    raise ConnectionError("the database is down")


def test_a_workers_context_that_does_not_open_fails_the_run() -> None:
    journal = Journal()
    runner = runner_of(scope(db=ContextFactory(refusing), first=journal.context("first")))
    runner.with_payloads(items("a"))
    with pytest.raises(ResourceError) as raised:
        runner.run()
    assert "ConnectionError: the database is down" in raised.value.what
    assert "With" in raised.value.where
    assert "db" in raised.value.where
    assert "test_with.py" in raised.value.where
    assert "ResourceScope.BATCH" in raised.value.what_next
    assert journal.entries == ["open first", "close first"]
    assert (runner.output, runner.errors[ErrorKind.TASK]) == ([], [])


def test_a_batchs_context_that_does_not_open_fails_the_records_of_its_batch() -> None:
    openings = iter([True, False, True])
    journal = Journal()

    def sometimes() -> AbstractContextManager[str]:
        return journal.context("db") if next(openings) else refusing()

    batch = scope(
        UseAll,
        scope=ResourceScope.BATCH,
        first=journal.factory("first"),
        db=ContextFactory(sometimes),
    )
    runner = run(runner_of(PAIRS, batch, ForEach()), items(*"abcdef"))
    assert ids(runner) == ["a", "b", "e", "f"]
    envelopes = runner.errors[ErrorKind.TASK]
    assert [e.original_message and e.original_message.payload.id for e in envelopes] == ["c", "d"]
    assert [(e.node, e.reason) for e in envelopes] == [("With", "the database is down")] * 2
    assert journal.entries.count("open first") == journal.entries.count("close first") == 3


class FailsToClose:
    """A transaction that does not commit."""

    def __enter__(self) -> str:
        return "db"

    def __exit__(self, *_: object) -> None:
        raise OSError("commit refused")


def test_a_batchs_context_that_does_not_close_fails_its_records_whatever_their_steps_gave() -> None:
    class Partly(RecordStep[Item, Item]):
        def execute(self, message: Message[Item], db: str) -> Item:
            if message.payload.id == "b":
                raise DomainError("no")
            return message.payload

    batch = scope(
        Partly, IntoTopic("inside"), scope=ResourceScope.BATCH, db=ContextFactory(FailsToClose)
    )
    runner = run(runner_of(batch, output=False), items("a", "b", "c"))
    assert runner.output == []
    assert [e.reason for e in runner.errors[ErrorKind.TASK]] == ["commit refused"] * 3


def test_a_workers_context_that_does_not_close_is_logged_and_costs_nothing() -> None:
    journal = Journal()
    runner = runner_of(scope(db=ContextFactory(FailsToClose), other=journal.factory("other")))
    with capture_logs() as logs:
        run(runner, items("a"))
    assert ids(runner) == ["a"]
    assert journal.entries == ["open other", "close other"]
    assert any("did not close" in entry["event"] for entry in logs)


def test_a_context_that_swallows_exceptions_hides_no_failure_of_the_run() -> None:
    inner = scope(Use, db=ContextFactory(refusing))
    outer = scope(
        inner, scope=ResourceScope.BATCH, calm=ContextFactory(lambda: suppress(Exception))
    )
    runner = runner_of(outer).with_payloads(items("a"))
    with pytest.raises(ResourceError):
        runner.run()


def test_a_factory_that_makes_no_context_manager_is_told() -> None:
    wrong: Any = ContextFactory(lambda: "no context")  # type: ignore[arg-type,return-value]
    runner = runner_of(scope(db=wrong)).with_payloads(items("a"))
    with pytest.raises(ResourceError, match="its factory made a str, no context manager"):
        runner.run()


def test_a_one_shot_instance_in_a_second_run_is_told_what_to_do() -> None:
    runner = runner_of(scope(db=Journal().context("db")))
    run(runner, items("a"))
    with pytest.raises(ResourceError) as raised:
        runner.run()
    assert "ContextFactory" in raised.value.what_next


class Pool(Configurable):
    """A dependency that configuration builds and that is its own context manager."""

    opened: int = 0

    def __init__(self, size: int = 1) -> None:
        self.size = size

    def __enter__(self) -> Pool:
        self.opened += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.opened -= 1

    def __str__(self) -> str:
        return f"pool of {self.size}, opened {self.opened}"


def test_a_dependency_may_be_built_from_configuration() -> None:
    binding: ConfigBinding = Pool.from_config("pools.main")
    config = config_of(pools={"main": {"size": 4}})
    runner = run(runner_of(scope(db=binding), config=config), items("a"))
    assert runner.output[0].payload.text == "pool of 4, opened 1"


def test_plain_values_are_no_contexts() -> None:
    runner = run(runner_of(scope(db="a plain string")), items("a"))
    assert runner.output[0].payload.text == "a plain string"


def test_the_scope_may_end_the_path() -> None:
    runner = run(runner_of(scope(Use, IntoTopic("inside"), db=1), output=False), items("a", "b"))
    assert ids(runner) == ["a", "b"]


def test_the_runtime_of_the_test_kit_has_one_worker() -> None:
    config = config_of(streaming={"runtime": {"workers_per_process": 4}})
    journal = Journal()
    run(runner_of(scope(db=journal.factory("db")), config=config), items("a"))
    assert journal.entries == ["open db", "close db"]
