"""Tracer and engine make the same of the same records: outputs, errors, fates and state."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loom_runtime import ErrorKind, Message, MessageMeta, StreamingTestRunner
from loom_runtime.config.context import ConfigContext
from loom_runtime.config.runtime import BytewaxRecoverySettings, BytewaxRuntimeConfig
from loom_runtime.engine.observation import Observation
from loom_runtime.engine.prepared import assemble
from loom_runtime.engine_control import RunControl
from loom_runtime.execution.layout import lay_out
from loom_runtime.execution.topic_encoders import topic_encoder
from loom_runtime.memory import CapturedEnvelopes, CapturedMessages, InMemoryTransport
from loom_runtime.observability import ObservabilityRuntime
from loom_runtime.recovery.contents import read_values
from tests.nodes.any_flow import FLOWS, Counting, Part, Split, nodes_of
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


def test_the_state_of_every_key_is_what_a_run_leaves_in_its_store(tmp_path: Path) -> None:
    """Keys that come and go, and records that fail between."""
    plan = plan_of(flow_of(Counting(rest=4)), config_of())
    values = [number * 7 % 31 for number in range(200)]
    messages = [
        Message(payload=Item(str(n), value), meta=MessageMeta(message_id=str(n)))
        for n, value in enumerate(values)
    ]
    records = [record_of(plan, message, n) for n, message in enumerate(messages)]
    layout = lay_out(plan, ErrorKind)
    prepared = assemble(
        layout,
        BytewaxRuntimeConfig(
            epoch_interval_ms=5,
            recovery=BytewaxRecoverySettings(db_dir=str(tmp_path), partitions=2),
        ),
        InMemoryTransport(
            "in", [(r.offset, r.key, r.value, list(r.headers), r.timestamp_ms) for r in records]
        ),
        control=RunControl(until_idle_ms=0),
        record_encoder=lambda port: CapturedMessages(topic_encoder(layout, port)),
        envelope_encoder=lambda kind: (layout.error_ports[kind], CapturedEnvelopes()),
        observation=Observation(plan, ObservabilityRuntime.noop()),
    )
    try:
        prepared.execute()
    finally:
        prepared.close()
    tracer, states = tracer_of(plan), States()
    try:
        for record in records:
            states.take(tracer.trace(record, state_of=states.of))
    finally:
        tracer.close()
    (step_id,) = {each.step_id for each in layout.exchanges}
    left = read_values(tmp_path, step_id)
    assert {key: blob for (_, key), blob in states.blobs.items()} == left
    assert left
