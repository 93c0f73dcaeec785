"""Keys that reach the session, and answers to those that make no sense now."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from loom_bench.session.value import FeedView, Phase, SessionValue
from tests.tui import values
from tests.tui.running_app import bench

pytestmark = pytest.mark.asyncio

PAUSED = values.in_phase(Phase.PAUSED)

EXTERNAL: dict[str, Any] = {"kind": "external", "owned": False, "writable": False}


@pytest.mark.parametrize(
    ("key", "asked", "value"),
    [
        ("p", ("pause",), values.running()),
        ("p", ("resume",), PAUSED),
        ("p", ("resume",), values.in_phase(Phase.STOPPED)),
        ("s", ("step_batch",), PAUSED),
        ("r", ("reload",), values.running()),
        ("m", ("set_manual_reload", True), values.running()),
        ("m", ("set_manual_reload", False), replace(values.running(), manual_reload=True)),
        ("D", ("drain",), values.running()),
        ("F", ("finish",), values.running()),
        ("R", ("restart",), values.running()),
        ("K", ("kill",), values.running()),
        ("plus", ("set_feed_rate", 2400.0), values.running()),
        ("minus", ("set_feed_rate", 600.0), values.running()),
        ("asterisk", ("set_feed_rate", None), values.running()),
        ("0", ("set_feed_rate", 0.0), values.running()),
    ],
)
async def test_a_key_asks_the_session(
    key: str, asked: tuple[object, ...], value: SessionValue
) -> None:
    async with bench(value) as seen:
        await seen.press(key)
        assert seen.session.asked(str(asked[0])) == [asked[1:]]


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("s", values.running(), "A step needs a paused flow"),
        ("c", values.running(), "There is nothing to decide"),
        ("D", values.in_phase(Phase.STOPPED), "Nothing runs"),
        ("K", values.in_phase(Phase.FAILED), "Nothing runs"),
        ("plus", replace(values.running(), feed=FeedView()), "define bench_feed()"),
        ("n", values.running(), "No node fails"),
    ],
)
async def test_a_key_that_makes_no_sense_now_says_why(
    key: str, value: SessionValue, why: str
) -> None:
    async with bench(value) as seen:
        await seen.press(key)
        assert why in seen.text
    assert {call[0] for call in seen.session.calls} <= {"watch_samples"}


async def test_a_feed_that_was_stopped_goes_on_as_before() -> None:
    value = values.running()
    async with bench(value) as seen:
        await seen.press("0")
        await seen.shows(replace(value, feed=replace(value.feed, rate_per_s=0.0)))
        await seen.press("0")
        assert seen.session.asked("set_feed_rate") == [(0.0,), (1200.0,)]


async def test_nothing_is_fed_into_a_broker_that_is_not_ours() -> None:
    value = values.running()
    value = replace(value, broker=replace(value.broker, **EXTERNAL))
    async with bench(value) as seen:
        await seen.press("a", "plus")
        assert "Nothing is fed into a broker" in seen.text
        assert not seen.editor.commands
        assert not seen.session.asked("set_feed_rate")


async def test_writes_to_a_broker_of_the_users_are_allowed_by_typing_its_address() -> None:
    value = values.running()
    value = replace(value, broker=replace(value.broker, **EXTERNAL))
    address = value.broker.bootstrap
    async with bench(value) as seen:
        await seen.press("w", *address[:-1], "enter")
        assert not seen.session.asked("allow_writes")
        await seen.press(address[-1], "enter")
        assert seen.session.asked("allow_writes") == [(address,)]
        allowed = replace(value, broker=replace(value.broker, writable=True))
        await seen.shows(allowed)
        assert "writes allowed" in seen.text
        await seen.press("plus")
        assert seen.session.asked("set_feed_rate")


async def test_an_image_that_is_pulled_is_watched_and_can_be_called_off() -> None:
    value = values.running()
    pulling: dict[str, Any] = {
        "opening": "pulling apache/kafka:4.4.0: 34 of 180 MB",
        "progress": 0.25,
    }
    async with bench(value) as seen:
        await seen.shows(replace(value, broker=replace(value.broker, **pulling)))
        assert "going over [===         ] 25%  pulling apache/kafka" in seen.text
        await seen.press("b")
        assert "34 of 180 MB" in seen.text
        await seen.press("enter")
        assert seen.session.asked("switch_broker") == [(None,)]


async def test_a_click_on_a_key_at_the_bottom_does_what_the_key_does() -> None:
    async with bench(values.running()) as seen:
        column = seen.rows[-1].index("pause")
        await seen.pilot.click(offset=(column, 35))
        await seen.pilot.pause()
        assert seen.session.asked("pause") == [()]


async def test_a_command_is_found_by_its_name() -> None:
    async with bench(values.running()) as seen:
        await seen.press("colon", *"finish")
        await seen.app.workers.wait_for_complete()
        await seen.press("enter")
        assert seen.session.asked("finish") == [()]


async def test_the_session_is_closed_once_the_flow_has_drained() -> None:
    async with bench(values.running()) as seen:
        await seen.press("q")
        assert seen.session.asked("drain") == [()]
        await seen.shows(values.in_phase(Phase.DRAINING))
        assert "what was read is written and committed" in seen.text
        assert not seen.session.asked("close")
        await seen.shows(values.in_phase(Phase.STOPPED))
        await seen.app.workers.wait_for_complete()
        assert seen.session.asked("close") == [()]
    assert not seen.session.asked("kill")


async def test_quitting_can_be_taken_back() -> None:
    async with bench(values.running()) as seen:
        await seen.press("q", "escape")
        await seen.shows(values.in_phase(Phase.STOPPED))
        assert not seen.session.asked("close")
        assert "STOPPED" in seen.text


async def test_quitting_at_once_kills() -> None:
    async with bench(values.running()) as seen:
        await seen.press("q", "Q")
        await seen.app.workers.wait_for_complete()
        assert [call[0] for call in seen.session.calls][-2:] == ["kill", "close"]


async def test_a_session_that_cannot_be_closed_is_told_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with bench(values.running()) as seen:

        def close() -> None:
            raise OSError("the broker does not end")

        monkeypatch.setattr(seen.session, "close", close)
        await seen.press("Q")
        await seen.pilot.pause()
    assert seen.app.return_code == 1
