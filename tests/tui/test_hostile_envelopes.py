"""Hostile texts in envelopes, traces and stops: nothing acts, or reaches a cell raw."""

from __future__ import annotations

import time

import pytest
from msgspec.structs import replace

from loom_bench.session.envelopes.value import InboxNotice, InboxValue
from loom_bench.session.tracing.value import TracingView
from loom_bench.session.value import SessionValue
from loom_bench.tui.app import WorkbenchApp
from tests.tui import inbox_values, trace_values, values
from tests.tui.hostile import HOSTILE, HUGE, infected_part
from tests.tui.running_app import bench
from tests.tui.seen import raw_characters, strips_of

pytestmark = pytest.mark.asyncio

_ALONE = ("closing tag", "action", "escape", "surrogates")

_TOUR = (
    *("i", "j", "tab", "l", "y", "slash", "escape", "tab", "R", "escape", "enter"),
    *("v", "v", "v", "v", "h", "h", "h", "h", "n", "c", "ctrl+d", "x", "escape"),
    *("escape", "escape", "W", "g", "n", "v", "v", "v", "c", "escape"),
)
_HARMLESS = {"watch_samples", "answer_stop", "show_rows", "open_envelope", "set_filter"}
_HARMLESS_TOO = {"plan_redrive", "cancel_redrive"}


def _values(text: str) -> tuple[SessionValue, InboxValue]:
    """Values with *text* in every field, whatever refers to another still doing so."""

    def harm(told: str) -> str:
        return text + told

    inbox = inbox_values.planned(inbox_values.redriving(inbox_values.failing()))
    hostile: InboxValue = infected_part(inbox_values.opened(inbox), harm)
    notices = (InboxNotice(number=1, text=text, severity=text),)
    hostile = replace(hostile, notices=notices, at_ms=inbox.at_ms)
    stop = trace_values.stopped().stop
    whole = replace(
        trace_values.tracing(
            trace_values.failing_trace(), printed=("said",), problem="it could not begin"
        ),
        stop=stop,
    )
    tracing: TracingView = infected_part(whole, harm)
    return replace(values.running(), tracing=tracing), hostile


async def _toured(value: SessionValue, inbox: InboxValue, size: tuple[int, int]) -> WorkbenchApp:
    async with bench(value, inbox=inbox, size=size) as seen:
        for key in _TOUR:
            await seen.press(key)
            assert not raw_characters(strips_of(seen.app)), key
        calls = {call[0] for call in (*seen.session.calls, *seen.inbox.calls)}
        assert calls <= _HARMLESS | _HARMLESS_TOO
        return seen.app


@pytest.mark.parametrize("name", _ALONE)
async def test_nothing_hostile_gets_through(name: str) -> None:
    await _toured(*_values(HOSTILE[name]), (80, 24))


async def test_all_of_it_together_gets_through_nowhere() -> None:
    await _toured(*_values(" ".join(HOSTILE.values())), (160, 45))


@pytest.mark.parametrize("name", ["json", "escapes"])
async def test_texts_of_megabytes_keep_nobody_waiting(name: str) -> None:
    text = HUGE[name][:2_000_000]
    value, inbox = _values("")
    failure = replace(trace_values.key_error(), reason=text, exception_type=text)
    big = trace_values.message(text)
    trace = trace_values.failing_trace()
    last = replace(trace.stops[-1], takes=(big,), failures=(failure,), state_key=text)
    trace = replace(trace, stops=(*trace.stops[:-1], last), failures=(failure,))
    value = replace(value, tracing=trace_values.tracing(trace, printed=(text,)))
    before_s = time.process_time()
    await _toured(value, inbox, (120, 36))
    # Forty keys in about 3 s; a pass over all texts at each would take minutes.
    assert time.process_time() - before_s < 20
