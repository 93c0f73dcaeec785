"""A trace tells every node of a record's way, and survives whatever the code does."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from loom_bench.session.tracing.value import TraceState
from loom_runtime.errors import ErrorKind
from loom_runtime.tracing.shown import EditedMessage
from loom_runtime.tracing.trace import StopOutcome, TraceOutcome
from tests.bench.tracing.sides import FLOW, Sides, job, open_sides, record


@pytest.fixture(scope="module")
def sides() -> Iterator[Sides]:
    with open_sides() as opened:
        yield opened


def test_every_node_is_told_with_the_state_of_its_key(sides: Sides) -> None:
    view = sides.trace(job("", key="known"))
    trace = view.trace
    assert (view.state, trace.outcome) == (TraceState.DONE, TraceOutcome.WRITTEN)
    assert [(stop.node, stop.outcome) for stop in trace.stops] == [
        ("source:jobs", StopOutcome.PASSED),
        ("Act", StopOutcome.PASSED),
        ("Counting", StopOutcome.PASSED),
        ("sink:done", StopOutcome.WRITTEN),
    ]
    counting = trace.stops[2]
    assert counting.state_before is not None
    assert counting.state_after is not None
    assert counting.state_key == "known"
    assert (counting.state_before.text, counting.state_after.text) == ('{"seen":41}', '{"seen":42}')
    assert sides.asked_states[-1] == ("Counting", "known")
    assert [(each.topic, each.value.text) for each in trace.outputs] == [
        ("done", '{"key":"known","do":""}')
    ]


def test_a_failure_has_its_frame_with_source_and_locals_and_no_secret(sides: Sides) -> None:
    trace = sides.trace(job("fail")).trace
    assert trace.outcome is TraceOutcome.ERRORED
    (failure,) = trace.failures
    assert (failure.kind, failure.reason) == (ErrorKind.BUSINESS, "6 1000")
    frame = failure.frames[-1]
    assert 'raise DomainError(f"{len' in frame.source[frame.line - frame.first_line]
    values = {each.name: each for each in frame.locals}
    assert values["api_token"].masked
    assert "s3cr3t" not in str(msgspec.to_builtins(values["api_token"]))
    assert "message" in values
    assert "980 more" in values["ordinary"].value.text
    assert trace.outputs[0].topic == "failed"


def test_what_does_not_decode_fails_at_the_source(sides: Sides) -> None:
    trace = sides.trace(record("{")).trace
    assert [(stop.node, stop.outcome) for stop in trace.stops] == [
        ("source:jobs", StopOutcome.FAILED)
    ]
    assert trace.failures[0].kind is ErrorKind.WIRE


def test_an_edited_value_goes_on_from_its_node(sides: Sides) -> None:
    taken = sides.trace(job("fail")).trace.stops[1].takes[0]
    edited = EditedMessage(
        payload_type=taken.payload_type, value='{"key":"mended"}', meta=taken.meta
    )
    trace = sides.trace(job("fail"), start="Act", message=edited).trace
    assert [stop.node for stop in trace.stops] == ["Act", "Counting", "sink:done"]
    assert trace.outputs[0].value.text == '{"key":"mended","do":""}'
    wrong = EditedMessage(payload_type=taken.payload_type, value="{}", meta=taken.meta)
    refused = sides.trace(job("fail"), start="Act", message=wrong).trace
    assert refused.outcome is TraceOutcome.RUN_FAILED
    assert "missing required field `key`" in refused.problem


def test_a_step_that_never_returns_is_cut_off_where_it_stands(sides: Sides) -> None:
    trace = sides.trace(job("hang"), time_limit_ms=1_500).trace
    assert trace.outcome is TraceOutcome.CUT_OFF
    assert "1.5 s" in trace.problem
    assert (trace.stops[-1].node, trace.stops[-1].outcome) == ("Act", StopOutcome.CUT_OFF)
    assert trace.stack[-1].source == ("time.sleep(0.05)",)
    assert sides.trace(job("")).trace.outcome is TraceOutcome.WRITTEN


def test_a_step_that_ends_its_process_is_told_of(sides: Sides) -> None:
    trace = sides.trace(job("exit")).trace
    assert trace.outcome is TraceOutcome.CUT_OFF
    assert "exit code 7" in trace.problem
    assert trace.stops[-1].node == "Act"


def test_megabytes_of_printed_lines_are_cut(sides: Sides) -> None:
    view = sides.trace(job("print"))
    assert view.trace.outcome is TraceOutcome.WRITTEN
    assert view.printed[0].startswith("line 0 ")
    assert len(view.printed) <= 200
    assert sum(map(len, view.printed)) < 100_000


def test_what_is_printed_belongs_to_the_trace_that_printed_it(sides: Sides) -> None:
    for number in range(30):
        assert sides.trace(job("say", key=str(number))).printed == (f"this is {number}",)
    assert sides.trace(job("")).printed == ()


def test_an_exception_without_a_text_has_its_name(sides: Sides) -> None:
    (failure,) = sides.trace(job("silent")).trace.failures
    assert failure.reason.startswith("SilentError (its text could not be made")


def test_a_huge_value_is_shortened(sides: Sides) -> None:
    trace = sides.trace(job("huge")).trace
    given = trace.stops[1].gives[0].value
    assert not given.complete
    assert given.size is not None
    assert given.size > 2_000_000
    assert len(msgspec.msgpack.encode(trace)) < 2_000_000


def test_the_next_trace_runs_through_the_code_as_it_was_saved(tmp_path: Path) -> None:
    target = tmp_path / "jobs.py"
    shutil.copy(FLOW, target)
    with open_sides(target) as opened:
        assert opened.trace(job("fail")).trace.outcome is TraceOutcome.ERRORED
        target.write_text(FLOW.read_text().replace('case "fail"', 'case "never"'))
        opened.traces.code_changed()
        assert opened.trace(job("fail")).trace.outcome is TraceOutcome.WRITTEN
        target.write_text("no python")
        opened.traces.code_changed()
        view = opened.trace(job("fail"))
        assert view.state is TraceState.REFUSED
        assert "invalid syntax" in (view.problem or "")
