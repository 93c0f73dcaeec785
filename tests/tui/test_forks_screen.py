"""Forks: the tree, the check, the mapping of renamed steps, and deleting one."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from loom_bench.tui.forks.tree import branches_of
from loom_bench.tui.replay.screen import ReplayScreen
from tests.tui import replay_values, snapshot_values, values
from tests.tui.running_app import bench

asynchronous = pytest.mark.asyncio


def test_forks_stand_below_what_they_were_cut_from() -> None:
    branches = branches_of(snapshot_values.FORKS, "state/orders/forks/back-one")
    assert [(each.fork.name, each.depth, each.opened) for each in branches] == [
        ("before-reload", 0, False),
        ("back-one", 1, True),
        ("epoch-200", 0, False),
    ]


@asynchronous
async def test_the_tree_tells_disk_and_a_fork_is_opened_forked_and_replayed() -> None:
    async with bench(values.running()) as seen:
        await seen.press("f5")
        assert "3 forks  11 MiB of disk" in seen.text
        assert "└─ back-one" in seen.text
        await seen.press("j", "f", "enter")
        assert seen.session.asked("snapshots.fork") == [(130, "back-one", "epoch-130", "")]
        await seen.press("p")
        front = seen.app.front
        assert isinstance(front, ReplayScreen)
        assert front.draft.fork == "back-one"
        await seen.press("f5", "enter")
        assert seen.session.asked("snapshots.open") == [("state/orders/forks/back-one",)]


@asynchronous
async def test_the_store_that_an_open_fork_is_of_is_opened_again() -> None:
    fork = snapshot_values.FORKS[1]
    timeline = replace(snapshot_values.timeline(), store=fork.folder, root="state/orders")
    store = replace(snapshot_values.running(), timeline=timeline)
    async with bench(replace(values.running(), snapshots=store)) as seen:
        await seen.press("f5")
        assert f"{fork.name} is open: O opens the store again" in seen.text
        await seen.press("O")
        assert seen.session.asked("snapshots.open") == [("state/orders",)]
        assert seen.app.front.PLACE == "timeline"


@asynchronous
async def test_without_an_open_fork_the_folder_of_another_store_is_asked_for() -> None:
    async with bench(values.running()) as seen:
        await seen.press("f5", "O", *"state/other", "enter")
        assert seen.session.asked("snapshots.open") == [("state/other",)]


@asynchronous
async def test_a_fork_is_deleted_once_its_name_is_typed() -> None:
    async with bench(values.running()) as seen:
        await seen.press("f5", "d")
        assert "Forks of it stay: back-one" in seen.text
        await seen.press(*"epoch-200", "enter")
        assert not seen.session.asked("snapshots.remove_fork")
        await seen.press("ctrl+u", *"before-reload", "enter")
        assert seen.session.asked("snapshots.remove_fork") == [("before-reload",)]


@asynchronous
async def test_a_check_is_told_and_a_renamed_step_is_mapped_as_it_suggests() -> None:
    async with bench(values.running()) as seen:
        await seen.press("f5", "G", "m")
        assert "Check it first" in seen.text
        await seen.press("c", "C", "j", "enter")
        assert seen.session.asked("snapshots.check") == [
            ("epoch-200", "current"),
            ("epoch-200", "77b0e2"),
        ]
        fit = replace(snapshot_values.running(), compatibility=replay_values.FIT)
        await seen.shows(replace(values.running(), snapshots=fit))
        await seen.press()
        assert "does not fit" in seen.text
        assert "611 records are gone" in seen.text
        assert "looks like it was renamed to TotalCustomer" in seen.text
        await seen.press("m")
        assert "is the state of TotalCustomer" in seen.text
        await seen.press("enter")
        assert seen.session.asked("snapshots.remap") == [
            ("epoch-200", {"CountCustomer": "TotalCustomer"}, (), "current")
        ]
        await seen.press("m", "j", "right", "right", "k", "enter")
        assert seen.session.asked("snapshots.remap")[1][1:3] == ({}, ("CountCustomer",))


@asynchronous
async def test_without_a_fork_it_says_how_one_is_made() -> None:
    none = replace(snapshot_values.running(), forks=(), replay=None)
    async with bench(replace(values.running(), snapshots=none)) as seen:
        await seen.press("f5")
        assert "There is no fork yet" in seen.text
        await seen.press("d")
        assert "fork an epoch in the timeline" in seen.text
        await seen.press("f6", "enter")
        assert "There is no fork" in seen.text
        assert not seen.session.asked("snapshots.replay")
