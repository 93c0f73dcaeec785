"""Hostile texts in every field, on every screen: nothing crashes, acts, or reaches a cell raw."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from loom_bench.session.value import Notice
from loom_bench.tui.app import WorkbenchApp
from loom_bench.tui.footer import MAIN
from loom_bench.tui.panels.pages import PAGES
from loom_bench.tui.panels.spec import PanelSpec
from loom_bench.tui.screens import SCREENS
from tests.tui import values
from tests.tui.hostile import HOSTILE, HUGE, huge, infected
from tests.tui.scripted_session import ScriptedSession
from tests.tui.seen import shown_text

_RAW = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")

# Narrow columns show only a text's start, so those that could do most come first in turn.
_ALONE = ("closing tag", "action", "escape", "c1", "bidi", "nul", "newlines", "surrogates", "deep")

_HARMLESS = {"watch_samples", "snapshots.open", "snapshots.show_state", "snapshots.show_key"}


def _raw_characters(text: str) -> set[str]:
    return {
        f"U+{ord(character):04X}"
        for character in text
        if character != "\n" and unicodedata.category(character) in _RAW
    }


async def _tour(pilot: Pilot[None], app: WorkbenchApp) -> None:
    """Go to every panel, dialog and full screen, and look at what is painted there."""
    tour = ["v", "v", "j", "f", "u", "n", "enter", "escape"]
    for number in range(1, len(PAGES) + 1):
        tour += [str(number), "enter", "escape", "l", "y"]
    tour += ["8", "tab", "enter", "escape", "c", "l", "escape", "b", "escape", "o", "escape"]
    await _press_all(pilot, app, tour)
    for spec in SCREENS:
        app.show_screen(spec.id)
        await pilot.pause()
        for _ in app.front.parts():
            await _press_all(pilot, app, ("j", "enter", "escape"))
            app.show_screen(spec.id)  # escape may have left it
            await _press_all(pilot, app, ("tab",))
        app.show_screen(MAIN)
        await pilot.pause()


async def _press_all(pilot: Pilot[None], app: WorkbenchApp, keys: Sequence[str]) -> None:
    for key in keys:
        await pilot.press(key)
        assert not _raw_characters(_strips(app)), key


def _strips(app: WorkbenchApp) -> str:
    """Every strip that is painted, before Rich turns control characters into something else."""
    painted = app.screen._compositor.render_strips()
    return "\n".join(strip.text for strip in painted)


@pytest.mark.asyncio
@pytest.mark.parametrize("shift", [0, 3, 6])
async def test_nothing_hostile_gets_through(shift: int) -> None:
    await _shown_to([HOSTILE[name] for name in _ALONE], shift)


@pytest.mark.asyncio
async def test_nothing_of_all_that_is_hostile_gets_through() -> None:
    await _shown_to([" ".join(HOSTILE.values())], 0)


async def _shown_to(texts: Sequence[str], shift: int) -> None:
    value = infected(values.failing(), texts, shift)
    notices = (Notice(number=1, text=texts[shift], severity=texts[shift]),)
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
    value = infected(values.failing(), [HOSTILE["action"]])
    session = ScriptedSession(value)
    app = WorkbenchApp(session)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        for y in range(3, 34, 5):
            for x in (4, 24, 64, 90):
                await pilot.click(offset=(x, y))
    assert {call[0] for call in session.calls} <= _HARMLESS


_PANELS = [panel for page in PAGES for panel in page.panels]


@pytest.mark.parametrize("panel", _PANELS, ids=lambda panel: panel.id)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_every_panel_tells_of_hostile_rows(panel: PanelSpec[Any], text: str) -> None:
    """A panel that shows none of the rows that the other tests spoil would not be tested there."""
    value = infected(values.failing(), [text])
    items = panel.items(value)
    assert items
    told = (
        panel.summary(value),
        *panel.empty(value),
        panel.form.cells(items[0], value.at_ms),
        *panel.detail(items[0], value),
    )
    assert all(isinstance(run, str) for line in told for run, _ in line)
    assert panel.fields(items[0]).keys() >= set(panel.names)


@pytest.mark.asyncio
@pytest.mark.parametrize("shift", [0, 2])
async def test_texts_of_ten_megabytes_keep_nobody_waiting(shift: int) -> None:
    texts = [*HUGE.values()]
    session = ScriptedSession(huge(values.failing(), [*texts[shift:], *texts[:shift]]))
    app = WorkbenchApp(session)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        before_s = time.process_time()
        await _tour(pilot, app)
        # Sixty screens in about 6 s; a single pass over all texts at each would take minutes.
        assert time.process_time() - before_s < 20
