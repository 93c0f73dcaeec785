"""The graph: what is seen at a glance, selecting, folding, panning, the details."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from loom_bench.session.envelopes.value import ProofTally
from tests.tui import inbox_values, values
from tests.tui.running_app import Bench, ScriptedEditor, bench

pytestmark = pytest.mark.asyncio


def _row_of(seen: Bench, name: str) -> str:
    return next(row for row in seen.rows[4:] if name in row[:40])


async def test_a_large_flow_is_an_outline_and_a_small_one_is_boxes() -> None:
    async with bench(values.running("orders")) as seen:
        assert "├─" in _row_of(seen, "CheckOrder")
    async with bench(values.running("smallest")) as seen:
        assert "│ Shout" in _row_of(seen, "Shout")


async def test_failing_slow_and_changed_nodes_are_marked_without_colour(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with bench(values.failing(), size=(160, 45)) as seen:
        assert _row_of(seen, "PriceOrder").startswith("│x")
        assert "x412" in _row_of(seen, "PriceOrder")
        assert _row_of(seen, "RateRisk").startswith("│!")
        assert _row_of(seen, "DropTests").startswith("│*")
        assert "RoundPrice removed" in seen.text


async def test_a_node_tells_how_its_failures_do_in_the_newest_code() -> None:
    async with bench(values.failing(), inbox=inbox_values.failing(), size=(160, 45)) as seen:
        assert "same error in r2" in _row_of(seen, "PriceOrder")
        assert "9 pass 3 not r2" in _row_of(seen, "CheckOrder")
        assert "r2" not in _row_of(seen, "DropTests")
        await seen.press("v")
        seen.app.main.graph.select("PriceOrder")
        await seen.press()
        assert any("x412 r2 same error" in row for row in seen.rows)
        assert any("x7 r2 9/12 pass" in row for row in seen.rows)
        # It is redrawn when another revision was tried.
        fixed = {"PriceOrder": ProofTally(revision=3, passes=51)}
        await seen.shows_inbox(replace(inbox_values.failing(), node_proofs=fixed))
        assert any("x412 r3 pass" in row for row in seen.rows)


async def test_a_folded_node_looks_like_the_worst_of_its_inside() -> None:
    async with bench(values.failing()) as seen:
        await seen.press("j", "f")
        assert "Router [+3]" in seen.text
        assert "CheckOrder" not in seen.rows[5]
        assert _row_of(seen, "Router [+3]").startswith("│x")
        await seen.press("u")
        assert "Router [+3]" not in seen.text


async def test_trouble_is_gone_to_even_inside_a_folded_node() -> None:
    async with bench(values.failing()) as seen:
        await seen.press("j", "f", "n")
        assert seen.app.main.graph.selected == "CheckOrder"
        await seen.press("n", "n")
        assert seen.app.main.graph.selected == "RateRisk"
        await seen.press("n")
        assert seen.app.main.graph.selected == "CheckOrder"


async def test_trouble_out_of_sight_is_told_below() -> None:
    async with bench(values.failing(), size=(80, 24)) as seen:
        assert "RateRisk 87% busy" in seen.text


async def test_samples_are_asked_for_the_selected_node_only() -> None:
    async with bench(values.running()) as seen:
        await seen.press("j", "down", "k")
        assert seen.session.asked("watch_samples")[-3:] == [
            ("Router",),
            ("CheckOrder",),
            ("Router",),
        ]
        await seen.press("g")
        assert seen.session.asked("watch_samples")[-1] == (None,)


async def test_boxes_are_selected_in_the_direction_of_the_key() -> None:
    async with bench(values.running(), size=(160, 45)) as seen:
        await seen.press("z", "v", "j", "j")
        assert seen.app.main.graph.selected == "IntoTopic(orders.cancelled)"
        await seen.press("h")
        assert seen.app.main.graph.selected == "CheckOrder"
        await seen.press("l")
        assert seen.app.main.graph.selected == "IntoTopic(orders.cancelled)"
        await seen.press("h", "j")
        assert seen.app.main.graph.selected == "DropTests"


async def test_a_box_is_selected_with_the_mouse() -> None:
    async with bench(values.running("smallest")) as seen:
        row = next(index for index, row in enumerate(seen.rows) if "Shout" in row)
        await seen.pilot.click(offset=(seen.rows[row].index("Shout"), row))
        assert seen.app.main.graph.selected == "Shout"


async def test_a_drawing_that_is_larger_than_the_screen_pans() -> None:
    async with bench(values.running()) as seen:
        await seen.press("v")
        await seen.press("G")
        assert seen.app.main.graph.scroll_y > 0
        await seen.press("g", "pagedown")
        assert seen.app.main.graph.scroll_y > 0


async def test_figures_change_without_moving_a_box() -> None:
    value = values.running("smallest")
    async with bench(value) as seen:
        before = [row.index("Shout") for row in seen.rows if "Shout" in row]
        view = replace(value.nodes["Shout"], rate_per_s=999_999_999.0, errors=10**9, held=10**6)
        await seen.shows(replace(value, nodes={"Shout": view}))
        assert "1000M/s" in seen.text or "1.0G/s" in seen.text
        assert [row.index("Shout") for row in seen.rows if "Shout" in row] == before


async def test_the_selected_node_shows_its_declaration_counters_and_samples() -> None:
    async with bench(values.running(), size=(160, 45)) as seen:
        await seen.press("j", "j")
        assert "sample_flows/orders.py:" in seen.text
        assert "50.4k" in seen.text
        assert '"order_id":"o-4714"' in seen.text
        assert '"total_cents":1800' in seen.text


async def test_on_a_small_screen_enter_shows_the_details() -> None:
    async with bench(values.running(), size=(80, 24)) as seen:
        await seen.press("j", "j", "enter")
        assert "sample_flows/orders.py:" in seen.text
        assert '"order_id": "o-4714"' in seen.text


async def test_the_declaration_opens_in_the_editor_at_its_line() -> None:
    editor = ScriptedEditor()
    async with bench(values.running(), editor=editor, environ={"EDITOR": "vim -X"}) as seen:
        node = next(each for each in values.plan_of("orders").nodes if each.id == "CheckOrder")
        await seen.press("j", "j", "e")
        assert "cannot be lent" in seen.text  # a test's terminal cannot
        assert not editor.commands
        assert node.line is not None


async def test_a_zoomed_part_has_the_whole_screen() -> None:
    async with bench(values.running(), size=(80, 24)) as seen:
        await seen.press("z")
        assert "CountMinute" in seen.text
        assert "Events" not in seen.text
        await seen.press("tab")
        assert "Events" in seen.text
        assert "CheckOrder" not in seen.rows[5]
        await seen.press("z")
        assert "Router" in seen.text
