"""Recovery stores as screens are shown them: of the order desk, at rest, failing, very long."""

from __future__ import annotations

import json
import random
from functools import cache

from msgspec.structs import replace

from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.session.snapshots.replay_value import ReplayPhase
from loom_bench.session.snapshots.value import (
    EpochView,
    FieldChange,
    ForkView,
    KeptRevision,
    KeyHistory,
    Mark,
    MarkKind,
    SnapshotsValue,
    StatePage,
    StateQuery,
    StateRow,
    StepView,
    Timeline,
    Touch,
    Why,
)
from tests.tui import replay_values
from tests.tui.error_groups import NOW_MS

STEPS = (
    StepView(
        step_id="CountCustomer", node="CountCustomer", kind="stateful_step", state_type="Orders"
    ),
    StepView(step_id="CollectBatch", node="CollectBatch", kind="collect_batch"),
)
LAST = 240
"""Number of the last epoch of a store that is not long."""

CHOSEN_KEY = "customer-3"

_MARKS = {
    1: (Mark(kind=MarkKind.START, text="revision 3ac41f"),),
    40: (Mark(kind=MarkKind.ERROR, count=3),),
    96: (Mark(kind=MarkKind.DRAIN, text="the run ended in order"),),
    97: (Mark(kind=MarkKind.RELOAD, text="revision 77b0e2"),),
    160: (Mark(kind=MarkKind.ERROR, count=12),),
    200: (Mark(kind=MarkKind.CRASH, text="the run was killed"),),
    201: (Mark(kind=MarkKind.START, text="revision 77b0e2"),),
}


def epochs(count: int = LAST, *, step_ms: int = 500) -> tuple[EpochView, ...]:
    """*count* epochs, the newest just closed."""
    dice = random.Random(11)
    found: list[EpochView] = []
    read = [0, 0, 0]
    for number in range(1, count + 1):
        records = dice.randrange(180, 420) if number % 50 > 4 else 0
        for partition in range(3):
            read[partition] += records // 3
        found.append(
            EpochView(
                number=number,
                at_ms=NOW_MS - (count - number) * step_ms,
                positions={f"orders:{partition}": read[partition] for partition in range(3)},
                records=records,
                keys_changed=min(records, dice.randrange(9, 14)),
                state_bytes=min(records, 12) * 61,
                revision="3ac41f" if number < 97 else "77b0e2",
                marks=_MARKS.get(number if count == LAST else number % 10_000, ()),
            )
        )
    return tuple(found)


@cache
def timeline(count: int = LAST) -> Timeline:
    """A store of the order desk."""
    return Timeline(
        store="state/orders",
        flow="orders",
        partitions=8,
        size_bytes=7_340_032,
        in_use=True,
        steps=STEPS,
        epochs=epochs(count),
        resume_epoch=count + 1,
        counted=1.0,
        kept="the last minute whole, then one epoch a second for ten minutes",
    )


def _value(index: int, epoch: int) -> str:
    return json.dumps({"orders": epoch * 3 + index, "cents": epoch * 1350 + index * 450})


def state_row(index: int, epoch: int, *, changes: bool = False) -> StateRow:
    """The state of one customer."""
    before = json.loads(_value(index, epoch - 1))
    now = json.loads(_value(index, epoch))
    changed = (
        tuple(
            FieldChange(path=name, before=str(before[name]), after=str(now[name])) for name in now
        )
        if changes
        else ()
    )
    return StateRow(
        step_id="CountCustomer",
        key=f"customer-{index}",
        text=_value(index, epoch),
        written_at_epoch=epoch,
        size_bytes=61,
        changed=index % 3 == 0,
        changes=changed,
    )


def page(epoch: int = LAST, *, rows: int = 13, changed_only: bool = False) -> StatePage:
    """The state of every customer at *epoch*."""
    return StatePage(
        query=StateQuery(
            epoch=epoch, step_id="CountCustomer", changed_only=changed_only, limit=200
        ),
        rows=tuple(state_row(index, epoch, changes=changed_only) for index in range(rows)),
    )


def history() -> KeyHistory:
    """What one customer's state was, epoch by epoch."""
    rows = tuple(state_row(3, epoch, changes=True) for epoch in range(210, LAST + 1, 3))
    return KeyHistory(step_id="CountCustomer", key=CHOSEN_KEY, rows=rows)


