"""Hostile texts in every field, on every screen: nothing crashes, acts, or reaches a cell raw."""

from __future__ import annotations

import time
import unicodedata

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from loom_bench.session.value import Notice
from loom_bench.tui.app import WorkbenchApp
from loom_bench.tui.panels.pages import PAGES
from tests.tui import values
from tests.tui.hostile import HOSTILE, HUGE, huge, infected
from tests.tui.scripted_session import ScriptedSession
from tests.tui.seen import shown_text

_RAW = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")

# Narrow columns show only a text's start, so those that could do most come first in turn.
_ALONE = ("closing tag", "action", "escape", "c1", "bidi", "nul", "newlines", "surrogates", "deep")

_HARMLESS = {"watch_samples"}


def _raw_characters(text: str) -> set[str]:
    return {
        f"U+{ord(character):04X}"
        for character in text
        if character != "\n" and unicodedata.category(character) in _RAW
    }


async def _tour(pilot: Pilot[None], app: WorkbenchApp) -> None:
    """Go to every panel and dialog, and look at what is painted there."""
    tour = ["v", "v", "j", "f", "u", "n", "enter", "escape"]
    for number in range(1, len(PAGES) + 1):
        tour += [str(number), "enter", "escape", "l", "y"]
    tour += ["8", "tab", "enter", "escape", "c", "l", "escape", "b", "escape", "o", "escape"]
    for key in tour:
        await pilot.press(key)
        assert not _raw_characters(_strips(app)), key


def _strips(app: WorkbenchApp) -> str:
    """Every strip that is painted, before Rich turns control characters into something else."""
    painted = app.screen._compositor.render_strips()
    return "\n".join(strip.text for strip in painted)


@pytest.mark.asyncio
@pytest.mark.parametrize("name", [*_ALONE, "all of them"])
async def test_nothing_hostile_gets_through(name: str) -> None:
    text = HOSTILE.get(name, " ".join(HOSTILE.values()))
    value = infected(values.failing(), text)
    notices = (Notice(number=1, text=text, severity=text),)
    session = ScriptedSession(replace(value, notices=notices))
    app = WorkbenchApp(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await _tour(pilot, app)
        await pilot.resize_terminal(160, 45)
        await pilot.pause()
        assert not _raw_characters(shown_text(app))
    assert {call[0] for call in session.calls} <= _HARMLESS


@pytest.mark.asyncio
async def test_a_click_on_hostile_markup_runs_nothing() -> None:
    value = infected(values.failing(), HOSTILE["action"])
    session = ScriptedSession(value)
    app = WorkbenchApp(session)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        for y in range(3, 34, 3):
            for x in (4, 20, 40, 64, 80, 100):
                await pilot.click(offset=(x, y))
    assert {call[0] for call in session.calls} <= _HARMLESS


@pytest.mark.asyncio
@pytest.mark.parametrize("name", HUGE)
async def test_texts_of_ten_megabytes_keep_nobody_waiting(name: str) -> None:
    session = ScriptedSession(huge(values.failing(), HUGE[name]))
    app = WorkbenchApp(session)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        before_s = time.process_time()
        await _tour(pilot, app)
        # Sixty screens in about 6 s; a single pass over all texts at each would take minutes.
        assert time.process_time() - before_s < 20
