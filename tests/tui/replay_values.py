"""Replays, comparisons and bisections as screens are shown them."""

from __future__ import annotations

import json

from msgspec.structs import replace

from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.session.snapshots.bisection_value import (
    Bisection,
    BisectPhase,
    BisectRequest,
    FirstBad,
    Probe,
)
from loom_bench.session.snapshots.comparison_value import (
    CompareRequest,
    Comparison,
    ComparisonPhase,
    DifferenceKind,
    ErrorDifference,
    OutputDifference,
    SideSummary,
    StateDifference,
    ValueDifference,
)
from loom_bench.session.snapshots.replay_value import (
    WARNING,
    CapturedOutput,
    Replay,
    ReplayPartition,
    ReplayPhase,
    ReplayRequest,
)
from loom_bench.session.snapshots.value import Compatibility, Finding, Fit, MissingRecords

FIT = Compatibility(
    fork="epoch-200",
    revision="current",
    fit=Fit.REFUSED,
    findings=(
        Finding(
            fit=Fit.REFUSED,
            what="the flow has no step CountCustomer, whose state the fork holds",
            what_next="map it to the step that it was renamed to, or drop it",
        ),
    ),
    gone=("CountCustomer",),
    new=("TotalCustomer", "RateCustomer"),
    suggested={"CountCustomer": "TotalCustomer"},
    missing=(MissingRecords(partition="orders:1", needed_from=4_100, log_begins=4_711, gone=611),),
)


def replay(phase: ReplayPhase = ReplayPhase.RUNNING) -> Replay:
    """A replay of the first fork, half done."""
    return Replay(
        request=ReplayRequest(fork="before-reload", revision="3ac41f"),
        phase=phase,
        epoch=131,
        partitions=tuple(
            ReplayPartition(partition=f"orders:{index}", began=400, position=700, end=1000)
            for index in range(3)
        ),
        records=900,
        outputs=1_788,
        errors=6,
        rate_per_s=4_200.0,
        newest=tuple(
            CapturedOutput(
                number=1_700 + index,
                sink="orders.errors" if index % 9 == 8 else "orders.priced",
                kind="envelope" if index % 9 == 8 else "record",
                key=f"customer-{index % 13}",
                text=json.dumps({"order_id": f"o-{4711 + index}", "cents": 450 * index}),
                partition=f"orders:{index % 3}",
                offset=600 + index,
            )
            for index in range(40)
        ),
        can_step_back=True,
        elapsed_s=3.2,
        warning=WARNING,
    )


def comparison() -> Comparison:
    """Two revisions that differ in outputs, errors and state, and in one thing by itself."""
    outputs = tuple(
        OutputDifference(
            kind=(DifferenceKind.CHANGED, DifferenceKind.ADDED, DifferenceKind.REMOVED)[index % 3],
            sink="orders.priced",
            partition="orders:1",
            offset=4711 + index,
            key=f"customer-{index}",
            left=None if index % 3 == 1 else json.dumps({"cents": 450 * index}),
            right=None if index % 3 == 2 else json.dumps({"cents": 460 * index}),
            fields=(ValueDifference(path="cents", left=str(450 * index), right=str(460 * index)),)
            if index % 3 == 0
            else (),
        )
        for index in range(9)
    )
    by_itself = replace(
        outputs[0],
        fields=(ValueDifference(path="priced_at_ms", left="1", right="2"),),
        unstable=True,
    )
    return Comparison(
        request=CompareRequest(epoch=96, against="3ac41f", ignore=("orders.priced:trace_id",)),
        phase=ComparisonPhase.ENDED,
        progress=1.0,
        equal=False,
        left=SideSummary(revision="3ac41f", records=9_000, outputs=17_800, errors=61, keys=13),
        right=SideSummary(revision="current", records=9_000, outputs=17_794, errors=52, keys=13),
        outputs=(*outputs, by_itself),
        outputs_differing=1_204,
        outputs_unstable=311,
        errors=(
            ErrorDifference(
                kind="fixed", partition="orders:0", offset=4700, left="KeyError: 'samovar'"
            ),
            ErrorDifference(
                kind="new", partition="orders:2", offset=4741, right="ValueError: no price"
            ),
        ),
        errors_fixed=10,
        errors_new=1,
        errors_same=51,
        state=(
            StateDifference(
                kind=DifferenceKind.CHANGED,
                step_id="CountCustomer",
                key="customer-3",
                fields=(ValueDifference(path="cents", left="325350", right="331200"),),
            ),
        ),
        state_differing=13,
        report="loom-diff-96.json",
    )


def failed_comparison() -> Comparison:
    """One whose right revision does not load."""
    return Comparison(
        request=comparison().request,
        phase=ComparisonPhase.FAILED,
        problem=Diagnosis(
            code="import_failed",
            message="NameError: name 'catalog' is not defined",
            file="orders.py",
            line=210,
        ),
    )


def bisection() -> Bisection:
    """One that has found the first bad record."""
    return Bisection(
        request=BisectRequest(expression="state['CountCustomer']['customer-3']['cents'] >= 0"),
        phase=BisectPhase.ENDED,
        good=160,
        bad=161,
        records_left=1,
        probes=tuple(
            Probe(
                epoch=(120, 180, 150, 165, 160, 161, 160, 160)[index],
                records=(0, 0, 0, 0, 0, 0, 140, 70)[index],
                holds=index in (0, 2, 4, 7),
                replayed=index > 5,
            )
            for index in range(8)
        ),
        runs=2,
        found=FirstBad(
            epoch=161,
            partition="orders:1",
            offset=16_790,
            record=json.dumps({"order_id": "o-4719", "product": "samovar", "quantity": -3}),
        ),
    )


def failed_bisection() -> Bisection:
    """One whose predicate cannot be asked."""
    return replace(
        bisection(),
        phase=BisectPhase.FAILED,
        found=None,
        problem=Diagnosis(
            code="predicate",
            message="whether the predicate holds cannot be told: KeyError: 'CountCustomr'",
            hint="An expression is over state[step][key], outputs and records.",
        ),
    )
