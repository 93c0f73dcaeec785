"""Plans drawn with boxes and lines."""

import unicodedata
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loom_bench.graph.canvas import Canvas
from loom_bench.graph.drawing import draw
from loom_bench.graph.layout import layout
from loom_bench.graph.patch import PlacedBox
from loom_bench.graph.shapes import Aside, Box, Chain, Frame, Item, Picture, Split, Way
from loom_runtime import (
    Drain,
    FromTopic,
    IntoTopic,
    Process,
    Router,
    StreamFlow,
    compile_flow,
    payload,
)
from loom_runtime.compiler.document import document_of
from tests.bench.flows import everything
from tests.bench.plans import KAFKA, everything_plan, named_plan

HOSTILE = ["[/bold]", "\x1b]0;x\x07", "a\nb", "\u202e", "`<b>`", '"]; x -> y [label="', "漢字", ""]


def box(name: str) -> Box:
    return Box(name, (name,))


def drawn(picture: Picture, max_width: int | None = None) -> str:
    patch = layout(picture, max_width=max_width)
    canvas = Canvas()
    for mark in patch.marks:
        mark.draw(canvas)
    return "\n".join(canvas.lines(patch.width, patch.height))


def test_a_chain_goes_from_top_to_bottom() -> None:
    chain = Chain((Item(box("orders")), Item(box("Price"), gives="batch"), Item(box("out"))))
    assert drawn(Picture(chain)) == (
        "┌────────┐\n"
        "│ orders │\n"
        "└────┬───┘\n"
        "     │\n"
        " ┌───┴───┐\n"
        " │ Price │\n"
        " └───┬───┘\n"
        "     │ batch\n"
        "  ┌──┴──┐\n"
        "  │ out │\n"
        "  └─────┘"
    )


SPLIT = Chain(
    (
        Split(
            box("Router"),
            (
                Way("paid", Chain((Item(box("Charge")),))),
                Way("", Chain((Item(box("Drop"), ends=True),))),
            ),
        ),
        Item(box("out")),
    )
)


def test_ways_stand_side_by_side_and_those_that_go_on_meet_again() -> None:
    assert drawn(Picture(SPLIT)) == (
        "      ┌────────┐\n"
        "      │ Router │\n"
        "      └────┬───┘\n"
        "     ┌─────┴──────┐\n"
        "     │ paid   ┌───┴──┐\n"
        "┌────┴───┐    │ Drop │\n"
        "│ Charge │    └──────┘\n"
        "└────┬───┘\n"
        "     └─────┐\n"
        "           │\n"
        "        ┌──┴──┐\n"
        "        │ out │\n"
        "        └─────┘"
    )


def test_ways_that_do_not_fit_stand_below_one_another() -> None:
    assert drawn(Picture(SPLIT), max_width=20) == (
        "┌────────┐\n"
        "│ Router │\n"
        "└─┬──────┘\n"
        "  ├─ paid ──┐\n"
        "  │    ┌────┴───┐\n"
        "  │    │ Charge │\n"
        "  │    └────┬───┘\n"
        "  │         └─────┐\n"
        "  └──────┐        │\n"
        "     ┌───┴──┐     │\n"
        "     │ Drop │     │\n"
        "     └──────┘     │\n"
        "     ┌────────────┘\n"
        "     │\n"
        "  ┌──┴──┐\n"
        "  │ out │\n"
        "  └─────┘"
    )


FRAME = (
    "┌───────────────────────────────────┐\n"
    "│ With                              │\n"
    "├───────┬───────────────────────────┤\n"
    "│  ┌────┴───┐          ┌┄┄┄┄┄┄┄┄┄┐  │\n"
    "│  │ Window ├┄┄ late ┄┄┤ overdue ┆  │\n"
    "│  └────┬───┘          └┄┄┄┄┄┄┄┄┄┘  │\n"
    "└───────┼───────────────────────────┘\n"
    "        │\n"
    "     ┌──┴──┐\n"
    "     │ out │\n"
    "     └─────┘"
)


def test_records_that_no_way_takes_pass_by_on_a_line() -> None:
    ways = (Way("paid", Chain((Item(box("Charge")),))), Way("unclaimed", Chain(())))
    chain = Chain((Split(box("Router"), ways), Item(box("out"))))
    assert drawn(Picture(chain)) == (
        "    ┌────────┐\n"
        "    │ Router │\n"
        "    └────┬───┘\n"
        "     ┌───┴────┐\n"
        "     │ paid   │ unclaimed\n"
        "┌────┴───┐    │\n"
        "│ Charge │    │\n"
        "└────┬───┘    │\n"
        "     └───┬────┘\n"
        "         │\n"
        "      ┌──┴──┐\n"
        "      │ out │\n"
        "      └─────┘"
    )


@pytest.mark.parametrize("default", [None, Process(everything.Validate)], ids=["without", "with"])
def test_a_router_without_default_has_a_way_for_what_it_does_not_claim(
    default: Process | None,
) -> None:
    router = Router.by(payload.country, routes={"ES": Process(Drain())}, default=default)
    flow = StreamFlow(
        "routed",
        FromTopic("orders", payload=everything.Order),
        Process(router),
        output=IntoTopic("out", payload=everything.Order),
    )
    lines = draw(document_of(compile_flow(flow, config=KAFKA))).lines
    assert any("unclaimed" in line for line in lines) == (default is None)


def test_a_scope_stands_round_its_process_and_late_records_go_aside() -> None:
    late = Item(box("Window"), aside=Aside("late", Box("overdue", ("overdue",), dashed=True)))
    picture = Picture(Chain((Frame(box("With"), Chain((late,))), Item(box("out")))))
    assert drawn(picture) == FRAME


