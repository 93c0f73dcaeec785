"""How things look: figures, colours, characters, themes; and names that Textual has taken."""

from __future__ import annotations

import inspect
import pkgutil
import re
from importlib import import_module

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.app import App
from textual.dom import DOMNode
from textual.message_pump import MessagePump
from textual.screen import Screen
from textual.scroll_view import ScrollView
from textual.widget import Widget

import loom_bench.tui
from loom_bench.session.value import NodeView, SessionValue
from loom_bench.tui.figures import (
    age_text,
    bytes_text,
    clock_text,
    count_text,
    history_text,
    millis_text,
    rate_text,
    seconds_text,
    trend_text,
)
from loom_bench.tui.health import Health, health_of
from loom_bench.tui.ink import fitted
from loom_bench.tui.panels.pages import PAGES
from loom_bench.tui.theme import DARK, LIGHT, ink_styles
from tests.tui import values
from tests.tui.running_app import bench


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (count_text(0), "0"),
        (count_text(9_999), "9999"),
        (count_text(12_345), "12.3k"),
        (count_text(999_999), "1000k"),
        (count_text(1_204_411), "1.2M"),
        (rate_text(0.0), "0"),
        (rate_text(0.44), "0.4"),
        (rate_text(52.4), "52"),
        (millis_text(None), "-"),
        (millis_text(0.0004), "0.4us"),
        (millis_text(0.3), "300us"),
        (millis_text(4.25), "4.2ms"),
        (millis_text(240.0), "240ms"),
        (millis_text(12_000.0), "12s"),
        (seconds_text(4.9), "4s"),
        (seconds_text(125), "2m05s"),
        (seconds_text(3 * 3600 + 12 * 60), "3h12m"),
        (seconds_text(52 * 3600), "2d04h"),
        (age_text(None, 5), "-"),
        (bytes_text(812), "812 B"),
        (bytes_text(48 << 20), "48 MiB"),
        (history_text((0, 1, 5, 10), 6), "   .╷┃"),
        (history_text((), 3), "   "),
        (trend_text((1, 1, 1, 9, 9, 9)), "grows"),
        (trend_text((9, 9, 9, 1, 1, 1)), "falls"),
        (trend_text((5, 6, 5, 6, 5, 6)), "steady"),
        (trend_text((1, 2)), ""),
    ],
)
def test_figures_are_short(shown: str, expected: str) -> None:
    assert shown == expected


def test_a_time_is_told_by_the_clock_where_one_goes() -> None:
    assert clock_text(1_700_000_000_123) == "22:13:20.123"
    assert clock_text(10**22) == str(10**22)


@given(st.integers(0, 10**12 - 1))
def test_counts_never_take_more_than_their_column(count: int) -> None:
    assert len(count_text(count)) <= 5


@given(st.floats(0, 1e9, allow_nan=False))
def test_times_never_take_more_than_their_column(duration_ms: float) -> None:
    assert len(millis_text(duration_ms)) <= 6


@given(st.text(), st.integers(0, 30), st.booleans(), st.integers(0, 10))
def test_a_cell_is_as_wide_as_its_column(text: str, width: int, right: bool, skip: int) -> None:
    from loom_bench.safe import cell_width  # noqa: PLC0415

    assert cell_width(fitted(text, width, right=right, skip=skip)) == width


@pytest.mark.parametrize(
    ("view", "health"),
    [
        (None, Health.IDLE),
        (NodeView(id="n"), Health.IDLE),
        (NodeView(id="n", records_in=1), Health.WELL),
        (NodeView(id="n", records_in=1, busy_share=0.6), Health.SLOW),
        (NodeView(id="n", records_in=1, busy_share=0.6, errors=1), Health.FAILING),
    ],
)
def test_health_is_told_from_counters(view: NodeView | None, health: Health) -> None:
    assert health_of(view) is health


def test_both_themes_have_every_ink() -> None:
    assert ink_styles(DARK).keys() == ink_styles(LIGHT).keys()


@pytest.mark.asyncio
async def test_the_theme_is_changed_with_a_key() -> None:
    async with bench(values.running()) as seen:
        dark = seen.app.export_screenshot()
        await seen.press("t")
        assert seen.app.export_screenshot() != dark
        await seen.press("t")
        assert seen.app.theme == DARK.name


_BOX_DRAWING = range(0x2500, 0x2580)


@pytest.mark.asyncio
@pytest.mark.parametrize("size", [(80, 24), (160, 45)], ids=["small", "large"])
async def test_box_drawing_is_all_that_is_needed(size: tuple[int, int]) -> None:
    keys = ["v", "n", *(str(number) for number in range(1, len(PAGES) + 1)), "enter", "escape"]
    keys += ["c", "escape", "b", "escape", "o", "escape", "question_mark", "escape", "slash"]
    keys += ["escape", "colon"]
    async with bench(values.flooded(), size=size) as seen:
        for key in keys:
            await seen.press(key)
            odd = {
                character
                for character in seen.text
                if not character.isascii() and ord(character) not in _BOX_DRAWING
            }
            assert odd <= {"…"}, key


@pytest.mark.asyncio
@pytest.mark.parametrize("size", [(80, 24), (40, 12), (20, 6), (300, 100)])
@pytest.mark.parametrize("value", [values.opening(), values.flooded()], ids=["opening", "flooded"])
async def test_every_size_is_survived(size: tuple[int, int], value: SessionValue) -> None:
    async with bench(value, size=size) as seen:
        for key in ("v", "2", "8", "z", "tab", "c", "escape", "question_mark"):
            await seen.press(key)
        await seen.pilot.resize_terminal(100, 30)
        assert seen.text


def test_no_private_name_of_textuals_is_taken() -> None:
    """A private attribute of ours that Textual has, too, breaks it in ways that are hard to see."""
    theirs = {
        name
        for base in (App, Screen, Widget, ScrollView, DOMNode, MessagePump)
        for name in _private_names(base)
    }
    ours = {
        f"{name} in {module.name}"
        for module in pkgutil.walk_packages(loom_bench.tui.__path__, "loom_bench.tui.")
        for cls in vars(import_module(module.name)).values()
        if inspect.isclass(cls) and cls.__module__ == module.name and issubclass(cls, MessagePump)
        for name in _private_names(cls) & theirs
    }
    assert not ours


def _private_names(cls: type) -> set[str]:
    source = inspect.getsource(cls)
    defined = re.findall(r"def (_[a-z]\w*)\(self", source)
    return {*defined, *re.findall(r"self\.(_[a-z]\w*)(?::[^=\n]+)? = ", source)}
