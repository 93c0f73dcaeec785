"""Contract, authoring rows that need the engine: sources, sinks, steps, state, batches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import structlog

from loom_runtime import (
    BatchExpandStep,
    BatchStep,
    CollectBatch,
    DomainError,
    Drain,
    ErrorEnvelope,
    ErrorKind,
    ErrorRoute,
    ExpandStep,
    ForEach,
    FromMultiTypeTopic,
    IntoTopic,
    LoomFrozenStruct,
    Message,
    PartitionGuarantee,
    PartitionPolicy,
    Process,
    RecordStep,
    Router,
    StatefulStep,
    StreamFlow,
    StreamingTestRunner,
    WindowStrategy,
    With,
    WithAsync,
    payload,
)
from tests.nodes.running import Item, Result, at, config_of, ids, items, run, runner_of

LONG_MS = 60_000


class Cancelled(LoomFrozenStruct, frozen=True):
    __loom_message_type__: ClassVar[str] = "shop.cancelled"

    id: str


class Tag(RecordStep[Any, Result]):
    def __init__(self, tag: str = "tagged") -> None:
        self.tag = tag

    def execute(self, message: Message[Any]) -> Result:
        return Result(message.payload.id, self.tag)


class Sizes(BatchStep[Item, Result]):
    def execute(self, messages: Sequence[Message[Item]]) -> list[Result]:
        return [Result(m.payload.id, f"of {len(messages)}") for m in messages]


def texts(runner: StreamingTestRunner) -> list[str]:
    return [message.payload.text for message in runner.output]


def test_from_multi_type_topic_dispatches_by_message_type() -> None:
    source = FromMultiTypeTopic("in", payloads=(Item, Cancelled))
    raw = (None, b'{"id": "b"}', {"x-message-type": b"shop.cancelled"})
    runner = run(runner_of(Tag, source=source), [Item("a"), raw])
    assert ids(runner) == ["a", "b"]


def test_into_topic_ends_the_path_it_stands_on() -> None:
    runner = run(runner_of(Tag, IntoTopic("x"), output=False), items("a"))
    assert ids(runner) == ["a"]


def test_partition_policy_keeps_the_incoming_key_unless_repartitioning_is_allowed() -> None:
    class ById:
        def partition_key(self, message: Message[Item]) -> str:
            return message.payload.id

    keys: dict[bool, list[Any]] = {}
    for allowed in (False, True):
        policy = PartitionPolicy[Item](ById(), PartitionGuarantee.ENTITY_STABLE, allowed)
        sink: IntoTopic[Any] = IntoTopic("x", partitioning=policy)
        runner = run(runner_of(Tag, sink, output=False), [at(1, Item("a"), key=b"in"), Item("b")])
        keys[allowed] = [message.meta.key for message in runner.output]
    assert keys == {False: [b"in", b"b"], True: [b"a", b"b"]}


def test_process_runs_its_nodes_in_order() -> None:
    class Append(RecordStep[Any, Result]):
        def __init__(self, letter: str) -> None:
            self.letter = letter

        def execute(self, message: Message[Any]) -> Result:
            return Result(message.payload.id + self.letter)

    assert ids(run(runner_of(Append("x"), Append("y"), Append("z")), items("a"))) == ["axyz"]


def test_stream_flow_errors_route_each_kind() -> None:
    class Refuse(RecordStep[Item, Item]):
        def execute(self, message: Message[Item]) -> Item:
            raise DomainError("no")

    sink: IntoTopic[Any] = IntoTopic("errors", payload=ErrorEnvelope[Item])
    for errors in (
        sink,
        ErrorRoute((ErrorKind.BUSINESS,), sink),
        [ErrorRoute((ErrorKind.BUSINESS,), sink)],
        {ErrorKind.BUSINESS: sink},
    ):
        flow: StreamFlow[Any, Any] = StreamFlow(
            "contract",
            FromMultiTypeTopic("in", payloads=(Item, Cancelled)),
            Process(Refuse),
            IntoTopic("out"),
            errors,
        )
        runner = StreamingTestRunner.from_flow(flow, config=config_of())
        runner.with_payloads(items("a")).run()
        assert [e.reason for e in runner.errors[ErrorKind.BUSINESS]] == ["no"]


def test_record_step_gives_one_output_and_none_is_an_error_not_a_drop() -> None:
    class Forget(RecordStep[Item, Item]):
        def execute(self, message: Message[Item]) -> Any:
            return message.payload if message.payload.id == "a" else None

    runner = run(runner_of(Forget), items("a", "b"))
    assert ids(runner) == ["a"]
    assert len(runner.errors[ErrorKind.TASK]) == 1


def test_batch_step_gives_one_output_per_message_in_order() -> None:
    runner = runner_of(CollectBatch(max_records=2, timeout_ms=LONG_MS), Sizes, ForEach())
    run(runner, items("a", "b", "c"))
    assert (ids(runner), texts(runner)) == (["a", "b", "c"], ["of 2", "of 2", "of 1"])


def test_expand_step_gives_any_number_and_zero_outputs_filter_the_record() -> None:
    class Copies(ExpandStep[Item, Item]):
        def execute(self, message: Message[Item]) -> Iterable[Item]:
            return [message.payload] * message.payload.value

    runner = run(runner_of(Copies), items("a", "b", "c"))
    assert ids(runner) == ["b", "c", "c"]
    assert runner.ledger is not None
    assert runner.ledger.total("filtered") == 1


def test_batch_expand_step_gives_list_i_from_message_i() -> None:
    class Copies(BatchExpandStep[Item, Item]):
        def execute(self, messages: Sequence[Message[Item]]) -> list[list[Item]]:
            return [[m.payload] * m.payload.value for m in messages]

    given = [at(n, Item(each, n), key=each) for n, each in enumerate("abc")]
    runner = run(runner_of(CollectBatch(max_records=3, timeout_ms=LONG_MS), Copies), given)
    assert [(m.payload.id, m.meta.key) for m in runner.output] == [
        ("b", "b"),
        ("c", "c"),
        ("c", "c"),
    ]


def test_declaring_steps_as_class_instance_and_binding() -> None:
    config = config_of(steps={"tag": {"tag": "configured"}})
    for step, text in (
        (Tag, "tagged"),
        (Tag("instance"), "instance"),
        (Tag.from_config("steps.tag"), "configured"),
        (Tag.from_config("steps.tag", tag="override"), "override"),
        (Tag.configure(tag="given"), "given"),
    ):
        assert texts(run(runner_of(step, config=config), items("a"))) == [text]


def test_declaring_steps_deps_arrive_as_keyword_arguments_by_name() -> None:
    class Use(RecordStep[Item, Result]):
        def execute(self, message: Message[Item], *, db: str, other: str = "-") -> Result:
            return Result(message.payload.id, db + other)

    scope: With[Any, Any] = With(process=Process(Use), db="db")
    assert texts(run(runner_of(scope), items("a"))) == ["db-"]


def test_declaring_steps_execute_may_be_a_coroutine_function_inside_with_async() -> None:
    class Later(RecordStep[Item, Result]):
        async def execute(self, message: Message[Item]) -> Result:
            return Result(message.payload.id)

    scope: WithAsync[Any, Any] = WithAsync(process=Process(Later))
    assert ids(run(runner_of(scope), items("a", "b"))) == ["a", "b"]


def test_declaring_steps_a_batch_step_in_a_router_branch_runs_on_a_batch_of_one() -> None:
    routes: dict[Any, Process[Any, Any]] = {"a": Process(Sizes)}
    assert texts(run(runner_of(Router.by(payload.id, routes)), items("a", "a"))) == ["of 1"] * 2


def test_step_log_is_a_structured_logger_with_the_steps_name() -> None:
    class Talks(RecordStep[Item, Item]):
        name = "talks"

        def execute(self, message: Message[Item]) -> Item:
            self.log.info("seen", id=message.payload.id)
            return message.payload

    structlog.reset_defaults()
    with structlog.testing.capture_logs() as logs:
        run(runner_of(Talks), items("a"))
    assert [(entry["step"], entry["id"]) for entry in logs if entry["event"] == "seen"] == [
        ("talks", "a")
    ]


def test_collect_batch_runs_collect_tumbling_and_session() -> None:
    given = [at(t) for t in (1, 9, 12, 31)]
    found = {}
    for window in WindowStrategy:
        event_time = window is not WindowStrategy.COLLECT
        collect = CollectBatch(10, 10, window, event_time=event_time)
        if not event_time:
            collect = CollectBatch(max_records=3, timeout_ms=LONG_MS)
        found[window.value] = texts(run(runner_of(collect, Sizes, ForEach()), given))
    assert found == {
        "collect": ["of 3", "of 3", "of 3", "of 1"],
        "tumbling": ["of 2", "of 2", "of 1", "of 1"],
        "session": ["of 3", "of 3", "of 3", "of 1"],
    }


def test_event_time_windows_follow_produced_at_and_late_records_are_counted_and_routed() -> None:
    late: IntoTopic[Any] = IntoTopic("overdue", payload=Item)
    window = CollectBatch(10, 10, WindowStrategy.TUMBLING, event_time=True, late=late)
    runner = run(runner_of(window, Sizes, ForEach()), [at(5), at(25), at(6)])
    assert [m.payload.id for m in runner.output if isinstance(m.payload, Item)] == ["6"]
    assert runner.ledger is not None
    assert runner.ledger.total("late") == 1


def test_for_each_gives_records_and_drain_gives_nothing() -> None:
    collect = CollectBatch(max_records=2, timeout_ms=LONG_MS)
    assert ids(run(runner_of(collect, ForEach(), Tag), items("a", "b"))) == ["a", "b"]
    runner = run(runner_of(Tag, Drain(), output=False), items("a", "b"))
    assert runner.output == []
    assert runner.ledger is not None
    assert runner.ledger.total("filtered") == 2


def test_stateful_step_keeps_a_state_for_each_key() -> None:
    class Seen(LoomFrozenStruct, frozen=True):
        count: int = 0

    class Count(StatefulStep[Item, Result, Seen]):
        state_type = Seen

        def key(self, message: Message[Item]) -> str:
            return message.payload.id

        def initial(self) -> Seen:
            return Seen()

        def execute(self, state: Seen, message: Message[Item]) -> tuple[Seen, list[Result]]:
            return Seen(state.count + 1), [Result(message.payload.id, str(state.count + 1))]

    runner = run(runner_of(Count), items("a", "b", "a"))
    assert sorted((m.payload.id, m.payload.text) for m in runner.output) == [
        ("a", "1"),
        ("a", "2"),
        ("b", "1"),
    ]