def test_error_topics_stand_apart_beside_or_below() -> None:
    picture = Picture(Chain((Item(box("orders")),)), (Box("bad", ("bad",), dashed=True),))
    assert drawn(picture) == ("┌────────┐   ┌┄┄┄┄┄┐\n│ orders │   ┆ bad ┆\n└────────┘   └┄┄┄┄┄┘")
    assert drawn(picture, max_width=15) == (
        "┌────────┐\n│ orders │\n└────────┘\n\n┌┄┄┄┄┄┐\n┆ bad ┆\n└┄┄┄┄┄┘"
    )


def test_every_node_topic_and_source_of_a_plan_has_its_box() -> None:
    document = everything_plan()
    drawing = draw(document)
    ids = [placed.box.id for placed in drawing.boxes]
    for node in document.nodes:
        assert ids.count(node.id) == 1
    assert ids.count(document.source.id) == 1
    # The sinks of IntoTopic nodes are the nodes' own boxes.
    assert {"sink:spain", "sink:late-orders", "sink:undecodable", "sink:failed"} <= set(ids)
    text = "\n".join(drawing.lines)
    for expected in (
        "source of Order",
        "dead letters to refused-dead",
        "errors: task, business, routing",
        "keeps state",
        "batch expand step",
        " late ",
        "dropped",
        "payload.amount > 1000",
    ):
        assert expected in text


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_plan_with_many_ways_fits_a_terminal(width: int) -> None:
    drawing = draw(everything_plan(), max_width=width)
    assert drawing.width <= max(width, 66)  # 66 is its narrowest form
    assert all(len(line) <= drawing.width for line in drawing.lines)


def test_each_box_is_where_the_drawing_says() -> None:
    drawing = draw(everything_plan())
    for placed in drawing.boxes:
        for row, text in enumerate(placed.box.lines, start=placed.y + 1):
            start = placed.x + 2
            assert drawing.lines[row][start : start + len(text)] == text
        assert drawing.box_at(placed.x, placed.y) == placed
        assert drawing.lines[placed.y][placed.x] == "┌"
    assert drawing.box_at(-1, 0) is None


def test_the_innermost_box_is_found_under_the_pointer() -> None:
    drawing = draw(everything_plan())
    price = next(placed for placed in drawing.boxes if placed.box.id == "Price")
    scope = next(placed for placed in drawing.boxes if placed.box.id == "With")
    assert drawing.box_at(price.x + 1, price.y + 1) == price
    assert drawing.box_at(price.x - 1, price.y + 1) == scope


def test_notes_stand_in_their_boxes() -> None:
    drawing = draw(everything_plan(), notes={"Price": ["1,200/s", "p99 3 ms\x1b[0m"]})
    price = next(placed for placed in drawing.boxes if placed.box.id == "Price")
    assert price.box.lines == ("Price", "1,200/s", "p99 3 ms\\x1b[0m")
    assert price.height == 5


@pytest.mark.parametrize("name", [*HOSTILE, "\x1b[2J" * 500])
def test_no_name_acts_on_the_terminal_or_breaks_a_box(name: str) -> None:
    drawing = draw(named_plan(name), max_width=80)
    for line in drawing.lines:
        assert all(unicodedata.category(character) not in ("Cc", "Cf", "Cs") for character in line)
    tops = [line for line in drawing.lines if line.lstrip().startswith("┌")]
    assert len(tops) >= 3


ITEMS = st.builds(
    lambda text, ends, aside: Item(
        Box(text, (text,)), ends=ends, aside=Aside("late", box("aside")) if aside else None
    ),
    st.text("abc漢", max_size=12),
    st.just(False),
    st.booleans(),
)


def _chains(parts: st.SearchStrategy[Item | Split | Frame]) -> st.SearchStrategy[Chain]:
    return st.lists(parts, min_size=1, max_size=3).map(lambda each: Chain(tuple(each)))


PARTS = st.recursive(
    ITEMS,
    lambda parts: st.one_of(
        st.builds(
            lambda text, chains: Split(
                Box(text, (text,)), tuple(Way(chain.parts[0].box.id, chain) for chain in chains)
            ),
            st.text("xyz", max_size=20),
            st.lists(_chains(parts), min_size=1, max_size=4),
        ),
        st.builds(
            lambda text, chain: Frame(Box(text, (text, text)), chain),
            st.text("xyz", max_size=20),
            _chains(parts),
        ),
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(_chains(PARTS), st.lists(ITEMS, max_size=2), st.integers(20, 100) | st.none())
def test_boxes_never_overlap_unless_one_stands_round_the_other(
    chain: Chain, apart: list[Item], max_width: int | None
) -> None:
    picture = Picture(chain, tuple(item.box for item in apart))
    patch = layout(picture, max_width=max_width)
    placed = [mark for mark in patch.marks if isinstance(mark, PlacedBox)]
    for first, second in combinations(placed, 2):
        assert _apart(first, second) or _within(second, first)
    for each in placed:
        assert each.x >= 0
        assert each.y >= 0
        assert each.x + each.width <= patch.width
        assert each.y + each.height <= patch.height
    drawn(picture, max_width)


def _apart(a: PlacedBox, b: PlacedBox) -> bool:
    return (
        a.x + a.width <= b.x
        or b.x + b.width <= a.x
        or a.y + a.height <= b.y
        or b.y + b.height <= a.y
    )


def _within(inner: PlacedBox, outer: PlacedBox) -> bool:
    header = len(outer.box.lines) + 2
    return (
        outer.x < inner.x
        and inner.x + inner.width < outer.x + outer.width
        and outer.y + header <= inner.y
        and inner.y + inner.height < outer.y + outer.height
    )
