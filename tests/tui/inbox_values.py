"""Inbox values made by hand: empty, a few, many kinds, a flood, one envelope on the table."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from loom_bench.broker.place import RecordPlace
from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.protocol.tracing import Verdict
from loom_bench.session.envelopes.notices import told_cancelled
from loom_bench.session.envelopes.redrive_value import (
    RedrivePlan,
    RedriveProgress,
    RedriveTopic,
)
from loom_bench.session.envelopes.terms import (
    Origin,
    RedriveTarget,
    Selection,
    TriageState,
)
from loom_bench.session.envelopes.value import (
    EnvelopeRow,
    EnvelopeWindow,
    InboxGroup,
    InboxNotice,
    InboxValue,
    KeptReport,
    OpenEnvelope,
    ProofTally,
    ShownBytes,
    ShownRecord,
    TopicReading,
)
from tests.tui.error_groups import NOW_MS
from tests.tui.trace_values import FILE, ORDER

KEY_ERROR = "1-00000000000000a1"
NO_PIECES = "1-00000000000000a2"
CUT_SHORT = "1-00000000000000a3"
CONNECT = "1-00000000000000a4"
REDRIVEN = "1-00000000000000a5"

_HISTORY = (0, 0, 1, 0, 2, 4, 3, 6, 9, 12, 10, 14, 13, 11, 12, 15)


def _group(fingerprint: str, **changes: Any) -> InboxGroup:
    made = InboxGroup(
        fingerprint=fingerprint,
        origin=Origin.LOOM,
        kind="task",
        node="PriceOrder",
        exception_type="builtins.KeyError",
        reason="'unicorn'",
        traceback=(
            f'  File "{FILE}", line 189, in execute\n'
            "    total = catalogue[order.product] * order.quantity"
        ),
        count=51,
        kept=51,
        states={TriageState.OPEN: 51},
        history=_HISTORY,
        first_ms=NOW_MS - 95_000,
        last_ms=NOW_MS - 400,
        revision="r1",
        matches=51,
    )
    return replace(made, **changes)


def groups() -> tuple[InboxGroup, ...]:
    """One group of each kind of news."""
    return (
        _group(
            KEY_ERROR,
            is_new=True,
            proof=ProofTally(revision=2, same_error=51),
        ),
        _group(
            NO_PIECES,
            kind="business",
            node="CheckOrder",
            exception_type="loom_runtime.errors.DomainError",
            reason="an order of 0 pieces",
            traceback=None,
            count=47,
            kept=47,
            states={TriageState.OPEN: 12, TriageState.IGNORED: 35},
            matches=47,
            last_ms=NOW_MS - 2_000,
            proof=ProofTally(revision=2, passes=9, different_error=3),
        ),
        _group(
            CUT_SHORT,
            kind="wire",
            node="orders",
            exception_type="msgspec.DecodeError",
            reason="JSON is malformed: expected value (byte 31)",
            traceback=None,
            count=49,
            kept=49,
            states={TriageState.FIXED: 49},
            fixed_in=2,
            matches=49,
            last_ms=NOW_MS - 9_000,
        ),
        *_others(),
    )


def _others() -> tuple[InboxGroup, ...]:
    return (
        _group(
            CONNECT,
            origin=Origin.KAFKA_CONNECT,
            kind="",
            node="jdbc-sink/VALUE_CONVERTER",
            exception_type="org.apache.kafka.connect.errors.DataException",
            reason="Failed to deserialize data for topic payments to Avro",
            count=3,
            kept=3,
            states={TriageState.OPEN: 3},
            matches=3,
            revision="",
            last_ms=NOW_MS - 3_600_000,
            first_ms=NOW_MS - 7_200_000,
            history=(0,) * 16,
            proof=ProofTally(revision=2, untried=1, waiting=2, under_way=True),
        ),
        _group(
            REDRIVEN,
            node="NotifyCustomer",
            exception_type="builtins.TimeoutError",
            reason="no answer from the post within 2000 ms",
            count=6,
            kept=6,
            states={TriageState.REDRIVEN: 4, TriageState.OPEN: 2},
            parked=2,
            matches=6,
            last_ms=NOW_MS - 61_000,
        ),
    )


def row(number: int, *, age_s: float = 0.4, **changes: Any) -> EnvelopeRow:
    """The envelope number *number* of the group of unknown products."""
    made = EnvelopeRow(
        id=f"orders.errors[0]@{number}",
        fingerprint=KEY_ERROR,
        origin=Origin.LOOM,
        at_ms=NOW_MS - round(age_s * 1000),
        place=RecordPlace("orders.errors", 0, number),
        source=RecordPlace("orders", number % 3, 16_000 + number),
        key=f"customer-{number * 37 % 200:03d}",
        kind="task",
        node="PriceOrder",
        exception_type="builtins.KeyError",
        reason="'unicorn'",
        revision="r1",
    )
    return replace(made, **changes)


def window(total: int, first: int = 0, count: int = 60) -> EnvelopeWindow:
    """A window on *total* envelopes of the group of unknown products, the newest first."""
    verdicts: tuple[dict[str, Any], ...] = (
        {"verdict": Verdict.SAME_ERROR},
        {"verdict": Verdict.SAME_ERROR},
        {"verdict": Verdict.DIFFERENT_ERROR, "verdict_reason": "ValueError: no such tax"},
        {"state": TriageState.FIXED, "fixed_in": 2},
        {"parked": True, "attempt": 2},
        {"state": TriageState.IGNORED},
    )
    rows = tuple(
        row(total - 1 - index, age_s=0.4 + index * 1.7, **verdicts[index % len(verdicts)])
        for index in range(first, min(total, first + count))
    )
    return EnvelopeWindow(fingerprint=KEY_ERROR, first=first, total=total, rows=rows)


def empty() -> InboxValue:
    """Nothing failed yet."""
    return InboxValue(
        number=1, topics=(TopicReading(topic="orders.errors", behind=0),), at_ms=NOW_MS
    )


def running() -> InboxValue:
    """One group, a few envelopes, nothing was reloaded yet."""
    group = _group(KEY_ERROR, count=4, kept=4, states={TriageState.OPEN: 4}, matches=4)
    return replace(
        empty(),
        number=2,
        topics=(TopicReading(topic="orders.errors", read=4, behind=0),),
        groups=(group,),
        groups_total=1,
        states={TriageState.OPEN: 4},
        kept=KeptReport(seen=4, kept=4),
        window=EnvelopeWindow(
            fingerprint=KEY_ERROR,
            total=4,
            rows=tuple(row(3 - age, age_s=0.4 + age * 7) for age in range(4)),
        ),
    )


def failing() -> InboxValue:
    """Groups of every kind, proved in part."""
    return replace(
        empty(),
        number=3,
        topics=(
            TopicReading(topic="orders.errors", read=153, behind=12),
            TopicReading(topic="payments.dlq", read=3, strange=2),
            TopicReading(
                topic="audit.dlq",
                problem=Diagnosis(code="topic_unknown", message="the broker has no such topic"),
            ),
        ),
        groups=groups(),
        groups_total=5,
        states={
            TriageState.OPEN: 68,
            TriageState.FIXED: 49,
            TriageState.REDRIVEN: 4,
            TriageState.IGNORED: 35,
        },
        kept=KeptReport(seen=156, kept=156),
        window=window(51),
        proof=ProofTally(
            revision=2, passes=9, same_error=51, different_error=3, waiting=5, under_way=True
        ),
        proving=True,
        node_proofs={
            "PriceOrder": ProofTally(revision=2, same_error=51),
            "CheckOrder": ProofTally(revision=2, passes=9, different_error=3),
        },
        undoable="ignoring 35 envelopes",
        store_path="/home/user/.local/state/loom-bench/orders.sqlite",
    )


def cancelled_proof() -> InboxValue:
    """The proof of :func:`failing` was cancelled."""
    value = failing()
    assert value.proof is not None
    *before, connect, redriven = value.groups
    assert connect.proof is not None
    proof = replace(value.proof, under_way=False)
    return replace(
        value,
        number=5,
        groups=(
            *before,
            replace(connect, proof=replace(connect.proof, under_way=False)),
            redriven,
        ),
        proof=proof,
        proving=False,
        notices=(InboxNotice(number=1, text=told_cancelled(proof)),),
    )


def flooded(first: int = 0) -> InboxValue:
    """A million envelopes, of which a part is kept; the window begins at row *first*."""
    seen, kept = 1_000_000, 200_000
    group = replace(
        groups()[0], count=seen - 105, kept=kept - 105, states={TriageState.OPEN: seen - 105}
    )
    return replace(
        failing(),
        number=4,
        topics=(TopicReading(topic="orders.errors", read=seen, behind=48_211),),
        groups=(group, *groups()[1:]),
        states={TriageState.OPEN: seen - 105, TriageState.FIXED: 49},
        kept=KeptReport(
            seen=seen,
            kept=kept,
            counted=seen - kept,
            bytes=180 << 20,
            text="200.0k of 1.0M envelopes can be looked at one by one; the others are counted",
        ),
        window=window(kept, first),
        proof=ProofTally(revision=2, same_error=8_000, waiting=192_000, under_way=True),
    )


def opened(value: InboxValue, trace: int | None = 1, **changes: Any) -> InboxValue:
    """The first envelope of the window is on the table, traced."""
    (chosen, *_) = value.window.rows or (row(3),)
    place = chosen.source
    made = OpenEnvelope(
        row=chosen,
        source=ShownRecord(
            place=place,
            at_ms=NOW_MS - 42_000,
            key=ShownBytes(content=b"customer-007", size_bytes=12),
            value=ShownBytes(content=ORDER.encode(), size_bytes=len(ORDER)),
        ),
        trace=trace,
    )
    return replace(value, opened=replace(made, **changes))


def planned(value: InboxValue, **changes: Any) -> InboxValue:
    """A redrive of the first group was asked for; nothing is written yet."""
    made = RedrivePlan(
        selection=Selection(group=KEY_ERROR),
        target=RedriveTarget(),
        envelopes=51,
        records=44,
        topics=(RedriveTopic(topic="orders", records=44, partitions=3),),
        parked=4,
        decided=2,
        without_source=1,
        repeating=3,
        overtaken=7,
        overtaken_keys=("customer-007", "customer-112"),
        address="127.0.0.1:19092",
    )
    return replace(value, plan=replace(made, **changes))


def redriving(value: InboxValue, **changes: Any) -> InboxValue:
    """That redrive is under way."""
    plan = planned(value).plan
    assert plan is not None
    made = RedriveProgress(plan=plan, written=18, failed=1, rate_per_s=50.0, elapsed_s=0.6)
    return replace(value, plan=None, redrive=replace(made, **changes))
