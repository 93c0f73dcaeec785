"""Collectors by themselves: the machine's clock given as a number, and what the store keeps."""

from __future__ import annotations

import random
from typing import Any, Generic, TypeVar

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loom_runtime import (
    CollectBatch,
    ErrorEnvelope,
    ErrorKind,
    ErrorMessage,
    ErrorMessageMeta,
    LoomFrozenStruct,
    Message,
    MessageMeta,
    WindowStrategy,
)
from loom_runtime.execution.collecting import Collector, collector, restored_collector
from loom_runtime.execution.travel import Collected

KEY = "in:0"


class Item(LoomFrozenStruct, frozen=True):
    """A payload that can be found again by its module and name."""

    number: int
    tags: tuple[str, ...] = ()


def message(number: int, at_ms: int | None = None) -> Message[Item]:
    meta = MessageMeta(
        message_id=f"{KEY}:{number}",
        correlation_id="c",
        produced_at_ms=at_ms,
        topic="in",
        partition=0,
        offset=number,
        key=b"\xff\x00" if number % 2 else "text",
        headers={"h": b"\xff"},
    )
    return Message(payload=Item(number, ("a", "b")), meta=meta)


def feed(held: Collector, numbers: range, now_ms: int, at_ms: int | None = None) -> Collected:
    return held.take(list(numbers), [message(n, at_ms) for n in numbers], now_ms)


def batches(collected: Collected) -> list[list[int]]:
    for offsets, messages in collected.batches:
        assert offsets == [each.payload.number for each in messages]
    return [offsets for offsets, _ in collected.batches]


def test_a_batch_waits_for_the_time_of_its_first_record() -> None:
    held = collector(KEY, CollectBatch(max_records=10, timeout_ms=100))
    assert held.due_ms() is None
    assert batches(feed(held, range(2), now_ms=1_000)) == []
    assert batches(feed(held, range(2, 3), now_ms=1_050)) == []
    assert held.due_ms() == 1_100
    assert batches(held.expire(1_099)) == []
    assert batches(held.expire(1_100)) == [[0, 1, 2]]
    assert (held.due_ms(), held.held) == (None, 0)


def test_the_clock_of_a_batch_starts_again_after_it_was_handed_on() -> None:
    held = collector(KEY, CollectBatch(max_records=2, timeout_ms=100))
    assert batches(feed(held, range(3), now_ms=1_000)) == [[0, 1]]
    assert held.due_ms() == 1_100
    assert batches(feed(held, range(3, 4), now_ms=1_050)) == [[2, 3]]
    assert held.due_ms() is None
    feed(held, range(4, 5), now_ms=1_060)
    assert held.due_ms() == 1_160


def test_tumbling_windows_by_the_machines_clock() -> None:
    held = collector(KEY, CollectBatch(100, 100, WindowStrategy.TUMBLING))
    feed(held, range(2), now_ms=1_010)
    assert held.due_ms() == 1_100
    assert batches(feed(held, range(2, 3), now_ms=1_130)) == [[0, 1]]
    assert held.due_ms() == 1_200
    assert batches(held.expire(1_200)) == [[2]]


def test_sessions_by_the_machines_clock() -> None:
    held = collector(KEY, CollectBatch(100, 100, WindowStrategy.SESSION))
    feed(held, range(1), now_ms=1_000)
    feed(held, range(1, 2), now_ms=1_080)
    assert held.due_ms() == 1_180
    assert batches(held.expire(1_179)) == []
    assert batches(held.expire(1_180)) == [[0, 1]]


def test_event_time_windows_ask_for_no_clock() -> None:
    held = collector(KEY, CollectBatch(100, 100, WindowStrategy.TUMBLING, event_time=True))
    feed(held, range(1), now_ms=5, at_ms=50)
    assert held.due_ms() is None
    assert batches(held.expire(10_000_000)) == []
    assert batches(held.release_all()) == [[0]]


def test_the_watermark_is_each_partitions_own() -> None:
    declaration = CollectBatch(100, 100, WindowStrategy.TUMBLING, event_time=True)
    ahead, behind = collector("in:0", declaration), collector("in:1", declaration)
    feed(ahead, range(1), now_ms=0, at_ms=10_000)
    collected = feed(behind, range(1), now_ms=0, at_ms=50)
    assert collected.late == ([], [])
    assert behind.held == 1


def declarations() -> st.SearchStrategy[CollectBatch]:
    windows = st.builds(
        CollectBatch,
        max_records=st.integers(1, 6),
        timeout_ms=st.integers(1, 30),
        window=st.sampled_from([WindowStrategy.TUMBLING, WindowStrategy.SESSION]),
        event_time=st.just(True),
        allowed_lateness_ms=st.integers(0, 40),
    )
    clocked = st.builds(
        CollectBatch,
        max_records=st.integers(1, 6),
        timeout_ms=st.integers(1, 30),
        window=st.sampled_from(list(WindowStrategy)),
    )
    return windows | clocked


