"""A comparison: chosen, called off, its differences looked at, fields left out."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from loom_bench.session.snapshots.comparison_value import (
    CompareRequest,
    Comparison,
    ComparisonPhase,
)
from loom_bench.session.snapshots.replay_value import StopWhen
from loom_bench.session.value import SessionValue
from loom_bench.tui.compare.differences import differences_of, rule_of
from tests.tui import replay_values, snapshot_values, values
from tests.tui.running_app import Bench, bench

asynchronous = pytest.mark.asyncio


def _with(comparison: Comparison | None) -> SessionValue:
    snapshots = replace(snapshot_values.running(), comparison=comparison)
    return replace(values.running(), snapshots=snapshots)


def _requests(seen: Bench) -> list[CompareRequest]:
    return [request for (request,) in seen.session.asked("snapshots.compare")]


@asynchronous
async def test_the_code_as_it_is_is_compared_from_an_epoch_of_the_timeline() -> None:
    async with bench(_with(None)) as seen:
        await seen.press("T", "M", "d")
        assert "Nothing was compared yet" in seen.text
        assert "the code as it is against revision 77b0e2" in seen.text
        await seen.press("enter")
        assert _requests(seen) == [CompareRequest(epoch=201, against="77b0e2")]


@asynchronous
async def test_every_choice_is_turned_or_typed() -> None:
    async with bench(_with(None)) as seen:
        await seen.press("f7", "j", "l", "l", "h", "j", "l", "h", "j", "l")
        await seen.press("j", "l", "enter", "ctrl+u", *"90", "enter")
        await seen.press("j", "enter", *"priced_at_ms  *:trace_id", "enter", "g", "enter")
        assert _requests(seen) == [
            CompareRequest(
                epoch=2,
                revision="77b0e2",
                against="3ac41f",
                ignore=("priced_at_ms", "*:trace_id"),
                stop=StopWhen(records=90),
            )
        ]


@asynchronous
async def test_state_of_renamed_steps_is_given_to_others_or_dropped() -> None:
    async with bench(_with(None)) as seen:
        await seen.press("f7", "G", "enter", *"Count", "enter")
        assert "Count names no steps" in seen.text
        await seen.press("enter", *"Count=Total Old=", "enter")
        assert "Count=Total Old=" in seen.text
        await seen.press("g", "enter")
        (request,) = _requests(seen)
        assert (request.mapping, request.empty) == ({"Count": "Total"}, ("Old",))


@asynchronous
async def test_what_differs_is_told_field_by_field_and_what_is_unstable_apart() -> None:
    async with bench(_with(replay_values.comparison()), size=(120, 40)) as seen:
        await seen.press("f7")
        assert "THEY DIFFER" in seen.text
        assert "1204 outputs" in seen.text
        assert "errors: 10 fixed  1 new  51 same" in seen.text
        assert "cents 325350 > 331200" in seen.text
        assert "priced_at_ms" not in seen.text
        await seen.press("tab", "enter")
        assert "a difference" in seen.text
        await seen.press("escape", "i", "enter", "shift+tab", "enter")
        assert _requests(seen)[-1].ignore == ("orders.priced:cents",)
        await seen.press("u")
        assert "priced_at_ms 1 > 2" in seen.text
        await seen.press("I")
        assert "leaves out nothing" in " ".join(seen.text.split())


@asynchronous
async def test_progress_is_told_and_called_off_and_a_failure_is_told() -> None:
    under_way = replace(
        replay_values.comparison(), phase=ComparisonPhase.RUNNING_LEFT_AGAIN, progress=0.25
    )
    async with bench(_with(under_way)) as seen:
        await seen.press("f7", "enter")
        assert "2 of 3: runs it again" in seen.text
        assert "[===         ] 25%" in seen.text
        assert "A comparison runs" in seen.text
        await seen.press("x")
        assert seen.session.asked("snapshots.cancel") == [()]
        assert not _requests(seen)
        await seen.shows(_with(replay_values.failed_comparison()))
        await seen.press()
        assert "orders.py:210: NameError" in seen.text


def test_a_rule_names_the_field_that_differs() -> None:
    rules = [rule_of(each) for each in differences_of(replay_values.comparison(), unstable=False)]
    assert rules[0] == "orders.priced:cents"
    assert rules[-1] == "state:CountCustomer:cents"
