"""Session values made by hand over plans of sample flows: empty, running, failing, flooded."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from loom_bench.protocol.diagnosis import CodeFrame, Diagnosis
from loom_bench.protocol.frames import SeenEvent
from loom_bench.session.value import (
    BrokerView,
    CommitSeen,
    FeedView,
    LogLine,
    NodeView,
    OffsetView,
    OutputSeen,
    Phase,
    Revision,
    Sample,
    SessionValue,
    StateConflict,
)
from loom_runtime.compiler.compile import compile_flow
from loom_runtime.compiler.document import document_of
from loom_runtime.compiler.document_parts import PlanDocument
from loom_runtime.ledger import LedgerRow
from sample_flows import flights, orders, smallest
from tests.tui import snapshot_values
from tests.tui.error_groups import NOW_MS, groups_of

_KAFKA = {
    "kafka": {
        "consumer": {"brokers": ["localhost:9092"], "group_id": "drawn"},
        "producer": {"brokers": ["localhost:9092"]},
    }
}
_ROOT = Path(orders.__file__).parents[1]


@cache
def plan_of(name: str) -> PlanDocument:
    """The plan of a sample flow; its files are named relative to the repository, and its lines are
    made up: an edit of the flow that changes nothing in it changes no picture."""
    flow: Any = {"orders": orders, "flights": flights, "smallest": smallest}[name].flow
    plan = document_of(compile_flow(flow, config=_KAFKA))
    nodes = tuple(
        replace(node, file=_relative(node.file), line=100 + index)
        for index, node in enumerate(plan.nodes)
    )
    sinks = tuple(
        replace(sink, file=_relative(sink.file), line=200 + index)
        for index, sink in enumerate(plan.sinks)
    )
    source = replace(plan.source, file=_relative(plan.source.file), line=90)
    return replace(plan, nodes=nodes, sinks=sinks, source=source, file=_relative(plan.file))


def _relative(file: str | None) -> str | None:
    return None if file is None else str(Path(file).relative_to(_ROOT))


def opening() -> SessionValue:
    """Just opened: nothing is known but the file's name."""
    return SessionValue(target="sample_flows/orders.py", at_ms=NOW_MS)


def empty() -> SessionValue:
    """Loaded, and nothing was read yet."""
    return SessionValue(
        target="sample_flows/orders.py",
        phase=Phase.RUNNING,
        plan=plan_of("orders"),
        broker=_broker(),
        revisions=(_revision(1),),
        feed=FeedView(available=True),
        snapshots=snapshot_values.empty(),
        elapsed_s=2.0,
        at_ms=NOW_MS,
    )


def _broker() -> BrokerView:
    return BrokerView(
        kind="embedded",
        bootstrap="127.0.0.1:19092",
        reason="no Docker engine answers",
        state="ready",
        owned=True,
        writable=True,
        memory_bytes=48 << 20,
    )


def _revision(number: int, **changes: Any) -> Revision:
    made = Revision(
        number=number,
        at_ms=NOW_MS - 65_000 + number * 10_000,
        content_hash=f"{number:02}c4f3a1",
        state="running",
        summary="" if number == 1 else "2 nodes changed, state ok",
    )
    return replace(made, **changes)