def why(*, running: bool = False) -> Why:
    """Three orders that made a value what it is."""
    touches = tuple(
        Touch(
            partition="orders:1",
            offset=4711 + 9 * turn,
            at_ms=NOW_MS - 4000 + 300 * turn,
            record=json.dumps({"order_id": f"o-{4711 + 9 * turn}", "product": "tea"}),
            before=_value(3 + turn, 236),
            after=_value(4 + turn, 236),
            changes=(
                FieldChange(path="orders", before=str(711 + turn), after=str(712 + turn)),
                FieldChange(path="cents", before=str(319_950 + turn), after=str(320_400 + turn)),
            ),
        )
        for turn in range(3)
    )
    return Why(
        step_id="CountCustomer",
        key=CHOSEN_KEY,
        from_epoch=234,
        to_epoch=237,
        touches=touches,
        running=running,
        looked_at=612,
    )


FORKS = (
    ForkView(
        name="before-reload",
        folder="state/orders/forks/before-reload",
        epoch=96,
        revision="3ac41f",
        epoch_at_ms=NOW_MS - 72_000,
        made_at_ms=NOW_MS - 30_000,
        size_bytes=3_145_728,
        replayed_to=131,
        note="is the price right",
    ),
    ForkView(
        name="back-one",
        folder="state/orders/forks/back-one",
        parent="before-reload",
        epoch=130,
        revision="77b0e2",
        epoch_at_ms=NOW_MS - 55_000,
        made_at_ms=NOW_MS - 20_000,
        size_bytes=3_145_728,
        note="a step back from before-reload",
    ),
    ForkView(
        name="epoch-200",
        folder="state/orders/forks/epoch-200",
        epoch=200,
        revision="77b0e2",
        epoch_at_ms=NOW_MS - 20_000,
        made_at_ms=NOW_MS - 9_000,
        size_bytes=5_242_880,
    ),
)

REVISIONS = (
    KeptRevision(name="3ac41f", kept_at_ms=NOW_MS - 120_000, files=("orders.py",), size_bytes=9100),
    KeptRevision(name="77b0e2", kept_at_ms=NOW_MS - 72_000, files=("orders.py",), size_bytes=9140),
)


def empty() -> SnapshotsValue:
    """A flow that keeps no store."""
    return SnapshotsValue(
        problem=Diagnosis(code="no_store", message="there is no recovery store to look at")
    )


def running() -> SnapshotsValue:
    """A store that a run writes."""
    return SnapshotsValue(
        timeline=timeline(),
        page=page(),
        history=history(),
        why=why(),
        forks=FORKS,
        revisions=REVISIONS,
        replay=replay_values.replay(),
        comparison=replay_values.comparison(),
        bisection=replay_values.bisection(),
    )


def failing() -> SnapshotsValue:
    """The same, and what was asked for last could not be done; one epoch is not whole."""
    value = running()
    assert value.timeline is not None
    *before, torn, last = value.timeline.epochs
    torn = replace(torn, complete=False, why_not="partition 3 has not closed it")
    return replace(
        value,
        timeline=replace(value.timeline, epochs=(*before, torn, last)),
        busy="forking epoch 200",
        compatibility=replay_values.FIT,
        comparison=replay_values.failed_comparison(),
        bisection=replay_values.failed_bisection(),
        replay=replace(
            replay_values.replay(ReplayPhase.FAILED),
            problem=Diagnosis(
                code="import_failed",
                message="NameError: name 'catalog' is not defined",
                file="orders.py",
                line=210,
                hint="Did you mean: 'catalogue'?",
            ),
        ),
        problem=Diagnosis(
            code="store",
            message="part-0.sqlite3: the file is cut off after 40,960 bytes",
            hint="Choose an epoch that the other partitions have, or a copy of the store.",
        ),
        why=replace(
            why(),
            touches=(),
            problem=Diagnosis(
                code="no_revision", message="CountCustomer does not load: NameError: catalog"
            ),
        ),
    )


@cache
def flooded() -> SnapshotsValue:
    """A store with a hundred thousand epochs."""
    last = 100_000
    return replace(running(), timeline=timeline(last), page=page(last, rows=200))
