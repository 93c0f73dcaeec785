"""Flows of many shapes, and an oracle in plain Python: outputs, failures, state, what is held."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from hypothesis import strategies as st

from loom_runtime import (
    BatchStep,
    CollectBatch,
    ErrorEnvelope,
    ExpandStep,
    ForEach,
    FromTopic,
    IntoTopic,
    LoomFrozenStruct,
    Message,
    Process,
    ProcessNode,
    RecordStep,
    Route,
    Router,
    StatefulStep,
    StreamFlow,
    WindowStrategy,
    payload,
)

NAME: Final = "any_travel"
KEYS: Final = 3
STEP_MS: Final = 10
"""Between two records of a partition."""

WINDOW_MS: Final = 50
BEGAN_MS: Final = 1_700_000_000_000

_PAUSE_S: Final = 0.0005
_LONG_MS: Final = 600_000
_MOST_COUNTED: Final = 4


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """A flow.

    Attributes:
        stages: What is done to each record first: ``add``, ``expand``, ``route``, ``fail``.
        batch: Records of a batch; 0 for none, -1 for event-time windows.
        states: Stateful steps, at most two.
    """

    stages: tuple[str, ...] = ()
    batch: int = 0
    states: int = 1


SHAPES: Final = st.builds(
    Shape,
    stages=st.lists(st.sampled_from(["add", "expand", "route", "fail"]), max_size=2).map(tuple),
    batch=st.sampled_from([0, 0, -1, 2, 3]),
    states=st.integers(0, 2),
)


class Item(LoomFrozenStruct, frozen=True):
    """A record."""

    place: int
    number: int
    key: int
    value: int


class Tally(LoomFrozenStruct, frozen=True):
    """State."""

    count: int = 0
    total: int = 0


class Pause(RecordStep[Item, Item]):
    """Takes its time, so that there are epochs; not when it is done again."""

    def execute(self, message: Message[Item]) -> Item:
        if not os.environ.get("LOOM_REPLAY"):
            time.sleep(_PAUSE_S)
        return message.payload


class Add(RecordStep[Item, Item]):
    def execute(self, message: Message[Item]) -> Item:
        return valued(message.payload, message.payload.value + 7)


class Negate(RecordStep[Item, Item]):
    def execute(self, message: Message[Item]) -> Item:
        return valued(message.payload, -message.payload.value)


class Fail(RecordStep[Item, Item]):
    def execute(self, message: Message[Item]) -> Item:
        if message.payload.value % 7 == 3:
            raise ValueError("as it should")
        return message.payload


class Expand(ExpandStep[Item, Item]):
    def execute(self, message: Message[Item]) -> list[Item]:
        return expanded(message.payload)


class Summed(BatchStep[Item, Item]):
    def execute(self, messages: Sequence[Message[Item]]) -> list[Item]:
        return summed([message.payload for message in messages])


class Count(StatefulStep[Item, Item, Tally]):
    """Numbers the records of a key of a partition; drops its state now and then."""

    def key(self, message: Message[Item]) -> str:
        return f"{message.payload.place}/{message.payload.key}"

    def initial(self) -> Tally:
        return Tally()

    def execute(self, state: Tally, message: Message[Item]) -> tuple[Tally | None, list[Item]]:
        after = counted(state, message.payload)
        return kept(after), [valued(message.payload, after.total)]


class Sum(StatefulStep[Item, Item, Tally]):
    """Sums up a key of all partitions; in which order does not matter."""

    def key(self, message: Message[Item]) -> str:
        return f"k{message.payload.key}"

    def initial(self) -> Tally:
        return Tally()

    def execute(self, state: Tally, message: Message[Item]) -> tuple[Tally, list[Item]]:
        return counted(state, message.payload), [message.payload]


def valued(item: Item, value: int) -> Item:
    return msgspec.structs.replace(item, value=value)


def expanded(item: Item) -> list[Item]:
    return [valued(item, item.value + each) for each in range(item.value % 3)]


def summed(items: Sequence[Item]) -> list[Item]:
    total = sum(item.value for item in items)
    return [valued(item, item.value + total) for item in items]


def counted(state: Tally, item: Item) -> Tally:
    return Tally(state.count + 1, state.total + item.value)


def kept(state: Tally) -> Tally | None:
    return None if state.count >= _MOST_COUNTED else state


def build(shape: Shape) -> StreamFlow[Any, Any]:
    """Return the flow."""
    made: dict[str, Any] = {
        "add": lambda: [Add],
        "expand": lambda: [Expand],
        "fail": lambda: [Fail],
        "route": lambda: [
            Router.when([Route(payload.value > 20, Process(Add))], default=Process(Negate))
        ],
    }
    nodes: list[ProcessNode] = [Pause]
    for stage in shape.stages:
        nodes += made[stage]()
    if shape.batch:
        collect = (
            CollectBatch(shape.batch, _LONG_MS)
            if shape.batch > 0
            else CollectBatch(1_000, WINDOW_MS, WindowStrategy.TUMBLING, event_time=True)
        )
        nodes += [collect, Summed, ForEach()]
    nodes += [Count, Sum][: shape.states]
    return StreamFlow(
        NAME,
        FromTopic("items", payload=Item),
        Process(*nodes),
        IntoTopic("out", payload=Item),
        IntoTopic("errors", payload=ErrorEnvelope[Item]),
    )


def item_at(place: int, number: int, seed: int) -> Item:
    """Return the record of a partition at an offset."""
    mixed = (number * 7919 + place * 104_729 + seed * 31) % 97
    return Item(place, number, mixed % KEYS, mixed % 40)


class Oracle:
    """What a flow makes of the first records of each partition.

    Attributes:
        outputs: Source partition and offset, and what was written, how often.
        failures: Source partition and offset of what failed.
        state: Tallies by step and key.
        held: Offsets that a batch or window holds, by partition.
    """

    def __init__(self, shape: Shape, seed: int, upto: Sequence[int]) -> None:
        self.outputs: Counter[tuple[int, int, Item]] = Counter()
        self.failures: Counter[tuple[int, int]] = Counter()
        self.state: dict[str, dict[str, Tally]] = {"Count": {}, "Sum": {}}
        self.held: dict[int, list[int]] = {}
        self._shape = shape
        for place, end in enumerate(upto):
            waiting: list[Item] = []
            for number in range(end):
                for item in self._staged(item_at(place, number, seed), shape.stages):
                    waiting = self._collected(waiting, item)
            self.held[place] = [item.number for item in waiting]

    def _staged(self, item: Item, stages: Sequence[str]) -> Iterable[Item]:
        if not stages:
            yield item
            return
        done = [item]
        if stages[0] == "add":
            done = [valued(item, item.value + 7)]
        elif stages[0] == "route":
            done = [valued(item, item.value + 7 if item.value > 20 else -item.value)]
        elif stages[0] == "expand":
            done = expanded(item)
        elif item.value % 7 == 3:
            self.failures[item.place, item.number] += 1
            return
        for each in done:
            yield from self._staged(each, stages[1:])

    def _collected(self, waiting: list[Item], item: Item) -> list[Item]:
        batch = self._shape.batch
        if not batch:
            self._stepped([item])
            return []
        if batch < 0:
            if waiting and window_of(waiting[0]) != window_of(item):
                self._stepped(summed(waiting))
                return [item]
            return [*waiting, item]
        if len(waiting) + 1 < batch:
            return [*waiting, item]
        self._stepped(summed([*waiting, item]))
        return []

    def _stepped(self, items: Iterable[Item]) -> None:
        for item in items:
            written = item
            if self._shape.states > 0:
                written = self._count(item)
            if self._shape.states > 1:
                sums = self.state["Sum"]
                sums[f"k{item.key}"] = counted(sums.get(f"k{item.key}", Tally()), written)
            self.outputs[item.place, item.number, written] += 1

    def _count(self, item: Item) -> Item:
        tallies, key = self.state["Count"], f"{item.place}/{item.key}"
        after = counted(tallies.pop(key, Tally()), item)
        left = kept(after)
        if left is not None:
            tallies[key] = left
        return valued(item, after.total)


def window_of(item: Item) -> int:
    """Return the number of a record's window."""
    return item.number * STEP_MS // WINDOW_MS