def running(flow: str = "orders") -> SessionValue:
    """Records flow and all is well."""
    plan = plan_of(flow)
    dice = random.Random(7)
    rate = 1200.0
    nodes: dict[str, NodeView] = {}
    for index, node in enumerate(plan.nodes):
        rate_here = rate if index < 3 else rate * dice.uniform(0.05, 1)
        p50 = dice.uniform(0.004, 0.3)
        nodes[node.id] = NodeView(
            id=node.id,
            records_in=round(rate_here * 42),
            records_out=round(rate_here * 42 * 0.98),
            rate_per_s=rate_here,
            p50_ms=p50,
            p99_ms=p50 * dice.uniform(2, 20),
            busy_share=dice.uniform(0.01, 0.2),
            held=dice.randrange(10, 60) if node.kind.value == "collect_batch" else 0,
        )
    watched = next(node.id for node in plan.nodes if node.kind.value.endswith("step"))
    return SessionValue(
        target=f"sample_flows/{flow}.py",
        phase=Phase.RUNNING,
        plan=plan,
        broker=_broker(),
        revisions=(_revision(1, state="replaced"), _revision(2)),
        nodes=nodes,
        samples={watched: _samples()},
        offsets=_offsets(plan),
        commits=_commits(plan),
        events=_events(plan, 240),
        events_seen=91_240,
        events_left_out=91_000,
        outputs=_outputs(plan, 120),
        outputs_seen=48_211,
        logs=_logs(60),
        logs_seen=60,
        feed=FeedView(available=True, running=True, delivered=50_400, rate_per_s=1200.0),
        snapshots=snapshot_values.running(),
        elapsed_s=42.0,
        at_ms=NOW_MS,
    )


def _samples() -> tuple[Sample, ...]:
    return tuple(
        Sample(
            at_ms=NOW_MS - 900 + index * 200,
            key=f"customer-{index}",
            taken=f'{{"order_id":"o-{4711 + index}","product":"tea","quantity":{index + 1}}}',
            given=()
            if index == 1
            else (f'{{"order_id":"o-{4711 + index}","total_cents":{450 * (index + 1)}}}',),
        )
        for index in range(4)
    )


def _offsets(plan: PlanDocument) -> tuple[OffsetView, ...]:
    views = []
    for partition in range(3):
        consumed = 16_800 + partition * 7
        errored = 40 + partition
        filtered = 120
        held = 30
        row = LedgerRow(
            topic=plan.source.topics[0],
            partition=partition,
            consumed=consumed,
            written=consumed - errored - filtered - held,
            errored=errored,
            filtered=filtered,
            held=held,
            late=partition,
            records_written=consumed * 3,
            envelopes_written=errored,
            position=16_800 + partition * 7,
            committed=16_700 + partition * 7,
            end_offset=16_812 + partition * 30,
        )
        history = tuple(range(4, 40, 3)) if partition == 2 else (12, 9, 14, 11, 10, 12, 13, 9, 12)
        views.append(
            OffsetView(
                row=row,
                rate_per_s=400.0,
                lag_history=history,
                committed_at_ms=NOW_MS - 300 - partition * 100,
                commits=800,
            )
        )
    return tuple(views)


def _commits(plan: PlanDocument) -> tuple[CommitSeen, ...]:
    return tuple(
        CommitSeen(
            at_ms=NOW_MS - 5000 + index * 50,
            topic=plan.source.topics[0],
            partition=index % 3,
            offset=16_000 + index * 20,
        )
        for index in range(100)
    )


def _events(plan: PlanDocument, count: int) -> tuple[SeenEvent, ...]:
    steps = [node.id for node in plan.nodes]
    return tuple(
        SeenEvent(
            scope="node" if index % 3 else "write",
            name=steps[index % len(steps)],
            kind=("start", "end")[index % 2],
            at_ms=NOW_MS - (count - index) * 4,
            trace_id=f"{index // 6:032x}",
            duration_ms=0.21 * (index % 9) if index % 2 else None,
            status="success" if index % 2 else None,
            meta={"records": 60 + index % 7, "partition": index % 3},
        )
        for index in range(count)
    )


def _outputs(plan: PlanDocument, count: int) -> tuple[OutputSeen, ...]:
    topics = [sink.topic for sink in plan.sinks]
    return tuple(
        OutputSeen(
            at_ms=NOW_MS - (count - index) * 8,
            topic=topics[index % len(topics)],
            key=f"customer-{index % 13}",
            text=f'{{"customer":"customer-{index % 13}","orders":{index},"cents":{index * 450}}}',
            kind="envelope" if topics[index % len(topics)].endswith("errors") else "record",
        )
        for index in range(count)
    )


