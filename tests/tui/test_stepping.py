"""Stepping: over nodes, envelopes and groups; editing, running again, tests, breakpoints, stops."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.session.envelopes.terms import RedriveTarget, Selection
from loom_bench.session.tracing.value import BreakpointView, TraceState
from loom_bench.tui.inbox.screen import InboxScreen
from loom_bench.tui.stepping.envelope_screen import EnvelopeScreen
from loom_runtime.tracing.failure import TracedFrame
from tests.tui import inbox_values, trace_values, values
from tests.tui.inbox_values import CUT_SHORT, KEY_ERROR, NO_PIECES
from tests.tui.running_app import ScriptedEditor, bench
from tests.tui.stepping_scenes import FAILING, INBOX, PASSING, TO_THE_FIRST, node_of
from tests.tui.test_dialogs import lent_terminal

pytestmark = pytest.mark.asyncio


async def test_an_envelope_is_opened_where_it_failed() -> None:
    async with bench(FAILING, inbox=INBOX) as seen:
        await seen.press(*TO_THE_FIRST)
        assert seen.inbox.asked("open_envelope") == [(INBOX.window.rows[0].id,)]
        assert node_of(seen) == "PriceOrder"
        for told in ("1/51", "KeyError: 'unicorn'", "> 189 │", "fails in r2", "failed inside"):
            assert told in seen.text


@pytest.mark.parametrize(
    ("keys", "node"),
    [
        (("h",), "With"),
        (("left", "left"), "IntoTopic(orders.cancelled)"),
        (("N", "N"), "DropTests"),
        (("N", "N", "n", "n"), "PriceOrder"),
        (("l",), "Broadcast"),
        (("g",), "source:orders"),
        (("g", "h"), "source:orders"),
        (("g", "c"), "PriceOrder"),
        (("n",), "PriceOrder"),
    ],
)
async def test_keys_move_over_the_nodes(keys: tuple[str, ...], node: str) -> None:
    async with bench(FAILING, inbox=INBOX) as seen:
        await seen.press(*TO_THE_FIRST, *keys)
        assert node_of(seen) == node


async def test_a_click_goes_to_a_node() -> None:
    async with bench(FAILING, inbox=INBOX) as seen:
        await seen.press(*TO_THE_FIRST)
        row = next(index for index, row in enumerate(seen.rows) if "─> PriceOrder" in row)
        await seen.pilot.click(offset=(seen.rows[row].index("DropTests"), row))
        await seen.press()
        assert node_of(seen) == "DropTests"
        assert "in OrderPlaced" in seen.text


async def test_up_and_down_go_from_envelope_to_envelope() -> None:
    async with bench(FAILING, inbox=INBOX) as seen:
        await seen.press(*TO_THE_FIRST, "j")
        rows = INBOX.window.rows
        assert seen.inbox.asked("open_envelope")[-1] == (rows[1].id,)
        await seen.press("k")
        assert seen.inbox.asked("open_envelope")[-1] == (rows[0].id,)
        await seen.press("k")
        assert "This is the newest one of its group" in seen.text
        assert len(seen.inbox.asked("open_envelope")) == 3


async def test_an_envelope_that_is_not_at_hand_is_fetched_first() -> None:
    value = inbox_values.opened(inbox_values.flooded(100_000))
    async with bench(FAILING, inbox=value) as seen:
        screen = seen.app.get_screen("envelope")
        assert isinstance(screen, EnvelopeScreen)
        screen.step_from(inbox_values.row(100_000), value.window.first + 59)
        await seen.press("E")
        await seen.press("j")
        assert seen.inbox.asked("show_rows")[-1] == (KEY_ERROR, 100_040, 60)
        later = inbox_values.opened(inbox_values.flooded(100_040))
        await seen.shows_inbox(later)
        assert seen.inbox.asked("open_envelope")[-1] == (later.window.rows[20].id,)


async def test_brackets_go_from_group_to_group() -> None:
    async with bench(FAILING, inbox=INBOX) as seen:
        await seen.press(*TO_THE_FIRST, "right_square_bracket")
        assert seen.inbox.asked("show_rows")[-1] == (NO_PIECES, 0, 60)
        row = replace(inbox_values.row(7), fingerprint=NO_PIECES, node="CheckOrder")
        window = replace(INBOX.window, fingerprint=NO_PIECES, rows=(row,), total=1)
        await seen.shows_inbox(replace(INBOX, number=20, window=window))
        assert seen.inbox.asked("open_envelope")[-1] == (row.id,)
        await seen.press("right_square_bracket")
        assert seen.inbox.asked("show_rows")[-1] == (CUT_SHORT, 0, 60)


async def test_values_are_shown_in_four_views() -> None:
    async with bench(FAILING, inbox=INBOX) as seen:
        await seen.press(*TO_THE_FIRST, "N", "N")
        assert '├ product  "unicorn"' in seen.text
        await seen.press("v")
        assert '"product": "unicorn",' in seen.text
        await seen.press("v")
        assert '{"order_id":"o-04711",' in seen.text
        await seen.press("v")
        assert "7b 22 6f 72 64 65 72" in seen.text
        await seen.press("v")
        assert '├ product  "unicorn"' in seen.text


async def test_state_stands_before_and_after() -> None:
    async with bench(PASSING, inbox=INBOX, size=(160, 45)) as seen:
        await seen.press(*TO_THE_FIRST, "N", "N")
        assert node_of(seen) == "CountCustomer"
        assert "state of customer-007  before" in seen.text
        assert "+ ├ " not in seen.text


async def test_a_record_is_run_again_and_the_chosen_node_stays() -> None:
    async with bench(FAILING, inbox=INBOX) as seen:
        await seen.press(*TO_THE_FIRST, "r")
        assert seen.inbox.asked("retry") == [(None,)]
        passing = trace_values.tracing(trace_values.passing_trace(), number=2, revision=3)
        seen.inbox.now_shows(inbox_values.opened(inbox_values.failing(), trace=2))
        await seen.shows(replace(FAILING, tracing=passing))
        assert node_of(seen) == "PriceOrder"
        assert "passes: held in r3" in seen.text
        assert "out PricedOrder" in seen.text
        await seen.press("c")
        assert node_of(seen) == "CollectBatch"


async def test_a_value_is_edited_and_the_record_goes_on_from_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    editor = ScriptedEditor(writes=trace_values.MENDED)
    async with bench(FAILING, inbox=INBOX, editor=editor) as seen:
        await seen.press(*TO_THE_FIRST)
        with lent_terminal(seen, monkeypatch):
            await seen.press("e")
        ((node, message),) = seen.inbox.asked("go_on_with")
        assert node == "PriceOrder"
        assert json.loads(message.value)["product"] == "tea"
        assert message.payload_type == "OrderPlaced"
        assert '"product": "unicorn"' in editor.found[0]


async def test_the_record_itself_is_edited_at_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    editor = ScriptedEditor(writes=trace_values.MENDED)
    async with bench(FAILING, inbox=INBOX, editor=editor) as seen:
        await seen.press(*TO_THE_FIRST, "g")
        with lent_terminal(seen, monkeypatch):
            await seen.press("e")
        assert seen.inbox.asked("retry") == [(trace_values.MENDED.encode(),)]
        assert editor.found == [trace_values.ORDER]


@pytest.mark.parametrize(
    ("written", "told"),
    [(None, "nothing was run"), ("{no", "the value is no JSON")],
    ids=["as it was", "no JSON"],
)
async def test_a_value_that_did_not_change_or_is_none_is_not_run(
    written: str | None, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(FAILING, inbox=INBOX, editor=ScriptedEditor(writes=written)) as seen:
        await seen.press(*TO_THE_FIRST)
        with lent_terminal(seen, monkeypatch):
            await seen.press("e")
        assert told in seen.text
        assert not seen.inbox.asked("go_on_with")


async def test_the_failing_line_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    editor = ScriptedEditor()
    async with bench(FAILING, inbox=INBOX, editor=editor, environ={"EDITOR": "hx"}) as seen:
        await seen.press(*TO_THE_FIRST)
        with lent_terminal(seen, monkeypatch):
            await seen.press("f")
        assert editor.commands == [["hx", f"{trace_values.FILE}:189"]]


async def test_a_test_is_written_and_an_envelope_exported() -> None:
    async with bench(FAILING, inbox=INBOX) as seen:
        await seen.press(*TO_THE_FIRST, "t", "x", "enter")
        assert seen.inbox.asked("write_test") == [(None,)]
        assert seen.inbox.asked("export") == [("orders.errors-0-50.json",)]


async def test_its_record_alone_may_be_redriven() -> None:
    async with bench(FAILING, inbox=INBOX) as seen:
        await seen.press(*TO_THE_FIRST, "R")
        alone = Selection(envelopes=(INBOX.window.rows[0].id,))
        assert seen.inbox.asked("plan_redrive") == [(alone, RedriveTarget())]


@pytest.mark.parametrize(
    ("typed", "condition"), [("", None), ("payload.quantity > 3", "payload.quantity > 3")]
)
async def test_a_breakpoint_is_set_with_or_without_a_condition(
    typed: str, condition: str | None
) -> None:
    keys = [{" ": "space"}.get(key, key) for key in typed]
    async with bench(FAILING, inbox=INBOX) as seen:
        await seen.press(*TO_THE_FIRST, "b", *keys, "enter")
        assert seen.session.asked("set_breakpoint") == [("PriceOrder", condition)]


async def test_a_breakpoint_is_shown_and_forgotten() -> None:
    known = (BreakpointView(number=4, node="PriceOrder"),)
    value = replace(FAILING, tracing=replace(FAILING.tracing, breakpoints=known))
    async with bench(value, inbox=INBOX) as seen:
        await seen.press(*TO_THE_FIRST)
        assert "b:PriceOrder" in seen.text
        await seen.press("b")
        assert seen.session.asked("clear_breakpoint") == [(4,)]


async def test_no_breakpoint_stands_before_a_topic() -> None:
    async with bench(FAILING, inbox=INBOX) as seen:
        await seen.press(*TO_THE_FIRST, "g", "b")
        assert "A breakpoint stands before a node" in seen.text
        assert not seen.session.asked("set_breakpoint")


async def test_a_breakpoint_is_set_from_the_graph() -> None:
    async with bench(values.failing()) as seen:
        await seen.press("n", "n", "B", "enter")
        assert seen.session.asked("set_breakpoint") == [("PriceOrder", None)]


# Traces that are not whole


async def test_a_trace_under_way_is_followed() -> None:
    whole = trace_values.failing_trace()
    begun = replace(whole, stops=whole.stops[:3], failures=(), outputs=())
    tracing = trace_values.tracing(begun, state=TraceState.RUNNING)
    async with bench(replace(FAILING, tracing=tracing), inbox=INBOX) as seen:
        await seen.press(*TO_THE_FIRST)
        assert node_of(seen) == "CheckOrder"
        assert "runs in r2" in seen.text
        await seen.shows(FAILING)
        assert node_of(seen) == "PriceOrder"


async def test_a_trace_that_was_cut_off_says_where_and_what_was_printed() -> None:
    whole = trace_values.failing_trace()
    cut = replace(
        whole,
        problem="its process was ended after 10 s",
        hint="look at the loop below",
        stack=(TracedFrame(file="orders.py", line=190, function="execute"),),
    )
    tracing = trace_values.tracing(cut, printed=("counting…",), printed_left_out=7)
    async with bench(replace(FAILING, tracing=tracing), inbox=INBOX, size=(160, 45)) as seen:
        await seen.press(*TO_THE_FIRST)
        for told in ("its process was ended", "look at the loop", "orders.py:190", "counting"):
            assert told in seen.text


async def test_an_envelope_without_a_trace_shows_what_is_known() -> None:
    problem = Diagnosis(code="record_gone", message="it is gone", hint="redrive it")
    value = inbox_values.opened(
        inbox_values.failing(), trace=None, problem=problem, traceback="File x.py, line 3"
    )
    async with bench(values.running(), inbox=value) as seen:
        await seen.press(*TO_THE_FIRST)
        for told in ("cannot be traced", "it is gone", "redrive it", "x.py"):
            assert told in seen.text
        await seen.press("h", "l", "c", "v", "comma", "full_stop", "n")
        assert '"product": "unicorn"' in seen.text


async def test_an_envelope_that_is_being_fetched_says_so() -> None:
    async with bench(FAILING, inbox=inbox_values.failing()) as seen:
        await seen.press(*TO_THE_FIRST)
        assert "being fetched" in seen.text


async def test_escape_leads_back_to_the_inbox_and_a_key_to_the_envelope_again() -> None:
    async with bench(FAILING, inbox=INBOX) as seen:
        await seen.press("E")
        assert "No envelope was looked at yet" in seen.text
        await seen.press("escape", *TO_THE_FIRST, "escape")
        assert isinstance(seen.app.screen, InboxScreen)
        await seen.press("E")
        assert node_of(seen) == "PriceOrder"
        await seen.press("2")
        assert seen.app.front.PLACE == "main"
