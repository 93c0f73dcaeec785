"""The state of one key: how it is stored, restored, and told when it cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from loom_runtime import (
    CompiledPlan,
    FromTopic,
    IntoTopic,
    LoomFrozenStruct,
    LoomStruct,
    Message,
    MessageMeta,
    Process,
    StatefulStep,
    StreamFlow,
    compile_flow,
)
from loom_runtime.execution.boundary import ErrorBoundary
from loom_runtime.execution.keyed import KeyedStep, KeyState
from loom_runtime.execution.statistics import NodeStatistics
from loom_runtime.wire.state import StateDecodeError, encode_state, read_state


class Item(LoomFrozenStruct, frozen=True):
    id: str


class Seen(LoomStruct):
    ids: list[str]


class Remember(StatefulStep[Item, Item, Seen]):
    """Remembers ids, in place."""

    name = "remember"

    def key(self, message: Message[Item]) -> str:
        return f"key of {message.payload.id}"

    def initial(self) -> Seen:
        return Seen([])

    def execute(self, state: Seen, message: Message[Item]) -> tuple[Seen | None, list[Item]]:
        state.ids.append(message.payload.id)
        if message.payload.id == "bad":
            raise ValueError("bad")
        if message.payload.id == "drop":
            return None, []
        return state, [Item("+".join(state.ids))]


def plan() -> CompiledPlan:
    flow: StreamFlow[Any, Any] = StreamFlow(
        "keyed", FromTopic("in", payload=Item), Process(Remember), IntoTopic("out")
    )
    brokers = {"brokers": ["none:9092"]}
    return compile_flow(
        flow, config={"kafka": {"consumer": {**brokers, "group_id": "g"}, "producer": brokers}}
    )


def step() -> KeyedStep:
    (node,) = plan().nodes
    statistics = NodeStatistics()
    boundary = ErrorBoundary(node, statistics, flow="keyed", revision=None, listener=None)
    return KeyedStep(node.node, node, statistics, boundary)


def take(state: KeyState, *ids: str) -> list[str]:
    """Take records; return the ids of the outputs, or ``failed``."""
    results = []
    for number, each in enumerate(ids):
        message = Message(payload=Item(each), meta=MessageMeta(message_id=each))
        stepped = state.take("in:0", number, message)
        failed = stepped.envelope is not None
        results.append("failed" if failed else "".join(m.payload.id for m in stepped.outputs))
    return results


def test_a_stored_state_goes_on_where_it_was() -> None:
    state = KeyState(step(), None)
    assert state.discarded
    assert take(state, "a", "b") == ["a", "a+b"]
    assert not state.discarded
    restored = KeyState(step(), state.save())
    assert restored.save() == state.save()
    assert take(restored, "c", "bad", "d") == ["a+b+c", "failed", "a+b+c+d"]
    assert read_state(restored.save()) == {"ids": ["a", "b", "c", "d"]}


def test_a_restored_state_that_fails_first_stays_as_it_was_stored() -> None:
    state = KeyState(step(), None)
    take(state, "a")
    restored = KeyState(step(), state.save())
    assert take(restored, "bad", "bad") == ["failed", "failed"]
    assert restored.save() == state.save()


def test_a_dropped_key_has_no_state_to_save() -> None:
    state = KeyState(step(), None)
    assert take(state, "a", "drop") == ["a", ""]
    assert state.discarded
    with pytest.raises(ValueError, match="without a state"):
        state.save()
    assert take(state, "b") == ["b"]


def test_a_stored_state_that_does_not_fit_names_key_and_step() -> None:
    class Other(LoomFrozenStruct, frozen=True):
        ids: int

    state = KeyState(step(), encode_state(Other(7), "shop.Other"))
    with pytest.raises(StateDecodeError) as raised:
        take(state, "a")
    assert "shop.Other" in raised.value.what
    assert raised.value.where.endswith("key 'key of a' of step remember")
    assert raised.value.what_next


def test_a_stored_state_is_read_when_its_key_is_next_touched() -> None:
    """So a store with many keys is not decoded at the start."""
    assert KeyState(step(), b"unreadable").save() == b"unreadable"
