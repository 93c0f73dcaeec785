"""What stepping is drawn from: stations, the row of them, values, differences, failures."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from loom_bench.tui.ink import Ink, Line, width_of
from loom_bench.tui.stepping.difference import Change, difference, leaves, line_changes
from loom_bench.tui.stepping.editing import edited_message, text_to_edit
from loom_bench.tui.stepping.failure_lines import failure_lines, failure_place
from loom_bench.tui.stepping.payloads import PayloadView, pair_lines
from loom_bench.tui.stepping.stations import Unmet, ending, stations_of
from loom_bench.tui.stepping.stop_lines import StopLook, stop_lines
from loom_bench.tui.stepping.way import way_picture
from loom_runtime.tracing.shown import ShownValue, ValueForm
from loom_runtime.tracing.trace import StopOutcome
from tests.tui import trace_values, values
from tests.tui.hostile import HOSTILE, HUGE

PLAN = values.plan_of("orders")
FAILING = stations_of(trace_values.failing_trace(), PLAN)
PASSING = stations_of(trace_values.passing_trace(), PLAN)


def text_of(lines: Iterable[Line]) -> str:
    """The lines as text."""
    return "\n".join("".join(text for text, _ in line) for line in lines)


def _json(value: Any) -> ShownValue:
    return ShownValue(type_name=type(value).__name__, text=json.dumps(value))


# Stations


def test_the_way_tells_met_failed_not_reached_and_not_taken() -> None:
    words = {station.node: station.word[0] for station in FAILING}
    assert words["CheckOrder"] == "passed 12us"
    assert words["With"] == "failed inside"
    assert words["PriceOrder"] == "x KeyError"
    assert words["IntoTopic(orders.cancelled)"] == "not taken"
    assert words["CountCustomer"] == "not reached"
    assert FAILING[ending(FAILING)].node == "PriceOrder"


def test_every_node_and_every_plain_topic_has_its_station_in_the_order_of_the_plan() -> None:
    nodes = [station.node for station in FAILING]
    assert [node for node in nodes if node in {each.id for each in PLAN.nodes}] == [
        node.id for node in PLAN.nodes
    ]
    assert nodes.index("sink:customers.totals") == nodes.index("CountCustomer") + 1
    assert len(nodes) == len(set(nodes))


def test_a_way_that_passes_ends_where_it_was_last_met() -> None:
    assert PASSING[ending(PASSING)].node == "CollectBatch"


def test_nodes_before_an_edit_are_told_as_such() -> None:
    whole = trace_values.passing_trace()
    trace = replace(whole, start="PriceOrder", stops=whole.stops[5:])
    stations = {station.node: station for station in stations_of(trace, PLAN)}
    assert stations["CheckOrder"].unmet is Unmet.BEFORE
    assert stations["RateRisk"].unmet is Unmet.ENDED


def test_a_trace_of_an_unknown_plan_has_its_stops() -> None:
    stations = stations_of(trace_values.failing_trace(), None)
    assert [station.node for station in stations][-1] == "PriceOrder"


@pytest.mark.parametrize("width", [40, 80, 160, 400])
@pytest.mark.parametrize("at", range(0, len(PASSING), 3))
def test_the_chosen_station_is_in_sight_at_every_width(width: int, at: int) -> None:
    picture = way_picture(PASSING, at, width, frozenset({PASSING[at].node}))
    assert all(width_of(line) <= width for line in picture.lines)
    assert at in picture.meant[0]
    assert all(
        len(line) == len(meant) for line, meant in zip(picture.lines, picture.meant, strict=True)
    )
    assert "b:" in text_of(picture.lines)


def test_what_lies_beyond_the_edges_is_counted() -> None:
    middle = text_of(way_picture(PASSING, len(PASSING) // 2, 80).lines)
    assert " < " in middle
    assert " > " in middle


# Differences


def test_an_output_that_holds_its_input_differs_only_by_what_is_added() -> None:
    before, after = json.loads(trace_values.MENDED), json.loads(trace_values.PRICED)
    found = difference(before, after)
    assert found.before == {}
    assert found.after == {("total_cents",): Change.NEW, ("risk",): Change.NEW}


def test_an_output_taken_out_of_its_input_leaves_the_rest_behind() -> None:
    found = difference({"order": {"id": 1}, "at": 2}, {"id": 1})
    assert found.before == {("at",): Change.GONE}
    assert found.after == {}


def test_changed_new_and_gone_members_are_told_apart() -> None:
    found = difference({"a": 1, "b": 2, "c": [1]}, {"a": True, "c": [1, 5], "d": {}})
    assert found.before == {("a",): Change.CHANGED, ("b",): Change.GONE}
    assert found.after == {
        ("a",): Change.CHANGED,
        ("c", 1): Change.NEW,
        ("d",): Change.NEW,
    }


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner),
    max_leaves=12,
)


@given(_JSON, _JSON)
def test_what_is_not_marked_stands_on_the_other_side(before: Any, after: Any) -> None:
    found = difference(before, after)
    old, new = dict(leaves(before)), dict(leaves(after))
    assert found.before.keys() <= old.keys()
    assert found.after.keys() <= new.keys()
    if before == after:
        assert not found.before
        assert not found.after
    if found.before or found.after:
        same = [leaf for path, leaf in new.items() if path not in found.after]
        assert all(leaf in old.values() or leaf in ({}, []) for leaf in same)


@given(st.lists(st.sampled_from("abc"), max_size=9), st.lists(st.sampled_from("abc"), max_size=9))
def test_lines_that_are_the_same_pair_off(before: list[str], after: list[str]) -> None:
    old, new = line_changes(before, after)
    same = [line for line, change in zip(before, old, strict=True) if change is Change.SAME]
    assert same == [line for line, change in zip(after, new, strict=True) if change is Change.SAME]


# Values


@pytest.mark.parametrize("view", PayloadView)
def test_every_view_shows_the_value_and_marks_what_is_new(view: PayloadView) -> None:
    pair = pair_lines(_json({"product": "tea"}), _json({"product": "tea", "cents": 1}), view, 100)
    assert "tea" in text_of(pair.before)
    assert any("cents" in text_of([line]) and line[0][0] != "  " for line in pair.after)


def test_bytes_that_are_json_are_shown_as_a_tree_others_as_text() -> None:
    raw = trace_values.raw_message(b'{"a": [1, {"b": null}]}').value
    assert "└ b  null" in text_of(pair_lines(raw, None, PayloadView.TREE, 60).before)
    broken = trace_values.raw_message(b'{"a": \xff').value
    assert "\\xff" in text_of(pair_lines(broken, None, PayloadView.TREE, 60).before)
    assert "7b 22 61" in text_of(pair_lines(broken, None, PayloadView.HEX, 60).before)


def test_a_cut_value_says_so() -> None:
    value = replace(_json("abc"), complete=False, size=5_000_000)
    assert "of 5.0M characters" in text_of(pair_lines(value, None, PayloadView.RAW, 60).before)


@pytest.mark.parametrize("view", PayloadView)
@pytest.mark.parametrize("text", [*HOSTILE.values(), *HUGE.values()], ids=[*HOSTILE, *HUGE])
def test_hostile_values_are_laid_out_quickly_and_fit(view: PayloadView, text: str) -> None:
    begun_s = time.process_time()
    for value in (
        ShownValue(type_name=text, text=text),
        _json({text[:1000]: [text[:100_000]]}),
        trace_values.raw_message(text[:1_000_000].encode("utf-8", "backslashreplace")).value,
    ):
        for lines in (
            pair_lines(value, _json({"a": 1}), view, 40).before,
            pair_lines(_json({"a": 1}), value, view, 40).after,
        ):
            assert len(lines) <= 2_002
    assert time.process_time() - begun_s < 10


# Stops and failures


@pytest.mark.parametrize("width", [76, 156])
def test_a_failure_shows_source_locals_and_causes(width: int) -> None:
    text = text_of(stop_lines(FAILING[ending(FAILING)], StopLook(), width))
    for told in (
        "x KeyError: 'unicorn'",
        "> 189 │",
        "total = catalogue[order.product]",
        "api_token  str  <masked>",
        "2 more are not shown",
        "while it handled",
        "x CatalogueMiss: no price of unicorn",
        '"unicorn"',
    ):
        assert told in text
    assert failure_place(trace_values.key_error()) == (trace_values.FILE, 189)


def test_a_failure_without_frames_says_so_and_names_the_place_of_its_cause() -> None:
    bare = replace(trace_values.key_error(), frames=())
    assert failure_place(bare) == (trace_values.FILE, 141)
    assert "No frame of your code" in text_of(failure_lines(replace(bare, causes=()), 100))


def test_a_stateful_step_shows_its_state_before_and_after() -> None:
    station = next(each for each in PASSING if each.node == "CountCustomer")
    text = text_of(stop_lines(station, StopLook(), 100))
    assert "state of customer-007  before" in text
    assert "~ ├ orders  4" in text
    assert "~ ├ orders  5" in text


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (StopOutcome.FILTERED, "Filtered"),
        (StopOutcome.HELD, "Held"),
        (StopOutcome.LATE, "too late for its window"),
        (StopOutcome.RUNNING, "not come back"),
        (StopOutcome.CUT_OFF, "never came back"),
    ],
)
def test_a_node_that_gave_nothing_says_why(outcome: StopOutcome, told: str) -> None:
    station = FAILING[2]
    assert station.stop is not None
    quiet = replace(station.stop, gives=(), outcome=outcome)
    lines = stop_lines(type(station)(station.node, station.name, quiet), StopLook(), 100)
    assert told in text_of(lines)


def test_of_several_messages_one_is_looked_at() -> None:
    station = FAILING[2]
    assert station.stop is not None
    first, second = (trace_values.message(f'{{"n":{number}}}') for number in (1, 2))
    several = replace(station.stop, takes=(first, second), gives=(second, first))
    shown = type(station)(station.node, station.name, several)
    text = text_of(stop_lines(shown, StopLook(taken=1, given=1), 100))
    assert "2 of 2" in text
    assert "~ └ n  2" in text


def _wide_lines(lines: Sequence[Line], width: int) -> list[str]:
    return [text_of([line]) for line in lines if width_of(line) > width]


@pytest.mark.parametrize("view", PayloadView)
def test_two_columns_keep_within_the_width(view: PayloadView) -> None:
    for station in PASSING:
        lines = stop_lines(station, StopLook(view), 76)
        left = [line for line in lines if any(text == " │ " for text, _ in line)]
        assert not _wide_lines([line[: len(line) // 2] for line in left], 76)


# Editing


def test_values_are_edited_as_text_and_become_messages() -> None:
    taken = trace_values.message(trace_values.ORDER)
    text = text_to_edit(taken.value)
    assert '\n  "product": "unicorn"' in text
    edited = edited_message(taken, text.replace("unicorn", "tea"))
    assert edited.payload_type == taken.payload_type
    assert edited.meta == taken.meta
    assert json.loads(edited.value)["product"] == "tea"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (replace(_json("x"), complete=False), "in part only"),
        (ShownValue(type_name="Money", text="<Money 3>", form=ValueForm.REPR), "a Money cannot"),
        (trace_values.raw_message(b"\xff\x00").value, "no UTF-8"),
    ],
)
def test_what_cannot_be_edited_says_why(value: ShownValue, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        text_to_edit(value)


@pytest.mark.parametrize("text", ["", "{", "[" * 10_000])
def test_what_is_no_json_becomes_no_message(text: str) -> None:
    with pytest.raises(ValueError, match="no JSON"):
        edited_message(trace_values.message("{}"), text)


def test_the_line_that_failed_and_what_was_said_of_it_are_whole_in_a_narrow_screen() -> None:
    failure = trace_values.failing_trace().failures[0]
    frame = failure.frames[-1]
    long = "return make(" + ", ".join(f"argument_{number}" for number in range(20)) + ")"
    source = [
        f"    {long}" if frame.first_line + n == frame.line else each
        for n, each in enumerate(frame.source)
    ]
    said = "no price of " + "a very long name " * 8
    changed = replace(failure, reason=said, frames=(replace(frame, source=tuple(source)),))
    lines = tuple(failure_lines(changed, 76))
    marked = [line for line in lines if any(ink is Ink.BAD and text.strip() for text, ink in line)]
    assert len(marked) > 6
    assert max(map(width_of, marked)) <= 76
    together = "".join(piece for line in lines for piece, ink in line if ink is Ink.STRONG)
    assert long in together
    told = "".join(
        piece.removeprefix("  ") for line in lines for piece, ink in line if ink is Ink.BAD
    )
    assert said.strip() in told