def _logs(count: int) -> tuple[LogLine, ...]:
    return tuple(
        LogLine(
            at_ms=NOW_MS - (count - index) * 100,
            revision=1 if index < count // 2 else 2,
            stream="stderr" if index % 4 == 3 else "stdout",
            text=f"[info] priced order o-{4700 + index} product=tea cents={450 * (index % 5)}",
        )
        for index in range(count)
    )


def failing() -> SessionValue:
    """A node fails, another is slow, the newest revision does not load, another waits."""
    value = running()
    nodes = dict(value.nodes)
    nodes["PriceOrder"] = replace(nodes["PriceOrder"], errors=412)
    nodes["CheckOrder"] = replace(nodes["CheckOrder"], errors=7)
    nodes["RateRisk"] = replace(
        nodes["RateRisk"], busy_share=0.87, p50_ms=18.0, p99_ms=240.0, held=1800
    )
    file = str(_relative(orders.__file__))
    refused = Diagnosis(
        code="import_failed",
        message="NameError: name 'catalog' is not defined",
        component="PriceOrder",
        file=file,
        line=210,
        column=31,
        source="            total_cents=catalog.price(order.product) * order.quantity,",
        hint="Did you mean: 'catalogue'?",
        frames=(
            CodeFrame(file=file, line=198, function="execute", source="    return PricedOrder("),
        ),
    )
    return replace(
        value,
        nodes=nodes,
        changed_nodes=("PriceOrder", "DropTests"),
        removed_nodes=("RoundPrice",),
        errors=groups_of(file),
        errors_seen=431,
        diagnoses=(refused,),
        revisions=(*value.revisions, _revision(3, state="refused", diagnoses=(refused,))),
        conflict=StateConflict(
            revision=4, gone=("CountCustomer",), new=("TotalCustomer",), changed=("CollectBatch",)
        ),
        offsets=(
            *value.offsets[:2],
            replace(value.offsets[2], commit_failures=2),
        ),
        logs=(
            *value.logs,
            LogLine(
                at_ms=NOW_MS - 50,
                revision=2,
                stream="stderr",
                text="KeyError: 'samovar' while pricing o-4719",
            ),
        ),
        logs_seen=61,
        snapshots=snapshot_values.failing(),
    )


def flooded(shift: int = 0) -> SessionValue:
    """Rings are full and turn over; *shift* tells how far they have turned."""
    value = failing()
    base = running()
    logs = tuple(
        LogLine(
            at_ms=NOW_MS - 2000 + index,
            revision=2,
            stream="stdout" if index % 5 else "stderr",
            text=f"line {shift + index}: " + "abcdefghij " * (index % 17),
        )
        for index in range(2000)
    )
    return replace(
        value,
        nodes={
            name: replace(
                view,
                rate_per_s=view.rate_per_s * 80,
                records_in=view.records_in * 1000 + shift,
            )
            for name, view in base.nodes.items()
        }
        | {"PriceOrder": replace(value.nodes["PriceOrder"], errors=1_204_411 + shift)},
        events=_events(plan_of("orders"), 2000),
        events_seen=412_000_000 + shift,
        events_left_out=411_998_000 + shift,
        errors_seen=1_204_411 + shift,
        errors_ungrouped=20_114,
        outputs=_outputs(plan_of("orders"), 1000),
        outputs_seen=88_210_000 + shift,
        logs=logs,
        logs_seen=9_400_000 + shift,
        logs_left_out=9_398_000 + shift,
        snapshots=snapshot_values.flooded(),
        elapsed_s=5021.0,
    )


def in_phase(phase: Phase) -> SessionValue:
    """Records flowed, and the session does something else now."""
    return replace(running(), phase=phase)


def refused() -> SessionValue:
    """The first revision does not load: there is no plan."""
    diagnosis = failing().diagnoses[0]
    return replace(
        opening(),
        phase=Phase.FAILED,
        broker=_broker(),
        diagnoses=(diagnosis,),
        revisions=(_revision(1, state="refused", diagnoses=(diagnosis,)),),
    )
