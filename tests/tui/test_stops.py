"""The record that the live flow waits at: told everywhere, looked at, decided about."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from loom_bench.protocol.tracing import StopAction
from loom_bench.session.envelopes.value import InboxValue
from loom_bench.session.tracing.value import TracingView
from loom_bench.session.value import SessionValue
from loom_bench.tui.stepping.stop_screen import StopScreen
from tests.tui import trace_values, values
from tests.tui.running_app import ScriptedEditor, bench
from tests.tui.stepping_scenes import BEFORE, INBOX, STOPPED, node_of
from tests.tui.test_dialogs import lent_terminal

pytestmark = pytest.mark.asyncio


async def test_a_stop_is_told_on_every_screen() -> None:
    async with bench(STOPPED, inbox=INBOX, size=(80, 24)) as seen:
        assert "STOPPED at PriceOrder" in seen.rows[0]
        await seen.press("i")
        assert "STOPPED at PriceOrder" in seen.rows[0]


@pytest.mark.parametrize(
    ("key", "action"),
    [
        ("c", StopAction.GO_ON),
        ("s", StopAction.SKIP),
        ("d", StopAction.DEAD_LETTER),
        ("r", StopAction.RUN_AGAIN),
    ],
)
@pytest.mark.parametrize("value", [STOPPED, BEFORE], ids=["error", "breakpoint"])
async def test_keys_say_what_becomes_of_the_record(
    key: str, action: StopAction, value: SessionValue
) -> None:
    async with bench(value, inbox=INBOX) as seen:
        await seen.press("W")
        assert node_of(seen) == "PriceOrder"
        assert "Saving the file goes on with this record in the new revision" in seen.text
        await seen.press(key)
        assert seen.session.asked("answer_stop") == [(9, action, None)]


async def test_the_record_goes_on_with_an_edited_value(monkeypatch: pytest.MonkeyPatch) -> None:
    editor = ScriptedEditor(writes=trace_values.MENDED)
    async with bench(BEFORE, inbox=INBOX, editor=editor) as seen:
        await seen.press("W", "h")
        with lent_terminal(seen, monkeypatch):
            await seen.press("e")
        ((stop, action, message),) = seen.session.asked("answer_stop")
        assert (stop, action) == (9, StopAction.EDIT)
        assert json.loads(message.value)["product"] == "tea"


async def test_what_was_answered_and_what_came_of_it_is_told() -> None:
    stop = STOPPED.tracing.stop
    assert stop is not None
    async with bench(STOPPED, inbox=INBOX) as seen:
        await seen.press("W")
        answered = replace(stop, answer=StopAction.SKIP)
        await seen.shows(replace(STOPPED, tracing=replace(STOPPED.tracing, stop=answered)))
        assert "skipping" in seen.text
        refused = replace(stop, problem="the value does not fit OrderPlaced")
        await seen.shows(replace(STOPPED, tracing=replace(STOPPED.tracing, stop=refused)))
        assert "does not fit OrderPlaced" in seen.text
        await seen.shows(replace(STOPPED, tracing=TracingView(pause_on_error=True)))
        assert "The flow runs." in seen.text
        await seen.press("c")
        assert not seen.session.asked("answer_stop")
        assert "there is no record to decide about" in seen.text


async def test_the_next_stop_takes_the_place_of_the_last() -> None:
    stop = STOPPED.tracing.stop
    assert stop is not None
    async with bench(STOPPED, inbox=INBOX) as seen:
        await seen.press("W", "g")
        following = replace(stop, stop=replace(stop.stop, id=10, offset=17_000))
        await seen.shows(replace(STOPPED, tracing=replace(STOPPED.tracing, stop=following)))
        assert node_of(seen) == "PriceOrder"
        assert "orders[1]@17000" in seen.text


async def test_a_flow_that_has_not_stopped_says_how_to_stop_it() -> None:
    async with bench(values.running(), inbox=InboxValue()) as seen:
        await seen.press("W")
        assert isinstance(seen.app.screen, StopScreen)
        assert "The flow has not stopped." in seen.text


async def test_pausing_on_error_is_chosen_and_shown() -> None:
    async with bench(values.running()) as seen:
        await seen.press("x")
        assert seen.session.asked("set_pause_on_error") == [(True,)]
        await seen.shows(replace(values.running(), tracing=TracingView(pause_on_error=True)))
        assert "pauses on error" in seen.text
        await seen.press("x")
        assert seen.session.asked("set_pause_on_error") == [(True,), (False,)]
