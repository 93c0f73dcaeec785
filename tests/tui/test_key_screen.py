"""One key: the values that it had, and why it has one of them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from loom_bench.tui.timeline.screen import TimelineScreen
from loom_bench.tui.timeline.spans import parse_span
from tests.tui import snapshot_values, values
from tests.tui.running_app import bench

asynchronous = pytest.mark.asyncio


@asynchronous
async def test_a_key_of_the_state_leads_to_its_history_and_back_to_an_epoch() -> None:
    async with bench(values.running()) as seen:
        await seen.press("T", "enter", *"jjj", "enter")
        assert seen.session.asked("snapshots.show_key") == [("CountCustomer", "customer-3")]
        assert "customer-3  11 values" in seen.text
        assert "orders 720 > 723, cents 324000 > 325350" in seen.text
        await seen.press("k", "enter")
        front = seen.app.front
        assert isinstance(front, TimelineScreen)
        assert front.chosen is not None
        assert front.chosen.number == 237


@asynchronous
async def test_another_programs_pickles_are_decoded_once_that_was_said_twice() -> None:
    async with bench(values.running()) as seen:
        await seen.press("f4", "d")
        assert "No value here is another program's pickle" in seen.text
        history = snapshot_values.running().history
        assert history is not None
        rows = tuple(replace(row, readable=False, text="shop.Order(...)") for row in history.rows)
        foreign = replace(snapshot_values.running(), history=replace(history, rows=rows))
        await seen.shows(replace(values.running(), snapshots=foreign))
        await seen.press("d")
        assert "runs code of the program that wrote it" in seen.text
        await seen.press("enter")
        assert not seen.session.asked("snapshots.decode_key")
        await seen.press("d", "j", "enter")
        assert seen.session.asked("snapshots.decode_key") == [("CountCustomer", "customer-3")]


@asynchronous
async def test_why_a_value_is_so_is_asked_for_between_it_and_the_one_before() -> None:
    async with bench(values.running()) as seen:
        await seen.press("f4", "k", "w")
        assert seen.session.asked("snapshots.explain") == [
            ("CountCustomer", "customer-3", 234, 237)
        ]
        assert "3 found among 612 replayed" in seen.text
        await seen.press("enter")
        assert "What differs" in seen.text
        assert "o-4711" in seen.text
        await seen.press("escape", "W")
        assert "1-237" in seen.text
        await seen.press("ctrl+u", *"230-220", "enter")
        assert seen.session.asked("snapshots.explain")[-1][2:] == (220, 230)
        await seen.press("x")
        assert seen.session.asked("snapshots.cancel") == [()]


@asynchronous
async def test_progress_and_failure_of_the_search_are_told() -> None:
    searching = replace(
        snapshot_values.running(), why=replace(snapshot_values.why(running=True), touches=())
    )
    async with bench(replace(values.running(), snapshots=searching)) as seen:
        await seen.press("f4")
        assert "x calls it off" in seen.text
        await seen.shows(values.failing())
        await seen.press()
        assert "does not load: NameError: catalog" in seen.text


@asynchronous
async def test_without_a_key_it_says_where_to_choose_one() -> None:
    store = replace(snapshot_values.running(), history=None, why=None)
    async with bench(replace(values.running(), snapshots=store)) as seen:
        await seen.press("f4")
        assert "No key was looked at yet" in seen.text
        await seen.press("w")
        assert "There is no value to explain" in seen.text
        await seen.press("slash", *"CountCustomer customer-9", "enter")
        assert seen.session.asked("snapshots.show_key") == [("CountCustomer", "customer-9")]


@pytest.mark.parametrize(
    ("typed", "span"),
    [("120-180", (120, 180)), (" 9 - 3 ", (3, 9)), ("12", None), ("a-b", None), ("", None)],
)
def test_two_epochs_are_typed_as_a_span(typed: str, span: tuple[int, int] | None) -> None:
    assert parse_span(typed) == span
