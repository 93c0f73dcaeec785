"""CollectBatch: batches by count and time, tumbling windows and sessions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from loom_runtime import (
    BatchExpandStep,
    CollectBatch,
    ErrorKind,
    ExpandStep,
    ForEach,
    IntoTopic,
    LoomFrozenStruct,
    Message,
    ObservabilityRuntime,
    WindowStrategy,
)
from loom_runtime.observability import EventKind, LifecycleEvent, Scope
from tests.nodes.running import Item, Upper, at, ids, items, run, runner_of
from tests.nodes.test_fork import Count

LONG_MS = 60_000


class Row(LoomFrozenStruct, frozen=True):
    """The ids of one batch."""

    ids: list[str]


class Rows(BatchExpandStep[Item, Row]):
    """One row a batch."""

    def execute(self, messages: Sequence[Message[Item]]) -> list[list[Row]]:
        return [[Row([m.payload.id for m in messages])], *([] for _ in messages[1:])]


def window(strategy: WindowStrategy, length_ms: int, **options: Any) -> CollectBatch:
    return CollectBatch(
        max_records=options.pop("max_records", 1_000),
        timeout_ms=length_ms,
        window=strategy,
        event_time=True,
        **options,
    )


def tumbling(length_ms: int, **options: Any) -> CollectBatch:
    return window(WindowStrategy.TUMBLING, length_ms, **options)


def session(gap_ms: int, **options: Any) -> CollectBatch:
    return window(WindowStrategy.SESSION, gap_ms, **options)


def rows(declaration: CollectBatch, given: Any, **options: Any) -> list[list[str]]:
    runner = run(runner_of(declaration, Rows, **options), given)
    return [m.payload.ids for m in runner.output if isinstance(m.payload, Row)]


def test_a_batch_is_handed_on_when_it_is_full() -> None:
    declaration = CollectBatch(max_records=2, timeout_ms=LONG_MS)
    assert rows(declaration, items(*"abcde")) == [["a", "b"], ["c", "d"], ["e"]]


def test_a_batch_of_one_is_handed_on_at_once() -> None:
    assert rows(CollectBatch(max_records=1, timeout_ms=LONG_MS), items(*"abc")) == [
        ["a"],
        ["b"],
        ["c"],
    ]


@pytest.mark.parametrize("window", list(WindowStrategy))
def test_by_the_machines_clock_everything_is_handed_on_in_the_end(window: WindowStrategy) -> None:
    declaration = CollectBatch(max_records=1_000, timeout_ms=1, window=window)
    got = rows(declaration, items(*"abcdef"))
    assert [each for row in got for each in row] == list("abcdef")


def test_tumbling_windows_are_aligned_and_closed_by_the_watermark() -> None:
    given = [at(t) for t in (12, 15, 9, 20, 29, 30)]
    assert rows(tumbling(10, allowed_lateness_ms=100), given) == [
        ["9"],
        ["12", "15"],
        ["20", "29"],
        ["30"],
    ]


def test_tumbling_windows_before_the_epoch_are_aligned_too() -> None:
    assert rows(tumbling(10), [at(-12), at(-11), at(-9)]) == [["-12", "-11"], ["-9"]]


def test_a_session_ends_a_gap_after_its_last_record() -> None:
    given = [at(t) for t in (0, 5, 9, 18, 30, 40)]
    assert rows(session(10), given) == [["0", "5", "9", "18"], ["30"], ["40"]]


def test_a_record_between_two_sessions_joins_them_in_the_order_they_were_read() -> None:
    given = [at(t) for t in (20, 0, 25, 5, 12)]
    assert rows(session(10, allowed_lateness_ms=100), given) == [["20", "0", "25", "5", "12"]]


def test_a_full_window_is_handed_on_in_parts() -> None:
    given = [at(t) for t in (1, 2, 3, 4, 5, 11)]
    assert rows(tumbling(10, max_records=2), given) == [["1", "2"], ["3", "4"], ["5"], ["11"]]


def test_joined_sessions_are_handed_on_in_parts_no_larger_than_asked_for() -> None:
    given = [at(t) for t in (0, 1, 2, 20, 21, 22, 10, 11)]
    got = rows(session(11, max_records=4, allowed_lateness_ms=100), given)
    assert got == [["0", "1", "2", "20"], ["21", "22", "10", "11"]]


def test_a_late_record_is_a_routing_error_without_a_late_sink() -> None:
    runner = run(runner_of(tumbling(10), Rows), [at(5), at(25), at(7)])
    (envelope,) = runner.errors[ErrorKind.ROUTING]
    assert envelope.original_message is not None
    assert envelope.original_message.payload.id == "7"
    assert envelope.reason == "the record came later than its window's allowed lateness"
    assert (envelope.node, envelope.exception_type) == (
        "CollectBatch",
        "loom_runtime.execution.segments.LateRecordError",
    )
    assert runner.ledger is not None
    assert (runner.ledger.total("late"), runner.ledger.total("errored")) == (1, 1)


def test_a_late_record_goes_to_the_late_sink() -> None:
    declaration = tumbling(10, late=IntoTopic("overdue", payload=Item))
    runner = run(runner_of(declaration, Rows), [at(5), at(25), at(7)])
    assert [m.payload for m in runner.output if isinstance(m.payload, Item)] == [Item("7")]
    assert runner.errors[ErrorKind.ROUTING] == []
    assert runner.ledger is not None
    assert (runner.ledger.total("late"), runner.ledger.total("written")) == (1, 3)


def test_lateness_is_allowed_as_far_as_declared() -> None:
    given = [at(5), at(25), at(7), at(35), at(8), at(36), at(9)]
    late: IntoTopic[Any] = IntoTopic("overdue", payload=Item)
    runner = run(runner_of(tumbling(10, allowed_lateness_ms=20, late=late), Rows), given)
    overdue = [m.payload.id for m in runner.output if isinstance(m.payload, Item)]
    assert overdue == ["8", "9"]


def test_lateness_is_judged_record_by_record_not_batch_by_batch() -> None:
    """All arrive in one batch: 39 is late because of the 40 before it, 12 is not."""
    runner = run(runner_of(tumbling(10), Rows), [at(3), at(12), at(40), at(39)])
    late = [e.original_message for e in runner.errors[ErrorKind.ROUTING]]
    assert [message.payload.id for message in late if message] == ["39"]
    assert [m.payload.ids for m in runner.output] == [["3"], ["12"], ["40"]]


def test_a_record_without_a_time_is_a_routing_error() -> None:
    runner = run(runner_of(tumbling(10), Rows), [at(5), at(None), at(6)])
    (envelope,) = runner.errors[ErrorKind.ROUTING]
    assert envelope.reason == "it has no produced_at_ms, so it belongs to no window"
    assert (envelope.exception_type or "").endswith("UntimedRecordError")
    assert [m.payload.ids for m in runner.output] == [["5", "6"]]


def test_windows_behind_one_another() -> None:
    runner = run(
        runner_of(tumbling(10), ForEach(), Upper, tumbling(100), ForEach()),
        [at(t, Item(f"i{t}")) for t in (5, 15, 25, 125)],
    )
    assert ids(runner) == ["I5", "I15", "I25", "I125"]


def test_windows_behind_keyed_state_and_before_it() -> None:
    collect = CollectBatch(max_records=2, timeout_ms=LONG_MS)
    runner = run(runner_of(collect, ForEach(), Count, collect, ForEach()), items(*"abab"))
    assert sorted((m.payload.id, m.payload.text) for m in runner.output) == [
        ("a", "1"),
        ("a", "2"),
        ("b", "1"),
        ("b", "2"),
    ]


def test_copies_of_a_record_are_held_each_for_itself() -> None:
    class Twice(ExpandStep[Item, Item]):
        def execute(self, message: Message[Item]) -> list[Item]:
            return [message.payload, message.payload]

    declaration = CollectBatch(max_records=3, timeout_ms=LONG_MS)
    assert rows_of(Twice, declaration) == [["a", "a", "b"], ["b", "c", "c"]]


def rows_of(first: type[ExpandStep[Item, Item]], declaration: CollectBatch) -> list[list[str]]:
    runner = run(runner_of(first, declaration, Rows), items(*"abc"))
    return [m.payload.ids for m in runner.output]


def test_what_is_handed_on_at_the_end_is_told() -> None:
    events: list[LifecycleEvent] = []
    runner = runner_of(
        CollectBatch(max_records=10, timeout_ms=LONG_MS),
        Rows,
        observability_runtime=ObservabilityRuntime([events.append]),
    )
    run(runner, items(*"abc"))
    told = [e for e in events if e.scope is Scope.BATCH_COLLECT and e.kind is EventKind.END]
    assert sum(event.meta["records_in"] for event in told) == 3
    assert sum(event.meta["records_out"] for event in told) == 3
