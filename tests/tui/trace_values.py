"""Traces made by hand over the order desk: one that fails, one that passes, a stop of the flow."""

from __future__ import annotations

from functools import cache
from typing import Any

from msgspec.structs import replace

from loom_bench.protocol.tracing import LiveStop
from loom_bench.session.tracing.value import (
    BreakpointView,
    LiveStopView,
    TraceState,
    TraceView,
    TracingView,
)
from loom_runtime import ErrorKind, NodeKind
from loom_runtime.errors import ErrorMessageMeta
from loom_runtime.tracing.failure import (
    CauseRelation,
    LocalVariable,
    TracedCause,
    TracedFailure,
    TracedFrame,
)
from loom_runtime.tracing.shown import ShownValue, TracedMessage, ValueForm
from loom_runtime.tracing.trace import (
    OutputKind,
    SourceRecord,
    StopOutcome,
    Trace,
    TracedOutput,
    TraceOutcome,
    TraceStop,
)
from tests.tui.error_groups import NOW_MS

ORDER = '{"order_id":"o-04711","customer":"customer-007","product":"unicorn","quantity":3}'
MENDED = ORDER.replace("unicorn", "tea")
PRICED = f'{{"order":{MENDED},"total_cents":1350,"risk":0.0}}'
FILE = "sample_flows/orders.py"

_META = ErrorMessageMeta(
    message_id="o-04711",
    trace_id="9f" * 16,
    produced_at_ms=NOW_MS - 42_000,
    message_type="order.placed",
    topic="orders",
    partition=1,
    offset=16_790,
    key=b"customer-007",
    headers={"x-trace-id": b"9f" * 16},
)


def record(value: str = ORDER) -> SourceRecord:
    """The source record."""
    return SourceRecord(
        topic="orders",
        partition=1,
        offset=16_790,
        key=b"customer-007",
        value=value.encode(),
        headers=(("x-trace-id", b"9f" * 16),),
        timestamp_ms=NOW_MS - 41_000,
    )


def message(text: str, type_name: str = "OrderPlaced", **changes: Any) -> TracedMessage:
    """A message as a node takes or gives it."""
    value = ShownValue(type_name=type_name, text=text, size=len(text))
    return TracedMessage(payload_type=type_name, value=replace(value, **changes), meta=_META)


def raw_message(content: bytes) -> TracedMessage:
    """A message as it is read: bytes."""
    value = ShownValue(
        type_name="bytes",
        text=content.decode("utf-8", "backslashreplace"),
        form=ValueForm.RAW,
        raw=content,
        size=len(content),
    )
    return TracedMessage(payload_type="", value=value, meta=_META)


def _shown(text: str, type_name: str) -> ShownValue:
    return ShownValue(type_name=type_name, text=text, size=len(text))


@cache
def key_error() -> TracedFailure:
    """An unknown product."""
    return TracedFailure(
        kind=ErrorKind.TASK,
        node="PriceOrder",
        exception_type="builtins.KeyError",
        reason="'unicorn'",
        fingerprint="1-00000000000000a1",
        taken=0,
        frames=(
            TracedFrame(
                file=FILE,
                line=189,
                function="PriceOrder.execute",
                first_line=186,
                source=(
                    "",
                    "    def execute(self, message: Message[OrderPlaced], catalogue: Prices):",
                    "        order = message.payload",
                    "        total = catalogue[order.product] * order.quantity",
                    "        return PricedOrder(order, total_cents=total)",
                    "",
                    "",
                    "class CountCustomer(StatefulStep[PricedOrder, CustomerTotal, Totals]):",
                ),
                locals=(
                    LocalVariable(
                        name="catalogue",
                        value=_shown('{"tea":450,"coffee":900,"mug":1250,"kettle":4900}', "dict"),
                    ),
                    LocalVariable(name="order", value=_shown(ORDER, "OrderPlaced")),
                    LocalVariable(
                        name="api_token",
                        value=ShownValue(
                            type_name="str", text="<masked>", form=ValueForm.REPR, complete=False
                        ),
                        masked=True,
                    ),
                ),
                locals_left_out=2,
            ),
        ),
        causes=(_catalogue_miss(),),
    )


def _catalogue_miss() -> TracedCause:
    return TracedCause(
        relation=CauseRelation.CONTEXT,
        exception_type="sample.CatalogueMiss",
        reason="no price of unicorn",
        frames=(
            TracedFrame(
                file=FILE,
                line=141,
                function="open_catalogue",
                first_line=139,
                source=(
                    "def open_catalogue() -> Iterator[dict[str, int]]:",
                    '    """Open the price list."""',
                    "    yield PRICES_CENTS",
                ),
            ),
        ),
    )


def stop(number: int, node: str, kind: NodeKind | None, path: Any, **changes: Any) -> TraceStop:
    """A stop, passed in a few microseconds."""
    made = TraceStop(
        number=number,
        node=node,
        name=node.rsplit(":", maxsplit=1)[-1],
        kind=kind,
        path=path,
        duration_ms=0.012,
    )
    return replace(made, **changes)


