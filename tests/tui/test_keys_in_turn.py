"""Keys that are typed ahead meet the screens that the keys before them open."""

from __future__ import annotations

import asyncio
import unicodedata

import pytest
from textual import events

from loom_bench.tui.compare.screen import CompareScreen
from loom_bench.tui.timeline.screen import TimelineScreen
from tests.tui import values
from tests.tui.running_app import Bench, bench

asynchronous = pytest.mark.asyncio


def types_ahead(seen: Bench, *keys: str) -> None:
    """Have all *keys* arrive before the first of them is looked at."""
    for key in keys:
        typed = key if len(key) == 1 else None
        name = key
        if typed is not None and not typed.isalnum():
            name = unicodedata.name(typed).lower().replace("-", "_").replace(" ", "_")
        seen.app.post_message(events.Key(name, typed))


async def _comes(seen: Bench, command: str) -> list[tuple[object, ...]]:
    async with asyncio.timeout(30):
        while not (asked := seen.session.asked(command)):
            await seen.pilot.pause()
    return asked


@asynchronous
async def test_enter_right_behind_the_key_that_opens_a_comparison_begins_it() -> None:
    async with bench(values.running()) as seen:
        types_ahead(seen, "T", "k", "d", "enter")
        ((request,),) = await _comes(seen, "snapshots.compare")
        assert getattr(request, "epoch", None) == 239
        assert isinstance(seen.app.front, CompareScreen)


@asynchronous
async def test_a_name_right_behind_the_key_that_asks_for_it_stands_in_the_field() -> None:
    async with bench(values.running()) as seen:
        types_ahead(seen, "T", "k", "k", "f", *"my-fork", "enter")
        (asked,) = await _comes(seen, "snapshots.fork")
        assert "my-fork" in str(asked)


@asynchronous
async def test_keys_go_through_screens_lists_and_dialogs_and_back() -> None:
    async with bench(values.running()) as seen:
        types_ahead(seen, "T", "f8", "j", "enter", *"records < 9", "enter", "g", "enter")
        types_ahead(seen, "escape", "T", "O", *"store", "escape", "f", "enter")
        await _comes(seen, "snapshots.fork")
        ((request,),) = seen.session.asked("snapshots.bisect")
        assert getattr(request, "expression", None) == "records < 9"
        assert isinstance(seen.app.front, TimelineScreen)
        assert seen.session.asked("snapshots.open") == []
