"""A bisection: what is to hold, between which epochs, its looks and what it found."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from loom_bench.session.snapshots.bisection_value import Bisection, BisectPhase, BisectRequest
from loom_bench.session.value import SessionValue
from loom_bench.tui.bisect.screen import EXAMPLE
from loom_bench.tui.timeline.screen import TimelineScreen
from tests.tui import replay_values, snapshot_values, values
from tests.tui.running_app import Bench, bench

asynchronous = pytest.mark.asyncio


def _with(bisection: Bisection | None) -> SessionValue:
    snapshots = replace(snapshot_values.running(), bisection=bisection)
    return replace(values.running(), snapshots=snapshots)


def _requests(seen: Bench) -> list[BisectRequest]:
    return [request for (request,) in seen.session.asked("snapshots.bisect")]


@asynchronous
async def test_an_expression_is_typed_and_looked_for_between_two_epochs_of_the_timeline() -> None:
    async with bench(_with(None)) as seen:
        await seen.press("T", "M", "b", "M", "M", "o", "f8", "enter")
        assert "Say first what holds" in seen.text
        await seen.press("j", "enter", *"records < 9", "enter", "g", "enter")
        assert _requests(seen) == [
            BisectRequest(expression="records < 9", good_epoch=160, bad_epoch=201)
        ]


def test_the_example_is_told_before_there_is_the_key_and_after() -> None:
    for keys, holds in (({}, True), ({"UA": {"late": 9}}, True), ({"UA": {"late": 900}}, False)):
        assert eval(EXAMPLE, {"state": {"TrackCarrier": keys}}) is holds


@asynchronous
async def test_a_pytest_a_revision_and_other_epochs_are_chosen() -> None:
    async with bench(_with(None)) as seen:
        await seen.press("f8", "j", "l", "enter", *"test_it.py", "enter")
        await seen.press("j", "l", "enter", "ctrl+u", *"12", "enter", "j", "h", "j", "l")
        await seen.press("g", "enter")
        assert _requests(seen) == [
            BisectRequest(pytest="test_it.py", good_epoch=12, bad_epoch=239, revision="77b0e2")
        ]


@asynchronous
async def test_what_was_found_is_told_with_its_runs_and_gone_to() -> None:
    async with bench(_with(replay_values.bisection())) as seen:
        await seen.press("f8")
        assert "FOUND" in seen.text
        assert "8 looks, 2 of them replays" in seen.text
        assert "orders[1]@16790" in seen.text
        await seen.press("v")
        front = seen.app.front
        assert isinstance(front, TimelineScreen)
        assert front.chosen is not None
        assert front.chosen.number == 161


@asynchronous
async def test_a_search_tells_how_far_it_is_and_is_called_off() -> None:
    searching = replace(replay_values.bisection(), phase=BisectPhase.RECORDS, found=None)
    async with bench(_with(replace(searching, records_left=70))) as seen:
        await seen.press("f8", "v")
        assert "among records" in seen.text
        assert "70 records between" in seen.text
        assert "Nothing was found yet" in seen.text
        await seen.press("x")
        assert seen.session.asked("snapshots.cancel") == [()]
        await seen.shows(_with(replay_values.failed_bisection()))
        await seen.press()
        assert "KeyError: 'CountCustomr'" in seen.text