def _first_stops(order: str) -> tuple[TraceStop, ...]:
    placed = (message(order),)
    return (
        stop(0, "source:orders", None, (), takes=(raw_message(order.encode()),), gives=placed),
        stop(
            1,
            "Router",
            NodeKind.ROUTER,
            (0,),
            takes=placed,
            gives=placed,
            branches=("OrderPlaced",),
            duration_ms=0.04,
        ),
        stop(2, "CheckOrder", NodeKind.RECORD_STEP, (0, 0, 0), takes=placed, gives=placed),
        stop(3, "DropTests", NodeKind.EXPAND_STEP, (0, 0, 1), takes=placed, gives=placed),
    )


@cache
def failing_trace() -> Trace:
    """The record fails at PriceOrder."""
    placed = (message(ORDER),)
    failure = key_error()
    failed: dict[str, Any] = {
        "takes": placed,
        "outcome": StopOutcome.FAILED,
        "failures": (failure,),
    }
    return Trace(
        flow="orders",
        revision="7c4f3a1",
        record=record(),
        start="source:orders",
        stops=(
            *_first_stops(ORDER),
            stop(4, "With", NodeKind.WITH, (1,), **failed),
            stop(5, "PriceOrder", NodeKind.RECORD_STEP, (1, 0, 0), **failed),
        ),
        outputs=(
            TracedOutput(
                kind=OutputKind.ENVELOPE,
                sink="sink:orders.errors",
                topic="orders.errors",
                key=b"customer-007",
                value=_shown('{"kind":"task","reason":"\'unicorn\'"}', "ErrorEnvelope"),
                error_kind=ErrorKind.TASK,
            ),
        ),
        outcome=TraceOutcome.ERRORED,
        failures=(failure,),
        duration_ms=0.31,
    )


@cache
def passing_trace() -> Trace:
    """The record, its product mended, is priced, counted and held by two windows."""
    placed, priced = (message(MENDED),), (message(PRICED, "PricedOrder"),)
    total = '{"customer":"customer-007","so_far":{"orders":5,"total_cents":9350}}'
    after = (
        stop(4, "With", NodeKind.WITH, (1,), takes=placed, gives=priced, duration_ms=0.2),
        stop(5, "PriceOrder", NodeKind.RECORD_STEP, (1, 0, 0), takes=placed, gives=priced),
        stop(6, "Broadcast", NodeKind.BROADCAST, (2,), takes=priced, duration_ms=1.9),
        stop(
            7,
            "CountCustomer",
            NodeKind.STATEFUL_STEP,
            (2, 0, 0),
            takes=priced,
            gives=(message(total, "CustomerTotal"),),
            state_key="customer-007",
            state_before=_shown('{"orders":4,"total_cents":8000}', "Totals"),
            state_after=_shown('{"orders":5,"total_cents":9350}', "Totals"),
            duration_ms=0.05,
        ),
        stop(
            8,
            "sink:customers.totals",
            None,
            (2, 0),
            takes=(message(total, "CustomerTotal"),),
            outcome=StopOutcome.WRITTEN,
        ),
        stop(
            9,
            "CollectBatch",
            NodeKind.COLLECT_BATCH,
            (2, 1, 0),
            takes=priced,
            outcome=StopOutcome.HELD,
        ),
    )
    return replace(
        failing_trace(),
        stops=(*_first_stops(MENDED), *after),
        record=record(MENDED),
        outputs=(
            TracedOutput(
                kind=OutputKind.RECORD,
                sink="sink:customers.totals",
                topic="customers.totals",
                key=b"customer-007",
                value=_shown(total, "CustomerTotal"),
            ),
        ),
        outcome=TraceOutcome.HELD,
        failures=(),
        duration_ms=2.4,
    )


def tracing(trace: Trace, number: int = 1, revision: int = 2, **changes: Any) -> TracingView:
    """What a session shows that has made *trace*."""
    view = TraceView(number=number, revision=revision, state=TraceState.DONE, trace=trace)
    return TracingView(traces=(replace(view, **changes),))


def stopped(*, at_breakpoint: bool = False) -> TracingView:
    """The flow waits at PriceOrder: for an error, or before it takes the record."""
    trace = failing_trace()
    if at_breakpoint:
        waiting = stop(
            5,
            "PriceOrder",
            NodeKind.RECORD_STEP,
            (1, 0, 0),
            takes=(message(ORDER),),
            outcome=StopOutcome.RUNNING,
            duration_ms=None,
        )
        trace = replace(trace, stops=(*trace.stops[:4], waiting), failures=(), outputs=())
    return TracingView(
        pause_on_error=not at_breakpoint,
        breakpoints=(
            BreakpointView(
                number=3, node="PriceOrder", condition='payload.product == "unicorn"', hits=1
            ),
        )
        if at_breakpoint
        else (),
        stop=LiveStopView(
            stop=LiveStop(
                id=9,
                node="PriceOrder",
                at_ms=NOW_MS - 4_000,
                topic="orders",
                partition=1,
                offset=16_790,
                trace=trace,
                breakpoint=3 if at_breakpoint else None,
                waiting=2,
            ),
            revision=2,
        ),
        stops_met=1,
    )
