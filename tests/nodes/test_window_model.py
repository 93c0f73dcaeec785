"""Event-time windows against the model, with records in any order and of any batching."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from loom_runtime import (
    BatchExpandStep,
    CollectBatch,
    ErrorKind,
    LoomFrozenStruct,
    Message,
    WindowStrategy,
)
from tests.nodes.running import Item, at, config_of, run, runner_of
from tests.nodes.window_model import WindowModel


class Taken(LoomFrozenStruct, frozen=True):
    """The numbers of the records of one batch."""

    numbers: list[int]


class Record(BatchExpandStep[Item, Taken]):
    """Gives one row a batch."""

    def execute(self, messages: Sequence[Message[Item]]) -> list[list[Taken]]:
        row = Taken([message.payload.value for message in messages])
        return [[row], *([] for _ in messages[1:])]


@st.composite
def declarations(draw: st.DrawFn) -> CollectBatch:
    """Any event-time window, from tiny to wide."""
    return CollectBatch(
        max_records=draw(st.integers(1, 5) | st.just(1_000)),
        timeout_ms=draw(st.integers(1, 40)),
        window=draw(st.sampled_from([WindowStrategy.TUMBLING, WindowStrategy.SESSION])),
        event_time=True,
        allowed_lateness_ms=draw(st.just(0) | st.integers(1, 60)),
    )


@settings(max_examples=80, deadline=None)
@given(
    declarations(),
    st.lists(st.integers(0, 200), max_size=40) | st.lists(st.integers(0, 20), max_size=40),
    st.sampled_from([1, 3, 1_000]),
)
def test_windows_give_what_the_model_gives(
    declaration: CollectBatch, times_ms: list[int], batch_size: int
) -> None:
    model = WindowModel(
        length_ms=declaration.timeout_ms,
        session=declaration.window is WindowStrategy.SESSION,
        lateness_ms=declaration.allowed_lateness_ms,
        most=declaration.max_records,
    )
    for number, at_ms in enumerate(times_ms):
        model.take(number, at_ms)
    model.finish()

    config: dict[str, Any] = config_of()
    config["kafka"]["consumer"]["batch_size"] = batch_size
    messages = [at(at_ms, Item("i", number)) for number, at_ms in enumerate(times_ms)]
    runner = run(runner_of(declaration, Record, config=config), messages)

    assert sorted(m.payload.numbers for m in runner.output) == sorted(model.given)
    late = [e.original_message for e in runner.errors[ErrorKind.ROUTING]]
    assert [message.payload.value for message in late if message] == model.late
    assert sorted(n for m in runner.output for n in m.payload.numbers) == [
        n for n in range(len(times_ms)) if n not in model.late
    ]
