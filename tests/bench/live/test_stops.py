"""The live flow stops at a record and goes on: by an answer, or through the code that is saved."""

from __future__ import annotations

from pathlib import Path

import pytest

from loom_bench.protocol.tracing import StopAction
from loom_bench.session.tracing.value import LiveStopView, TraceState
from loom_bench.session.value import Phase
from loom_runtime.tracing.shown import EditedMessage
from loom_runtime.tracing.trace import StopOutcome, TraceOutcome
from tests.bench.live.sessions import STATEFUL_FLOW, Live, OutputReader

pytestmark = pytest.mark.usefixtures("nothing_is_left")

POISONED = STATEFUL_FLOW.replace(
    """        return Order(message.payload.id, "first")
""",
    """        if message.payload.id % 100 == 13:
            raise ValueError("unlucky")
        return Order(message.payload.id, "first")
""",
).replace(
    'output=IntoTopic("numbered", payload=Order),',
    'output=IntoTopic("numbered", payload=Order),\n    errors=IntoTopic("failed"),',
)


def stopped(live: Live, *, after: int = 0) -> LiveStopView:
    value = live.until(
        lambda value: value.tracing.stop is not None and value.tracing.stop.stop.id > after,
        "the flow has stopped at a record",
    )
    assert value.tracing.stop is not None
    return value.tracing.stop


def drained(live: Live) -> int:
    """Drain when everything that was fed is read; return how much that was."""
    live.session.set_feed_rate(0)
    live.until(lambda value: value.feed.rate_per_s == 0, "the feed is told to pause")
    live.until(
        lambda value: value.offsets and not any(each.lag for each in value.offsets),
        "everything is read",
    )
    live.session.drain()
    return live.until_phase(Phase.STOPPED).feed.delivered


def test_the_record_goes_on_through_the_code_that_was_saved(tmp_path: Path) -> None:
    with Live(tmp_path, POISONED, feed_rate_per_s=400) as live:
        live.session.tracing.set_pause_on_error(True)
        view = stopped(live)
        stop = view.stop
        assert (stop.node, view.revision) == ("Mark", 1)
        assert [each.node for each in stop.trace.stops] == ["source:orders", "Mark"]
        assert stop.trace.stops[-1].outcome is StopOutcome.FAILED
        assert stop.trace.failures[0].reason == "unlucky"
        assert stop.trace.record.value is not None
        live.edit('raise ValueError("unlucky")', 'return Order(message.payload.id, "mended")')
        with OutputReader(live.until_revision(2)) as reader:
            reader.until_mark("mended")
            fed = drained(live)
            reader.until_count(fed)
        assert reader.times_written == dict.fromkeys(range(fed), 1)
        assert sorted(record["count"] for record in reader.records) == list(range(1, fed + 1))
        assert live.value.tracing.stop is None
        live.until_noticed("left the record that it stood at")


def test_every_answer_does_what_it_says(tmp_path: Path) -> None:
    with Live(tmp_path, POISONED, feed_rate_per_s=400) as live:
        live.session.tracing.set_pause_on_error(True)
        first = stopped(live).stop
        live.session.tracing.answer_stop(first.id, StopAction.SKIP)
        second = stopped(live, after=first.id).stop
        taken = second.trace.stops[-1].takes[0]
        wrong = EditedMessage(payload_type=taken.payload_type, value="{}", meta=taken.meta)
        live.session.tracing.answer_stop(second.id, StopAction.EDIT, wrong)
        live.until(
            lambda value: value.tracing.stop is not None and value.tracing.stop.problem,
            "the answer is refused",
        )
        right = EditedMessage(
            payload_type=taken.payload_type, value='{"id": 1000000}', meta=taken.meta
        )
        live.session.tracing.answer_stop(second.id, StopAction.EDIT, right)
        third = stopped(live, after=second.id).stop
        live.session.tracing.answer_stop(third.id, StopAction.GO_ON)
        stopped(live, after=third.id)
        live.session.tracing.set_pause_on_error(False)
        value = live.until(lambda value: value.tracing.stop is None, "the flow goes on")
        with OutputReader(value) as reader:
            fed = drained(live)
            poison = [number for number in range(fed) if number % 100 == 13]
            reader.until_count(fed - len(poison) + 1)
        total = [each.row for each in live.value.offsets]
        assert sum(row.filtered for row in total) == 1
        assert sum(row.errored for row in total) == len(poison) - 2
        assert all(row.balanced for row in total)
        assert reader.times_written[1_000_000] == 1


def test_a_breakpoint_stops_and_a_trace_tells_the_rest_of_the_way(tmp_path: Path) -> None:
    with Live(tmp_path, POISONED, feed_rate_per_s=200) as live:
        wanted = live.until_reading().feed.delivered + 1_000
        wanted += 1 if wanted % 100 == 13 else 0
        commands = live.session.tracing
        wrong = commands.set_breakpoint("Nowhere")
        value = live.until(
            lambda value: any(each.problem for each in value.tracing.breakpoints), "it is refused"
        )
        assert value.tracing.breakpoints[0].number == wrong
        commands.clear_breakpoint(wrong)
        number = commands.set_breakpoint("Number", "payload.id % 2 == 1")
        live.until(
            lambda value: value.tracing.breakpoints and value.tracing.breakpoints[0].problem,
            "arithmetic is refused",
        )
        commands.clear_breakpoint(number)
        number = commands.set_breakpoint(
            "Number", f"payload.id >= {wanted} and payload.id < {wanted + 1}"
        )
        stop = stopped(live).stop
        assert (stop.breakpoint, stop.node) == (number, "Number")
        assert stop.trace.outcome is TraceOutcome.UNDER_WAY
        assert stop.trace.stops[-1].outcome is StopOutcome.RUNNING
        assert stop.trace.stops[-1].takes[0].value.text.startswith(f'{{"id":{wanted},')
        record = stop.trace.record
        asked = commands.trace_record(
            record,
            start="Number",
            message=EditedMessage(
                payload_type=stop.trace.stops[-1].takes[0].payload_type,
                value=stop.trace.stops[-1].takes[0].value.text,
                meta=stop.trace.stops[-1].takes[0].meta,
            ),
        )
        value = live.until(
            lambda value: any(
                each.number == asked and each.state is TraceState.DONE
                for each in value.tracing.traces
            ),
            "the trace is done",
        )
        trace = value.tracing.traces[-1].trace
        assert trace.outcome is TraceOutcome.WRITTEN
        assert trace.stops[0].state_before is not None
        commands.answer_stop(stop.id, StopAction.GO_ON)
        value = live.until(lambda value: value.tracing.stop is None, "the flow goes on")
        assert value.tracing.breakpoints[0].hits == 1
        assert value.tracing.stops_met == 1
