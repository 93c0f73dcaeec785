"""Pictures of plans: the outline's rails, folding, and boxes whose figures are filled in later."""

from __future__ import annotations

import pytest

from loom_bench.graph.drawing import draw
from loom_bench.session.value import SessionValue
from loom_bench.tui.pictures.boxes import BoxPicture
from loom_bench.tui.pictures.look import GraphLook, inside
from loom_bench.tui.pictures.outline import OutlinePicture, outline_rows
from loom_bench.tui.pictures.spots import GraphPicture, nearest, spot_at
from loom_runtime.compiler.document_parts import PlanDocument
from tests.bench.plans import everything_plan, named_plan
from tests.tui import values

EMPTY = SessionValue(target="flow.py")


def _text(picture: GraphPicture, value: SessionValue) -> list[str]:
    look = GraphLook(value, ())
    return [
        "".join(text for text, _ in picture.line(y, look, 0, focused=True)).rstrip()
        for y in range(picture.height)
    ]


def test_rails_show_how_records_go() -> None:
    rows = [f"{row.rails}{row.box.lines[0]}" for row in outline_rows(values.plan_of("flights"))]
    assert rows == [
        "┬ flights",
        "├ Validate",
        "├ Enrich",
        "└ Broadcast",
        " ├─┬ TrackCarrier",
        " │ └ flights.carriers",
        " ├─┬ CollectBatch",
        " │ │└┄ flights.overdue",
        " │ ├ CountHour",
        " │ └ flights.hourly",
        " └── Fork",
        "    ├── IntoTopic(flights.united)",
        "    ├── IntoTopic(flights.jetblue)",
        "    ├── IntoTopic(flights.delta)",
        "    └── IntoTopic(flights.others)",
        "┄ flights.errors",
    ]


@pytest.mark.parametrize("plan", [everything_plan(), values.plan_of("orders")])
def test_every_node_stands_in_both_pictures(plan: PlanDocument) -> None:
    for picture in (BoxPicture(plan, max_width=80), OutlinePicture(plan, max_width=80)):
        assert {node.id for node in plan.nodes} <= {spot.id for spot in picture.spots}


def test_what_is_folded_is_counted_and_hidden() -> None:
    plan = values.plan_of("orders")
    within = {node.id for node in inside(plan, "Broadcast")}
    picture = OutlinePicture(plan, max_width=80, folded=("Broadcast",))
    assert not within & {spot.id for spot in picture.spots}
    assert any(f"Broadcast [+{len(within)}]" in row for row in _text(picture, EMPTY))
    drawing = "\n".join(draw(plan, folded=("Router", "With"), dense=True).lines)
    assert "Router [+3]" in drawing
    assert "With [+1]" in drawing
    assert "PriceOrder" not in drawing


@pytest.mark.parametrize("width", [40, 60, 80, 160])
def test_boxes_that_touch_stay_whole(width: int) -> None:
    drawing = draw(everything_plan(), max_width=width, dense=True)
    for box in drawing.boxes:
        assert drawing.lines[box.y][box.x] in "┌┏├┬┼"
        assert drawing.lines[box.y + box.height - 1][box.x] in "└├┴┼"
        assert box.box.lines[0] in drawing.lines[box.y + 1]


def test_live_figures_fill_the_room_that_was_left_for_them() -> None:
    value = values.failing()
    assert value.plan is not None
    picture = BoxPicture(value.plan, max_width=80)
    empty, live = _text(picture, EMPTY), _text(picture, value)
    assert [len(row) for row in empty] == [len(row) for row in live]
    price = next(index for index, row in enumerate(live) if "PriceOrder" in row)
    assert "x412" in live[price + 1]
    assert "PriceOrder               x │" in live[price]


def test_names_from_outside_do_not_break_a_row() -> None:
    for name in ("[/b]", "\x1b[2J", "漢字", "a\nb", ""):
        plan = named_plan(name)
        for picture in (BoxPicture(plan, max_width=60), OutlinePicture(plan, max_width=60)):
            assert len(_text(picture, EMPTY)) == picture.height


def test_the_innermost_box_is_hit() -> None:
    picture = BoxPicture(values.plan_of("orders"), max_width=80)
    for index, spot in enumerate(picture.spots):
        assert spot_at(picture.spots, spot.x + 1, spot.y + 1) == index
    assert spot_at(picture.spots, 10_000, 10_000) is None


def test_going_down_reaches_the_end_and_going_up_the_source() -> None:
    for picture in (
        BoxPicture(values.plan_of("orders"), max_width=80),
        OutlinePicture(values.plan_of("orders"), max_width=80),
    ):
        here, seen = 0, 0
        while (below := nearest(picture.spots, here, 0, 1)) is not None:
            assert picture.spots[below].y > picture.spots[here].y
            here, seen = below, seen + 1
        assert seen > 5
        while (above := nearest(picture.spots, here, 0, -1)) is not None:
            here = above
        assert here == 0
