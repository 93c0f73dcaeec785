"""Lists: following, holding, filtering, details; what was left out; what an empty one says."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from textual import events

from loom_bench.session.value import SessionValue
from loom_bench.tui.panels.pages import PAGES
from loom_bench.tui.panels.spec import PageSpec
from tests.tui import values
from tests.tui.running_app import bench

pytestmark = pytest.mark.asyncio


def _with_more_logs(value: SessionValue, *texts: str) -> SessionValue:
    line = value.logs[-1]
    more = tuple(replace(line, text=text) for text in texts)
    logs = (*value.logs, *more)[-60:]
    return replace(value, logs=logs, logs_seen=value.logs_seen + len(more), logs_left_out=3)


async def test_the_newest_line_is_followed() -> None:
    value = values.running()
    async with bench(value) as seen:
        await seen.press("6")
        await seen.shows(_with_more_logs(value, "the newest of all"))
        assert "the newest of all" in seen.text
        assert "3 of them left out here" in seen.text


async def test_moving_up_holds_the_list_and_the_bottom_follows_again() -> None:
    value = values.running()
    async with bench(value) as seen:
        await seen.press("6", "k")
        assert "HELD" in seen.text
        before = seen.text
        await seen.shows(_with_more_logs(value, *[f"more {n}" for n in range(100)]))
        assert "more" not in seen.text
        assert before.splitlines()[20:30] == seen.text.splitlines()[20:30]
        await seen.press("G")
        assert "more 99" in seen.text
        assert "HELD" not in seen.text


async def test_a_list_is_held_with_the_wheel_and_with_space() -> None:
    async with bench(values.running()) as seen:
        await seen.press("6", "space")
        assert "HELD" in seen.text
        await seen.press("space")
        assert "HELD" not in seen.text
        table = seen.app.main.pages.panels[0].table
        table.post_message(events.MouseScrollUp(table, 5, 5, 0, -1, 0, False, False, False))
        await seen.press()
        assert "HELD" in seen.text


@pytest.mark.parametrize(
    ("typed", "shown", "hidden"),
    [
        ("kind:end", " end ", " start "),
        ("node:checkorder", "CheckOrder", "DropTests"),
        ("scope:write", "CheckOrder", "no such thing"),
        ("trace:00000f", "records", "no such thing"),
        ("records=61 kind:start", "records=61", "records=62"),
        ("22:13", "No events match", "CheckOrder"),
    ],
)
async def test_events_are_filtered_by_their_fields(typed: str, shown: str, hidden: str) -> None:
    async with bench(values.running(), size=(160, 45)) as seen:
        await seen.press("1", "z", "slash", *typed, "enter")
        assert f"filter {typed}" in seen.text
        table = "\n".join(seen.rows[6:])
        assert shown in table
        assert hidden not in table


async def test_a_filter_is_dropped_with_escape() -> None:
    async with bench(values.running()) as seen:
        await seen.press("6", "slash", *"o-4701")
        assert "1 match" in seen.text
        await seen.press("escape")
        assert "filter" not in seen.rows[13]
        await seen.press("slash", *"o-4701", "enter", "escape")
        assert "1 match" not in seen.text


async def test_an_event_leads_to_the_others_of_its_trace() -> None:
    async with bench(values.running()) as seen:
        await seen.press("1", "enter")
        assert "The same trace: 6 events at hand" in seen.text
        await seen.press("escape")
        assert seen.app.main.graph.selected == values.running().events[-1].name


async def test_an_error_shows_its_traceback_and_selects_its_node() -> None:
    async with bench(values.failing()) as seen:
        await seen.press("2", "enter")
        assert "return self.prices[product]" in seen.text
        assert "orders[1]@16790" in seen.text
        await seen.press("escape")
        assert seen.app.main.graph.selected == "PriceOrder"


async def test_the_cursor_stays_with_its_group_when_the_order_changes() -> None:
    value = values.failing()
    async with bench(value) as seen:
        await seen.press("2", "j")
        await seen.shows(replace(value, errors=(value.errors[1], value.errors[0])))
        selected = seen.app.main.pages.panels[0].table.selected
        assert selected is not None
        assert selected.group.node == "CheckOrder"


async def test_a_row_goes_to_the_clipboard_as_safe_text() -> None:
    value = values.running()
    value = replace(value, logs=(replace(value.logs[0], text="\x1b]0;x\x07 [b]"),))
    async with bench(value) as seen:
        await seen.press("6", "y")
        assert seen.app.clipboard.endswith("\\x1b]0;x\\x07 [b]")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.id)
@pytest.mark.parametrize("value", [values.opening(), values.empty()], ids=["opening", "loaded"])
async def test_an_empty_panel_says_so(page: PageSpec, value: SessionValue) -> None:
    number = PAGES.index(page) + 1
    async with bench(value, size=(80, 24)) as seen:
        await seen.press(str(number))
        below = "\n".join(seen.rows[10:])
        assert any(word in below for word in ("No ", "no ", "noth", "Noth", "with state", "r1 "))


async def test_tabs_are_changed_by_keys_and_by_clicks() -> None:
    async with bench(values.running(), size=(80, 24)) as seen:
        await seen.press("right_square_bracket")
        assert seen.app.main.pages.active == "errors"
        await seen.press("left_square_bracket", "left_square_bracket")
        assert seen.app.main.pages.active == "problems"
        row = next(index for index, row in enumerate(seen.rows) if "Ledger" in row)
        await seen.pilot.click(offset=(seen.rows[row].index("Ledger"), row))
        assert seen.app.main.pages.active == "ledger"


async def test_ages_are_told_from_the_value() -> None:
    value = values.failing()
    async with bench(value, size=(160, 45)) as seen:
        await seen.press("2", "z")
        await seen.shows(replace(value, at_ms=value.at_ms + 3_600_000))
        assert "1h00m" in seen.text
