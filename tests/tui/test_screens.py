"""Full screens besides the main one: coming, going, own keys, what all of them share."""

from __future__ import annotations

import pytest

from loom_bench.tui.actions import ACTIONS, BY_ID
from loom_bench.tui.full_screen import FullScreen
from loom_bench.tui.screens import SCREENS
from tests.tui import values
from tests.tui.example_screen import EXAMPLE, OTHER, ExampleScreen
from tests.tui.running_app import Bench, bench

asynchronous = pytest.mark.asyncio


async def _opened(seen: Bench) -> ExampleScreen:
    seen.app.show_screen(EXAMPLE.id)
    await seen.press()
    screen = seen.app.front
    assert isinstance(screen, ExampleScreen)
    return screen


def test_a_screen_is_opened_by_an_action_and_its_keys_are_in_the_registry() -> None:
    screens = {spec.id for spec in SCREENS}
    assert {f"view.{screen_id}" for screen_id in screens} <= BY_ID.keys()
    assert screens <= {action.where for action in ACTIONS}
    assert {action.where for action in ACTIONS} <= screens | {
        "app",
        "screen",
        "list",
        "graph",
        "stepping",
    }


def _in_front(seen: Bench) -> FullScreen:
    return seen.app.front


@asynchronous
async def test_a_screen_shows_status_and_keys_and_its_badge_is_seen_everywhere() -> None:
    async with bench(values.running(), screens=(EXAMPLE,)) as seen:
        assert "commits 100" in seen.rows[1]
        await _opened(seen)
        assert "RUNNING" in seen.rows[0]
        assert "commits 100" in seen.rows[1]
        assert "w count" in seen.rows[-1]
        assert "f2 main" in seen.rows[-1]
        assert "trouble" not in seen.rows[-1]


@asynchronous
async def test_keys_of_its_own_work_on_it_alone() -> None:
    async with bench(values.running(), screens=(EXAMPLE,)) as seen:
        screen = await _opened(seen)
        await seen.press("w", "tab", "w")
        assert screen.counted == 2
        await seen.pilot.click(offset=(seen.rows[-1].index("count"), 35))
        await seen.press()
        assert screen.counted == 3
        await seen.press("f2", "w")
        assert screen.counted == 3
        assert _in_front(seen) is seen.app.main


@asynchronous
async def test_escape_drops_its_filter_first_and_then_leaves() -> None:
    async with bench(values.running(), screens=(EXAMPLE,)) as seen:
        await _opened(seen)
        await seen.press("slash", *"offset:16020", "enter")
        assert "1 match" in seen.text
        await seen.press("escape")
        assert isinstance(_in_front(seen), ExampleScreen)
        await seen.press("escape")
        assert _in_front(seen) is seen.app.main
        await seen.press("6", "escape")
        assert _in_front(seen) is seen.app.main


@asynchronous
async def test_what_works_everywhere_works_there_and_panels_lead_back() -> None:
    async with bench(values.running(), screens=(EXAMPLE, OTHER)) as seen:
        await _opened(seen)
        await seen.press("p", "enter")
        assert seen.session.asked("pause") == [()]
        assert "problem       none" in seen.text
        seen.app.show_screen(OTHER.id)  # not behind a dialog
        await seen.press("escape")
        seen.app.show_screen(OTHER.id)
        await seen.press()
        await seen.press("4")
        assert _in_front(seen) is seen.app.main
        assert seen.app.main.pages.active == "ledger"


@asynchronous
async def test_only_what_is_in_front_is_drawn() -> None:
    value = values.running()
    async with bench(value, screens=(EXAMPLE,)) as seen:
        screen = await _opened(seen)
        shown = seen.app.main.newest
        await seen.shows(values.failing())
        assert seen.app.main.newest is shown
        assert screen.newest is not value
        await seen.press("escape")
        assert "x r3 refused" in seen.text
