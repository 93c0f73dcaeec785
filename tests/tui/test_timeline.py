"""The timeline: epochs chosen, their state browsed and searched, forks asked for."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from loom_bench.session.snapshots.value import SnapshotsValue, StateQuery
from loom_bench.tui.timeline.epochs import find_epoch, index_of
from loom_bench.tui.timeline.folding import FEWEST, folded, row_of
from loom_bench.tui.timeline.quiet_run import QuietRun
from loom_bench.tui.timeline.screen import TimelineScreen
from loom_bench.tui.timeline.strip import strip_picture
from tests.tui import snapshot_values, values
from tests.tui.running_app import Bench, bench

asynchronous = pytest.mark.asyncio


async def shows_store(seen: Bench, snapshots: SnapshotsValue) -> None:
    """Let the session show *snapshots*, and have that drawn."""
    await seen.shows(replace(seen.session.value(), snapshots=snapshots))
    await seen.press()


def _screen(seen: Bench) -> TimelineScreen:
    screen = seen.app.front
    assert isinstance(screen, TimelineScreen)
    return screen


def _chosen(seen: Bench) -> int:
    chosen = _screen(seen).chosen
    assert chosen is not None
    return chosen.number


def _queries(seen: Bench) -> list[StateQuery]:
    return [query for (query,) in seen.session.asked("snapshots.show_state")]


@asynchronous
async def test_a_key_opens_it_at_the_newest_epoch_with_its_state() -> None:
    async with bench(values.running()) as seen:
        await seen.press("T")
        assert "epoch 240 among 240" in seen.text
        assert '{"orders": 723, "cents": 325350}' in seen.text
        assert "r" in seen.rows[5]
        await seen.press("escape")
        assert seen.app.front is seen.app.main


@asynchronous
async def test_a_store_is_opened_when_none_is_and_what_to_do_is_said_when_there_is_none() -> None:
    async with bench(values.empty()) as seen:
        await seen.press("T")
        assert seen.session.asked("snapshots.open") == [(None,)]
        assert "db_dir" in seen.text
        assert "loom-bench run FLOW --store DIR" in seen.text
        await seen.press("O", *"state/other", "enter")
        assert seen.session.asked("snapshots.open")[-1] == ("state/other",)


@asynchronous
async def test_the_state_is_asked_for_where_the_cursor_stops_as_fast_as_it_comes() -> None:
    async with bench(values.running()) as seen:
        await seen.press("T", *"kkkkkk")
        assert _chosen(seen) == 234
        assert [query.epoch for query in _queries(seen)] == [239]
        await shows_store(seen, replace(snapshot_values.running(), page=snapshot_values.page(239)))
        assert [query.epoch for query in _queries(seen)] == [239, 234]
        assert "being read" in seen.text
        await shows_store(seen, replace(snapshot_values.running(), page=snapshot_values.page(234)))
        assert '{"orders": 702, "cents": 315900}' in seen.text


@asynchronous
async def test_keys_come_page_by_page() -> None:
    first = replace(snapshot_values.page(rows=40), more=True)
    store = replace(snapshot_values.running(), page=first)
    async with bench(replace(values.running(), snapshots=store)) as seen:
        await seen.press("T", "tab", "G")
        (query,) = _queries(seen)
        assert (query.epoch, query.after) == (240, "customer-39")
        second = replace(first, query=replace(first.query, after="customer-39"), more=False)
        rows = tuple(replace(row, key=f"more-{row.key}") for row in first.rows)
        await shows_store(seen, replace(store, page=replace(second, rows=rows)))
        await seen.press("G")
        assert "more-customer-39" in seen.text
        assert "80 keys" in seen.text
        assert len(_queries(seen)) == 1


@asynchronous
async def test_another_step_a_search_and_what_changed_are_asked_for() -> None:
    async with bench(values.running()) as seen:
        await seen.press("T", "s")
        assert _queries(seen)[-1].step_id == "CollectBatch"
        await shows_store(
            seen,
            replace(
                snapshot_values.running(),
                page=replace(snapshot_values.page(), query=_queries(seen)[-1]),
            ),
        )
        await seen.press("S")
        assert _queries(seen)[-1].step_id == "CountCustomer"
        await shows_store(seen, snapshot_values.running())
        await seen.press("c")
        assert _queries(seen)[-1].changed_only
        store = replace(snapshot_values.running(), page=snapshot_values.page(changed_only=True))
        await shows_store(seen, store)
        assert "orders 720 > 723" in seen.text
        await seen.press("tab", "slash", "3", "enter")
        assert _queries(seen)[-1].search == "3"
        answered = replace(store.page, query=_queries(seen)[-1], rows=()) if store.page else None
        await shows_store(seen, replace(store, page=answered))
        assert "No key has 3 in it" in seen.text
        await seen.press("escape")
        assert not _screen(seen).state.searching


@asynchronous
async def test_only_whole_epochs_are_looked_into_and_forked() -> None:
    async with bench(values.failing()) as seen:
        await seen.press("T", "k", "f")
        assert "Epoch 239 is not whole: partition 3 has not closed it" in seen.text
        assert "cannot be forked" in seen.text
        assert not _queries(seen)
        assert "the file is cut off" in seen.text
        await seen.press("k", "f", "ctrl+u", *"mine", "enter")
        assert seen.session.asked("snapshots.fork") == [(238, "", "mine", "")]


@asynchronous
async def test_a_fork_of_the_fork_that_is_open() -> None:
    fork = snapshot_values.FORKS[0]
    inside = replace(snapshot_values.timeline(), store=fork.folder)
    store = replace(snapshot_values.running(), timeline=inside)
    async with bench(replace(values.running(), snapshots=store)) as seen:
        await seen.press("T", "M", "M", "f")
        assert "epoch-200-2" in seen.text
        await seen.press("enter")
        assert seen.session.asked("snapshots.fork") == [(200, fork.name, "epoch-200-2", "")]


@asynchronous
async def test_marks_numbers_and_times_are_gone_to() -> None:
    async with bench(values.running()) as seen:
        await seen.press("T", "M")
        assert _chosen(seen) == 201
        await seen.press("M", "M")
        assert _chosen(seen) == 160
        await seen.press("m")
        assert _chosen(seen) == 200
        await seen.press("e", *"17", "enter")
        assert _chosen(seen) == 17
        await seen.press("e", *"22:12:00", "enter")
        assert _chosen(seen) == 80
        await seen.press("e", *"soon", "enter")
        assert "There is no epoch soon" in seen.text
        await seen.press("g", "M")
        assert "Nothing special happened before this epoch" in seen.text
        await seen.pilot.click("#epoch-strip", offset=(1 + 60, 0))
        assert 110 < _chosen(seen) < 130


@asynchronous
async def test_it_stays_where_it_was_put_while_history_goes_on_and_is_thinned() -> None:
    async with bench(values.running()) as seen:
        await seen.press("T", "k", "k")
        assert _chosen(seen) == 238
        timeline = snapshot_values.timeline()
        longer = replace(timeline, epochs=snapshot_values.epochs(250))
        await shows_store(seen, replace(snapshot_values.running(), timeline=longer))
        assert _chosen(seen) == 238
        thinned = replace(timeline, epochs=tuple(e for e in longer.epochs if e.number % 5 == 0))
        await shows_store(seen, replace(snapshot_values.running(), timeline=thinned))
        assert _chosen(seen) == 235
        await seen.press("G")
        assert _chosen(seen) == 250


@asynchronous
async def test_epochs_in_which_nothing_changed_are_one_row_until_they_are_unfolded() -> None:
    async with bench(values.running()) as seen:
        await seen.press("T", "e", *"154", "enter")
        assert "5 epochs, 2s: nothing changed since 150" in seen.text
        assert "epochs 150 to 154 among 240 epochs" in seen.text
        await seen.press("k")
        assert _chosen(seen) == 149
        await seen.press("j", "u", "k")
        assert _chosen(seen) == 153
        assert "nothing changed since 150" not in seen.text
        await seen.press("u")
        assert "epochs 150 to 154 among 240 epochs" in seen.text
        await seen.press("e", *"52", "enter")
        assert _chosen(seen) == 52
        await seen.press("e", *"60", "enter", "u")
        assert "Something changed in this epoch" in seen.text


@given(
    quiet=st.lists(st.booleans(), max_size=40),
    unfolded=st.lists(st.integers(0, 40), max_size=3),
    wanted=st.integers(0, 39),
)
def test_every_epoch_stands_in_one_row(quiet: list[bool], unfolded: list[int], wanted: int) -> None:
    one = replace(snapshot_values.epochs(1)[0], marks=(), keys_changed=0)
    epochs = [
        replace(one, number=n, records=0 if is_quiet else 1) for n, is_quiet in enumerate(quiet)
    ]
    rows = tuple(folded(epochs, unfolded))
    numbers = [n for row in rows for n in range(getattr(row, "first", row.number), row.number + 1)]
    assert numbers == list(range(len(quiet)))
    for row in rows:
        if isinstance(row, QuietRun):
            assert row.count == row.number - row.first + 1 >= FEWEST
            assert not set(unfolded) & set(range(row.first, row.number + 1))
    if wanted < len(rows):
        row = rows[row_of(rows, wanted)]
        assert getattr(row, "first", row.number) <= wanted <= row.number


@asynchronous
async def test_a_hundred_thousand_epochs_are_moved_over_at_once() -> None:
    async with bench(values.flooded(), size=(160, 45)) as seen:
        await seen.press("T")
        before_s = time.process_time()
        await seen.press(*["pageup"] * 10, *"kjkjkjkjkj", "g", "G", "g")
        # A thirtieth of a second each; one that looks at every epoch at every key takes ten times.
        assert time.process_time() - before_s < 10
        assert _chosen(seen) == 1


@asynchronous
async def test_a_list_is_zoomed_and_the_zoom_goes_along() -> None:
    async with bench(values.running(), size=(80, 24)) as seen:
        await seen.press("T", "z")
        assert "what happened" in seen.text
        assert "CountCustomer" not in seen.text
        await seen.press("tab")
        assert "what happened" not in seen.text
        assert "customer-12" in seen.text
        await seen.press("z")
        assert "what happened" in seen.text


@given(count=st.integers(0, 400), cells=st.integers(0, 200))
def test_every_cell_of_the_strip_leads_to_an_epoch_that_stands_in_it(
    count: int, cells: int
) -> None:
    picture = strip_picture(snapshot_values.epochs(count), cells)
    assert len(picture.bars) == len(picture.marks) == min(count, cells)
    for cell in range(len(picture.bars)):
        assert picture.cell_of(picture.index_at(cell)) == cell


@given(numbers=st.sets(st.integers(0, 60), min_size=1), wanted=st.integers(0, 70))
def test_an_epoch_is_found_or_the_last_before_it(numbers: set[int], wanted: int) -> None:
    epochs = [replace(snapshot_values.epochs(1)[0], number=number) for number in sorted(numbers)]
    found = epochs[index_of(epochs, wanted)].number
    earlier = [number for number in numbers if number <= wanted]
    assert found == (max(earlier) if earlier else min(numbers))
    assert find_epoch(epochs, str(wanted)) == index_of(epochs, wanted)