@settings(max_examples=200, deadline=None)
@given(declarations(), st.lists(st.integers(0, 100), max_size=30), st.randoms())
def test_a_collector_that_is_stored_at_any_moment_goes_on_as_if_it_never_was(
    declaration: CollectBatch, times_ms: list[int], chance: random.Random
) -> None:
    kept, stored = collector(KEY, declaration), collector(KEY, declaration)
    for number, at_ms in enumerate(times_ms):
        one = kept.take([number], [message(number, at_ms)], at_ms)
        other = stored.take([number], [message(number, at_ms)], at_ms)
        assert one == other
        if chance.random() < 0.4:
            stored = restored_collector(stored.save(), declaration)
            assert stored.save() == kept.save()
        assert (kept.held, kept.due_ms()) == (stored.held, stored.due_ms())
    assert kept.release_all() == stored.release_all()


@settings(max_examples=200, deadline=None)
@given(declarations(), st.lists(st.lists(st.integers(0, 100), max_size=6), max_size=8))
def test_what_is_held_and_let_go_adds_up(
    declaration: CollectBatch, groups: list[list[int]]
) -> None:
    """Every record is held, handed on, late or untimed: exactly one of them at a time."""
    held = collector(KEY, declaration)
    holding: list[int] = []
    given_up: list[int] = []
    number = 0
    for times_ms in groups:
        offsets = list(range(number, number + len(times_ms)))
        number += len(times_ms)
        messages = [message(n, t) for n, t in zip(offsets, times_ms, strict=True)]
        account(held.take(offsets, messages, max(times_ms, default=0)), holding, given_up)
        assert held.held == len(holding)
    account(held.release_all(), holding, given_up)
    assert holding == []
    assert sorted(given_up) == list(range(number))


def account(collected: Collected, holding: list[int], given_up: list[int]) -> None:
    holding += collected.held
    for offset in collected.released:
        holding.remove(offset)
    for offsets, _ in [*collected.batches, collected.late, collected.untimed]:
        given_up += offsets


def test_what_is_stored_can_be_read_without_any_code_of_the_users() -> None:
    held = collector(KEY, CollectBatch(max_records=10, timeout_ms=100))
    feed(held, range(1), now_ms=1_000)
    blob: dict[str, Any] = msgspec.msgpack.decode(held.save())
    assert (blob["loom_held"], blob["partition"]) == (1, KEY)
    (group,) = blob["groups"]
    (record,) = group["records"]
    assert record["type"] == f"{__name__}:Item"
    assert record["payload"] == {"number": 0, "tags": ["a", "b"]}
    assert record["meta"]["topic"] == "in"


def test_a_payload_whose_class_is_gone_is_told_by_name() -> None:
    held = collector(KEY, CollectBatch(max_records=10, timeout_ms=100))
    feed(held, range(1), now_ms=1_000)
    blob = held.save()
    for wrong, said in (
        (b"execution.test_gone", "cannot be found any more"),
        (b"logging:Logger", "is no struct"),
    ):
        name = f"{__name__}:Item".encode()
        changed = blob.replace(name, wrong.ljust(len(name), b"x")[: len(name)])
        if b"Logger" in wrong:
            changed = blob.replace(_packed(name), _packed(wrong))
        with pytest.raises(LookupError, match=said):
            restored_collector(changed, CollectBatch(max_records=10, timeout_ms=100))


def _packed(text: bytes) -> bytes:
    return msgspec.msgpack.encode(text.decode())


T = TypeVar("T")
U = TypeVar("U")


class Pair(LoomFrozenStruct, Generic[T, U], frozen=True):
    """A generic payload, its arguments found in different places."""

    first: T
    others: list[U] = msgspec.field(default_factory=list)
    inside: dict[str, Box[T]] | None = None


class Box(LoomFrozenStruct, Generic[T], frozen=True):
    content: T | None = None


ORIGINAL = ErrorMessage(payload=Item(7), meta=ErrorMessageMeta(message_id="m", key=b"\xff"))


@pytest.mark.parametrize(
    "payload",
    [
        ErrorEnvelope(kind=ErrorKind.TASK, reason="r", original_message=ORIGINAL, node_path=(0, 1)),
        ErrorEnvelope(kind=ErrorKind.WIRE, reason="r", raw=b"\xff"),
        ErrorEnvelope(
            kind=ErrorKind.TASK,
            reason="r",
            original_message=ErrorMessage(
                payload=Box(Item(1)), meta=ErrorMessageMeta(message_id="m")
            ),
        ),
        Box(Box(Item(1))),
        Box(None),
        Box(7),
        Pair(Item(1), [Box(Item(2))]),
        Pair(1, [Item(2), Item(3)], {"a": Box(1)}),
    ],
)
def test_payloads_of_generic_types_come_back_as_what_they_were(payload: Any) -> None:
    declaration = CollectBatch(max_records=10, timeout_ms=100)
    held = collector(KEY, declaration)
    held.take([0], [Message(payload=payload, meta=MessageMeta(message_id="m"))], 0)
    restored = restored_collector(held.save(), declaration)
    assert restored.release_all().batches[0][1][0].payload == payload
