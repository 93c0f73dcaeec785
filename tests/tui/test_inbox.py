"""The inbox: groups and their envelopes, deciding, filtering, windows over very many, redriving."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from loom_bench.session.envelopes.terms import (
    InboxFilter,
    RedriveGoal,
    RedriveTarget,
    Selection,
    TriageState,
)
from loom_bench.session.envelopes.value import InboxNotice, InboxValue
from loom_bench.tui.inbox.redrive_dialog import RedriveDialog
from loom_bench.tui.inbox.screen import InboxScreen
from loom_bench.tui.inbox.searching import parse_search, search_text
from loom_bench.tui.widgets.windowed_table import WindowedRows
from tests.tui import inbox_values, trace_values, values
from tests.tui.inbox_values import KEY_ERROR, NO_PIECES
from tests.tui.running_app import Bench, ScriptedEditor, bench
from tests.tui.test_dialogs import lent_terminal

asynchronous = pytest.mark.asyncio

RUNNING = values.running()


def inbox_of(seen: Bench) -> InboxScreen:
    """The inbox that is on the screen."""
    assert isinstance(seen.app.screen, InboxScreen)
    return seen.app.screen


@asynchronous
async def test_an_empty_inbox_says_what_to_do() -> None:
    async with bench(RUNNING, inbox=inbox_values.empty()) as seen:
        await seen.press("i")
        assert "No record failed" in seen.text
        assert "T reads another dead-letter topic" in seen.text
        await seen.shows_inbox(InboxValue())
        assert "No error topic is being read" in seen.text


@asynchronous
async def test_the_status_tells_open_envelopes_everywhere() -> None:
    async with bench(RUNNING, inbox=inbox_values.failing()) as seen:
        assert "inbox 68 open, r2 proves 63/68" in seen.text
        await seen.press("i")
        assert "inbox 68 open, r2 proves 63/68" in seen.text
        await seen.shows_inbox(inbox_values.cancelled_proof())
        assert "inbox 68 open, 9 fixed in r2" in seen.text


@asynchronous
async def test_groups_tell_how_they_do_in_the_newest_code() -> None:
    async with bench(RUNNING, inbox=inbox_values.failing(), size=(160, 45)) as seen:
        await seen.press("i")
        rows = {row.split()[0]: row for row in seen.rows if "rror" in row}
        assert "same error in r2" in seen.text
        assert "9 pass 3 not r2" in seen.text
        assert "passes in r2" in seen.text
        assert "r2 proves 1/3" in seen.text
        assert "connect" in seen.text
        assert rows


@asynchronous
async def test_what_was_left_out_is_told() -> None:
    async with bench(RUNNING, inbox=inbox_values.flooded(), size=(160, 45)) as seen:
        await seen.press("i")
        assert "200.0k of 1.0M envelopes can be looked at one by one" in seen.text
        assert "48.2k to come" in seen.text


@asynchronous
@pytest.mark.parametrize(
    ("key", "state"),
    [
        ("i", TriageState.IGNORED),
        ("d", TriageState.DISCARDED),
        ("o", TriageState.OPEN),
    ],
)
async def test_a_decision_is_about_the_group_or_the_envelope(key: str, state: TriageState) -> None:
    async with bench(RUNNING, inbox=inbox_values.failing()) as seen:
        await seen.press("i", "j", key)
        assert seen.inbox.asked("set_state") == [(Selection(group=NO_PIECES), state)]
        await seen.press("k", "enter", "j", key)
        row = inbox_values.failing().window.rows[1]
        assert seen.inbox.asked("set_state")[1:] == [(Selection(envelopes=(row.id,)), state)]


@asynchronous
async def test_a_decision_is_taken_back() -> None:
    async with bench(RUNNING, inbox=inbox_values.failing(), size=(160, 45)) as seen:
        await seen.press("i", "u")
        assert seen.inbox.asked("undo") == [()]
        await seen.shows_inbox(inbox_values.running())
        await seen.press("u")
        assert seen.inbox.asked("undo") == [()]
        assert "There is no decision to take back" in seen.text


@asynchronous
async def test_proving_is_asked_for() -> None:
    async with bench(RUNNING, inbox=inbox_values.failing()) as seen:
        await seen.press("i", "P")
        assert seen.inbox.asked("prove") == [()]


@asynchronous
@pytest.mark.parametrize("size", [(160, 45), (80, 24)])
async def test_a_proof_under_way_is_seen_and_cancelled(size: tuple[int, int]) -> None:
    async with bench(RUNNING, inbox=inbox_values.failing(), size=size) as seen:
        await seen.press("i")
        assert "proving r2 [===========" in seen.text
        assert "63/68" in seen.text
        assert "X cancels" in seen.text
        await seen.press("X")
        assert seen.inbox.asked("cancel_proof") == [()]
        await seen.shows_inbox(inbox_values.cancelled_proof())
        assert "5 not proved, P proves" in seen.text
        assert "r2 proved 1/3" in seen.text
        assert "the proof in r2 is cancelled" in seen.text
        assert "proving" not in seen.text
        await seen.press("X")
        assert seen.inbox.asked("cancel_proof") == [()]
        assert "No proof is under way" in seen.text


@asynchronous
async def test_a_proof_is_cancelled_from_the_palette_on_the_main_screen() -> None:
    async with bench(RUNNING, inbox=inbox_values.failing()) as seen:
        await seen.press("colon", *"cancel the proof")
        await seen.app.workers.wait_for_complete()
        await seen.press("enter")
        assert seen.inbox.asked("cancel_proof") == [()]


@asynchronous
async def test_the_rows_of_the_chosen_group_are_asked_for() -> None:
    async with bench(RUNNING, inbox=inbox_values.failing()) as seen:
        await seen.press("i")
        assert not seen.inbox.asked("show_rows")
        await seen.press("j")
        ((fingerprint, first, count),) = seen.inbox.asked("show_rows")
        assert (fingerprint, first) == (NO_PIECES, 0)
        assert count >= 20


@asynchronous
async def test_a_window_over_very_many_rows_moves_with_the_cursor() -> None:
    value = inbox_values.flooded()
    async with bench(RUNNING, inbox=value) as seen:
        await seen.press("i", "enter", "G")
        (fingerprint, first, count) = seen.inbox.asked("show_rows")[-1]
        assert fingerprint == KEY_ERROR
        assert first + count >= 200_000
        assert "being fetched" in seen.text
        await seen.shows_inbox(inbox_values.flooded(first))
        assert "being fetched" not in seen.text
        assert inbox_of(seen).rows.cursor == 199_999


@asynchronous
async def test_the_cursor_stays_with_its_envelope_while_others_come() -> None:
    value = inbox_values.failing()
    async with bench(RUNNING, inbox=value) as seen:
        await seen.press("i", "enter", "j", "j")
        selected = inbox_of(seen).rows.selected
        assert selected is not None
        fresh = tuple(inbox_values.row(1_000 + number) for number in range(5))
        rows = (*fresh, *value.window.rows)
        more = replace(value, number=9, window=replace(value.window, rows=rows, total=56))
        await seen.shows_inbox(more)
        assert inbox_of(seen).rows.cursor == 7
        assert inbox_of(seen).rows.selected == selected


def test_rows_outside_the_window_are_nothing_and_cost_nothing() -> None:
    rows = WindowedRows(500_000, ("a", "b"), 1_000_000)
    assert len(rows) == 1_000_000
    assert rows[499_999:500_003] == (None, "a", "b", None)
    assert rows[-1] is None
    assert rows.covers(500_000, 2)
    assert not rows.covers(499_999, 2)
    assert WindowedRows(0, ("a", "b"), 2).covers(0, 50)
    with pytest.raises(IndexError):
        rows[1_000_000]


@asynchronous
async def test_the_filter_is_handed_on_as_it_is_typed_and_dropped_with_escape() -> None:
    async with bench(RUNNING, inbox=inbox_values.failing()) as seen:
        await seen.press("i", "slash", *"node:P", "enter")
        assert seen.inbox.asked("set_filter")[-1] == (InboxFilter(node="P"),)
        await seen.shows_inbox(
            replace(inbox_values.failing(), number=8, filter=InboxFilter(node="P"))
        )
        assert "node:P" in seen.text
        await seen.press("escape")
        assert seen.inbox.asked("set_filter")[-1] == (InboxFilter(),)
        assert isinstance(seen.app.screen, InboxScreen)


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("unicorn tea", {"text": "unicorn tea"}),
        ("key:c-7 x", {"key": "c-7", "text": "x"}),
        ("offset:100-200", {"from_offset": 100, "to_offset": 200}),
        ("offset:100-", {"from_offset": 100}),
        ("offset:-200", {"to_offset": 200}),
        ("offset:7", {"from_offset": 7, "to_offset": 7}),
        ("state:open,fixed", {"states": (TriageState.OPEN, TriageState.FIXED)}),
        ("offset:x 12:30", {"text": "offset:x 12:30"}),
        ("state:nonsense", {"text": "state:nonsense"}),
        ("  ", {}),
    ],
)
def test_a_filter_is_understood_and_written_as_it_was_typed(
    typed: str, wanted: dict[str, Any]
) -> None:
    found = parse_search(typed)
    assert found == InboxFilter(**wanted)
    assert parse_search(search_text(found)) == found


@asynchronous
async def test_another_topic_and_a_file_are_taken_in() -> None:
    async with bench(RUNNING, inbox=inbox_values.failing()) as seen:
        await seen.press("i", "T", *"payments.dlq", "enter", "I", *"a.json", "enter")
        assert seen.inbox.asked("read_topic") == [("payments.dlq",)]
        assert seen.inbox.asked("import_file") == [("a.json",)]


@asynchronous
async def test_the_failing_line_of_a_group_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    editor = ScriptedEditor()
    async with bench(
        RUNNING, inbox=inbox_values.failing(), editor=editor, environ={"EDITOR": "hx"}
    ) as seen:
        with lent_terminal(seen, monkeypatch):
            await seen.press("i", "e")
        assert editor.commands == [["hx", f"{trace_values.FILE}:189"]]


@asynchronous
async def test_what_came_of_a_command_is_told_once() -> None:
    value = replace(
        inbox_values.failing(), number=9, notices=(InboxNotice(number=1, text="35 are ignored"),)
    )
    async with bench(RUNNING, inbox=value) as seen:
        assert "35 are ignored" in seen.text


@asynchronous
async def test_keys_lead_back_to_the_main_screen() -> None:
    async with bench(RUNNING, inbox=inbox_values.failing()) as seen:
        await seen.press("i", "tab", "escape")
        assert seen.app.screen is seen.app.main
        await seen.press("i", "escape")
        assert seen.app.screen is seen.app.main


# Redriving


@asynchronous
async def test_a_redrive_begins_with_a_dry_run_of_the_group() -> None:
    async with bench(RUNNING, inbox=inbox_values.failing()) as seen:
        await seen.press("i", "R")
        assert seen.inbox.asked("plan_redrive") == [(Selection(group=KEY_ERROR), RedriveTarget())]
        assert "dry run under way" in seen.text
        await seen.press("enter")
        assert not seen.inbox.asked("start_redrive")
        await seen.shows_inbox(inbox_values.planned(inbox_values.failing()))
        for told in ("44 records of 51 envelopes", "into orders  44", "4 parked", "7 come after"):
            assert told in seen.text
        await seen.press("enter")
        assert seen.inbox.asked("start_redrive") == [(None, None)]


@asynchronous
async def test_what_where_to_and_how_fast_can_be_chosen() -> None:
    async with bench(RUNNING, inbox=inbox_values.failing()) as seen:
        await seen.press("i", "enter", "R", "g", "l", "j", "l", "l", "j", "l", "l")
        expected = Selection(group=KEY_ERROR), RedriveTarget(goal=RedriveGoal.FLOW)
        assert seen.inbox.asked("plan_redrive")[-1] == expected
        plan = inbox_values.planned(inbox_values.failing(), target=expected[1])
        await seen.shows_inbox(plan)
        await seen.press("G", "enter")
        assert seen.inbox.asked("start_redrive") == [(1.0 * 10, None)]


@asynchronous
async def test_another_topic_is_typed() -> None:
    async with bench(RUNNING, inbox=inbox_values.failing()) as seen:
        await seen.press("i", "R", "g", "j", "l", "enter", *"orders.again", "enter")
        target = RedriveTarget(goal=RedriveGoal.TOPIC, topic="orders.again")
        assert seen.inbox.asked("plan_redrive")[-1] == (Selection(group=KEY_ERROR), target)


@asynchronous
async def test_a_broker_of_somebody_elses_needs_its_address_typed() -> None:
    value = inbox_values.planned(inbox_values.failing(), typed=True, address="kafka:9092")
    async with bench(RUNNING, inbox=value) as seen:
        await seen.press("i", "R", "enter")
        assert "did not start this broker" in seen.text
        await seen.press(*"kafka:9092", "enter")
        assert seen.inbox.asked("start_redrive") == [(None, "kafka:9092")]


@asynchronous
async def test_a_redrive_under_way_is_seen_and_cancelled() -> None:
    async with bench(RUNNING, inbox=inbox_values.redriving(inbox_values.failing())) as seen:
        await seen.press("i", "R")
        assert "18/44, 1 failed" in seen.text
        await seen.press("c")
        assert seen.inbox.asked("cancel_redrive") == [()]
        await seen.press("escape")
        assert seen.inbox.asked("cancel_redrive") == [()]


@asynchronous
async def test_a_plan_that_was_not_done_is_dropped() -> None:
    async with bench(RUNNING, inbox=inbox_values.planned(inbox_values.failing())) as seen:
        await seen.press("i", "R")
        assert isinstance(seen.app.screen, RedriveDialog)
        await seen.press("escape")
        assert seen.inbox.asked("cancel_redrive") == [()]
        assert not seen.inbox.asked("start_redrive")
