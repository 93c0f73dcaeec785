"""A replay: chosen, begun, steered, its outputs; and what needs a word typed."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from loom_bench.session.snapshots.replay_value import (
    BreakpointStop,
    ReplayPhase,
    ReplayRequest,
    StopWhen,
)
from loom_bench.session.value import SessionValue
from loom_bench.tui.replay.draft import PACES, next_pace, parse_offsets
from tests.tui import replay_values, snapshot_values, values
from tests.tui.running_app import Bench, bench

asynchronous = pytest.mark.asyncio


def _with(phase: ReplayPhase | None) -> SessionValue:
    replay = None if phase is None else replay_values.replay(phase)
    snapshots = replace(snapshot_values.running(), replay=replay)
    return replace(values.running(), snapshots=snapshots)


def _requests(seen: Bench) -> list[ReplayRequest]:
    return [request for (request,) in seen.session.asked("snapshots.replay")]


@asynchronous
async def test_enter_replays_the_newest_fork_and_what_is_not_isolated_is_said_before() -> None:
    async with bench(_with(None)) as seen:
        await seen.press("f6")
        assert "is not isolated" in seen.text
        await seen.press("enter")
        assert _requests(seen) == [ReplayRequest(fork="epoch-200")]


@asynchronous
async def test_every_choice_is_turned_or_typed() -> None:
    async with bench(_with(None)) as seen:
        await seen.press("f6", "j", "l", "j", "l")  # fork, code
        await seen.press("j", "l", "enter", "ctrl+u", *"250", "enter")  # after 250 records
        await seen.press("j", "l", "l")  # full speed is the fastest
        await seen.press("h", "j", "l", "j", "l", "g", "enter")
        assert _requests(seen) == [
            ReplayRequest(
                fork="before-reload",
                revision="77b0e2",
                stop=StopWhen(records=250),
                pace=100.0,
                record_by_record=True,
                paused=True,
            )
        ]
        await seen.press("j", "j", "j", "l", "enter", *"131", "enter", "g", "enter")
        assert _requests(seen)[-1].stop == StopWhen(epoch=131)
        await seen.press("j", "j", "j", "l", "enter", *"orders[0]@5 orders:1=9", "enter")
        await seen.press("g", "enter")
        assert _requests(seen)[-1].stop == StopWhen(offsets={"orders:0": 5, "orders:1": 9})
        await seen.press("j", "j", "j", "l", "g", "enter")
        assert _requests(seen)[-1].stop == StopWhen(first_error=True)


@asynchronous
async def test_it_ends_before_a_node_takes_a_record_that_fits() -> None:
    async with bench(_with(None)) as seen:
        await seen.press("f6", "j", "j", "j", "h", "g", "enter")
        assert "Say first before which node it ends" in seen.text
        assert not _requests(seen)
        await seen.press("j", "j", "j", "enter", "j", "enter", *"payload.quantity > 3", "enter")
        plan = seen.session.value().plan
        assert plan is not None
        node = plan.nodes[1].id
        assert f"before {node} takes a record with payload.quantity > 3" in seen.text
        await seen.press("g", "enter")
        stop = BreakpointStop(node=node, condition="payload.quantity > 3")
        assert _requests(seen)[-1].stop == StopWhen(breakpoint=stop)


@asynchronous
async def test_writing_to_real_topics_wants_the_forks_name_typed() -> None:
    async with bench(_with(None)) as seen:
        await seen.press("f6", "G", "l")
        assert "Outputs are written to their real topics" in seen.text
        await seen.press("g", "enter")
        assert "cannot be taken back" in seen.text
        await seen.press("escape")
        assert not _requests(seen)
        await seen.press("enter", *"epoch-200", "enter")
        assert _requests(seen) == [
            ReplayRequest(fork="epoch-200", real_topics=True, confirmation="epoch-200")
        ]


@asynchronous
async def test_a_replay_is_paused_stepped_taken_back_and_stopped() -> None:
    async with bench(_with(ReplayPhase.RUNNING)) as seen:
        await seen.press("f6")
        assert "[======      ] 50%" in seen.text
        assert "1788 captured" in seen.text
        assert "orders[0] 700/1000" in seen.text
        await seen.press("r")
        assert "A step needs a paused replay" in seen.text
        await seen.press("enter")
        assert "A replay runs" in seen.text
        await seen.press("p")
        await seen.shows(_with(ReplayPhase.PAUSED))
        await seen.press("r", "b", "e", "u", "less_than_sign", "p", "x")
        calls = [call for call in seen.session.calls if call[0].startswith("snapshots.")]
        assert calls == [
            ("snapshots.pause_replay",),
            ("snapshots.step_replay", "record"),
            ("snapshots.step_replay", "batch"),
            ("snapshots.step_replay", "epoch"),
            ("snapshots.step_back",),
            ("snapshots.set_replay_pace", 100.0),
            ("snapshots.resume_replay",),
            ("snapshots.stop_replay",),
        ]


@asynchronous
async def test_outputs_are_looked_at_and_a_failure_is_told_in_words() -> None:
    async with bench(_with(ReplayPhase.ENDED)) as seen:
        await seen.press("f6", "tab", "enter")
        assert "an output" in seen.text
        assert "o-4750" in seen.text
        await seen.press("escape")
        await seen.shows(values.failing())
        await seen.press()
        assert "orders.py:210: NameError: name 'catalog' is not defined" in seen.text
        await seen.press("p")
        assert "No replay runs" in seen.text


def test_paces_go_from_slow_to_full_speed() -> None:
    pace, found = 1.0, [1.0]
    while (faster := next_pace(pace, 1)) != pace:
        pace = faster
        found.append(pace)
    assert found == [*PACES[1:], 0.0]


@pytest.mark.parametrize(
    ("typed", "offsets"),
    [("a:0=1", {"a:0": 1}), ("a[0]@1  b:1=2", {"a:0": 1, "b:1": 2}), ("a=1", None), ("", None)],
)
def test_offsets_are_typed_by_partition(typed: str, offsets: dict[str, int] | None) -> None:
    assert parse_offsets(typed) == offsets
