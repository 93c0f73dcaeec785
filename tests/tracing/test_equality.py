"""Tracer and engine make the same of the same records: outputs, errors, fates and state."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from itertools import islice
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loom_runtime import Message, MessageMeta, StreamingTestRunner
from loom_runtime.config.context import ConfigContext
from tests.nodes.any_flow import FLOWS, Part, Split, nodes_of
from tests.nodes.running import Item, config_of, flow_of
from tests.tracing.records import (
    States,
    engine_failures,
    engine_fates,
    engine_written,
    plan_of,
    raw_input,
    record_of,
    traced_failures,
    traced_fates,
    traced_written,
    tracer_of,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(FLOWS, st.lists(st.integers(0, 20) | st.none(), max_size=12))
def test_any_flow(parts: tuple[Part, ...], values: list[int | None]) -> None:
    """A record whose value is ``None`` does not decode."""
    terminal = bool(parts) and isinstance(parts[-1], Split)
    flow = flow_of(*nodes_of(parts), output=not terminal)
    plan = plan_of(flow, config_of())
    given_records = [
        b"{"
        if value is None
        else Message(
            payload=Item(str(number), value),
            meta=MessageMeta(message_id=str(number)),
        )
        for number, value in enumerate(values)
    ]
    records = [record_of(plan, each, n) for n, each in enumerate(given_records)]
    runner = StreamingTestRunner.from_flow(flow, config=config_of()).capture_errors()
    runner.with_messages([raw_input(each) for each in records]).run()
    tracer, states = tracer_of(plan), States()
    traces = []
    try:
        for record in records:
            traces.append(tracer.trace(record, state_of=states.of))
            states.take(traces[-1])
    finally:
        tracer.close()
    assert traced_written(*traces) == engine_written(runner)
    assert traced_failures(*traces) == engine_failures(runner)
    assert traced_fates(*traces) == engine_fates(runner)


@pytest.mark.parametrize("name", ["orders", "flights", "smallest"])
def test_a_sample_record_by_record(name: str) -> None:
    """One run of the engine a record, so that what is collected in it is the record alone."""
    module = import_module(f"sample_flows.{name}")
    config = ConfigContext.from_dict(config_of())
    plan = plan_of(module.flow, config_of())
    tracer = tracer_of(plan)
    runner = StreamingTestRunner.from_flow(module.flow, config=config).capture_errors()
    seen: set[str] = set()
    try:
        for each in chosen(module.bench_feed()):
            record = record_of(plan, each)
            runner.reset().with_messages([raw_input(record)]).run()
            trace = tracer.trace(record)
            assert traced_written(trace) == engine_written(runner)
            assert traced_failures(trace) == engine_failures(runner)
            assert traced_fates(trace) == engine_fates(runner)
            seen.add(trace.outcome.value)
    finally:
        tracer.close()
    assert "written" in seen
    assert ("errored" in seen) == (name == "orders")


def chosen(feed: Any) -> Iterator[Message[Any] | bytes]:
    """Every record that is strange, and some of the others."""
    for number, each in enumerate(islice(feed, 300)):
        if isinstance(each, bytes) or number % 15 == 0:
            yield each if isinstance(each, bytes) else as_message(each)


def as_message(item: Any) -> Message[Any]:
    return item if isinstance(item, Message) else Message(payload=item, meta=META)


META = MessageMeta(message_id="fed")
