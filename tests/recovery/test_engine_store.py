"""The engine on a recovery store: what it writes is what preparing the store expects."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from loom_runtime import (
    BytewaxRecoverySettings,
    BytewaxRuntimeConfig,
    CollectBatch,
    CompiledPlan,
    ForEach,
    LoomFrozenStruct,
    Message,
    ObservabilityRuntime,
    StatefulStep,
)
from loom_runtime.engine.observation import Observation
from loom_runtime.engine.prepared import assemble
from loom_runtime.engine_control import RunControl
from loom_runtime.execution.layout import lay_out
from loom_runtime.execution.topic_encoders import topic_encoder
from loom_runtime.ledger import LedgerReport
from loom_runtime.memory import CapturedMessages, InMemoryTransport
from loom_runtime.message import MessageMeta
from loom_runtime.recovery.contents import read_values
from loom_runtime.recovery.errors import StoreMismatchError
from loom_runtime.recovery.identity import IDENTITY_FILE, identity_of
from loom_runtime.recovery.positions import read_positions
from loom_runtime.wire.state import read_state
from tests.compiler.samples import plan_of
from tests.compiler.typed_flow import Priced
from tests.recovery.stores import prepare


class Seen(LoomFrozenStruct, frozen=True):
    count: int = 0


class CountRegions(StatefulStep[Priced, Priced, Seen]):
    def key(self, message: Message[Priced]) -> str:
        return message.payload.region

    def initial(self) -> Seen:
        return Seen()

    def execute(self, state: Seen, message: Message[Priced]) -> tuple[Seen, Iterable[Priced]]:
        state = Seen(state.count + 1)
        return state, [Priced(message.payload.id, message.payload.region, float(state.count))]


class CountAgain(CountRegions):
    name = "CountAgain"


def counting_plan(step: type[CountRegions] = CountRegions) -> CompiledPlan:
    return plan_of(step, CollectBatch(max_records=2, timeout_ms=20), ForEach())


def run(plan: CompiledPlan, db_dir: Path, regions: str) -> list[tuple[str, float]]:
    """Run *plan* on a topic with one record a region; return what it wrote, sorted."""
    written = run_messages(plan, db_dir, regions, RunControl(until_idle_ms=0))
    return sorted((message.payload.region, message.payload.total) for message in written)


def run_messages(
    plan: CompiledPlan,
    db_dir: Path,
    regions: str,
    control: RunControl,
    *,
    drains: bool = False,
    on_report: Callable[[LedgerReport], None] = lambda report: None,
) -> list[Message[Priced]]:
    """Run *plan*; when *drains*, until everything was read and no further."""
    records = [
        Message(
            payload=Priced(str(offset), region, 0.0),
            meta=MessageMeta(
                message_id=str(offset),
                topic="in",
                partition=0,
                offset=offset,
                key=region if offset % 2 else region.encode(),
                headers={"x": b"\xff"},
            ),
        )
        for offset, region in enumerate(regions)
    ]
    layout = lay_out(plan)
    transport = InMemoryTransport("in", records)
    prepared = assemble(
        layout,
        BytewaxRuntimeConfig(
            epoch_interval_ms=5,
            recovery=BytewaxRecoverySettings(db_dir=str(db_dir), partitions=3),
        ),
        transport,
        control=control,
        record_encoder=lambda port: CapturedMessages(topic_encoder(layout, port)),
        envelope_encoder=lambda kind: None,
        observation=Observation(plan, ObservabilityRuntime.noop()),
    )

    def stop_at_the_end(report: LedgerReport) -> None:
        if drains and report.partitions[0].position == len(records):
            control.drain()

    prepared.context.listeners += [stop_at_the_end, on_report]
    try:
        prepared.execute()
    finally:
        prepared.close()
    written: list[Any] = [output for _, output in transport.writer().written]
    return written


def test_a_batch_that_a_drain_left_open_comes_back_whole(tmp_path: Path) -> None:
    plan = plan_of(CollectBatch(max_records=100, timeout_ms=60_000), ForEach())
    assert run_messages(plan, tmp_path, "abc", RunControl(), drains=True) == []
    assert read_positions(tmp_path)["in:0"].offset == 3
    written = run_messages(plan, tmp_path, "abcd", RunControl(until_idle_ms=0))
    assert [message.payload.region for message in written] == ["a", "b", "c", "d"]
    assert [message.meta.key for message in written] == [b"a", "b", b"c", "d"]
    assert written[0].meta.headers == {"x": b"\xff"}


def test_state_and_positions_go_on_from_the_store(tmp_path: Path) -> None:
    db_dir = tmp_path / "store"
    assert run(counting_plan(), db_dir, "abaab") == [
        ("a", 1.0),
        ("a", 2.0),
        ("a", 3.0),
        ("b", 1.0),
        ("b", 2.0),
    ]
    assert read_positions(db_dir)["in:0"].offset == 5
    states = read_values(db_dir, "CountRegions")
    assert {key: read_state(blob) for key, blob in states.items()} == {
        "a": {"count": 3},
        "b": {"count": 2},
    }
    assert run(counting_plan(), db_dir, "abaab" + "ba") == [("a", 4.0), ("b", 3.0)]


def test_what_the_engine_wrote_is_known_without_the_identity_file(tmp_path: Path) -> None:
    plan = counting_plan()
    run(plan, tmp_path, "ab")
    (tmp_path / IDENTITY_FILE).unlink()
    assert prepare(tmp_path, identity_of(plan)).notes == (
        "the store had no identity file; its steps and topics fit the flow",
    )
    (tmp_path / IDENTITY_FILE).unlink()
    with pytest.raises(StoreMismatchError, match="'CountRegions'"):
        prepare(tmp_path, identity_of(counting_plan(CountAgain)))


def test_a_renamed_step_does_not_run(tmp_path: Path) -> None:
    run(counting_plan(), tmp_path, "ab")
    with pytest.raises(StoreMismatchError, match="'CountAgain' looks like it under a new name"):
        run(counting_plan(CountAgain), tmp_path, "abab")
    assert run(counting_plan(), tmp_path, "abab") == [("a", 2.0), ("b", 2.0)]
