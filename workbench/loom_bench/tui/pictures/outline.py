"""The plan with a row a node: rails to the left show how records go, figures stand in columns."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from loom_bench.graph.picture import picture_of
from loom_bench.graph.shapes import Box, Chain, Frame, Item, Split, Way
from loom_bench.session.value import NodeView
from loom_bench.tui.figures import count_text, millis_text, rate_text
from loom_bench.tui.health import INKS, MARKS, Health
from loom_bench.tui.inbox.proof import tally_run
from loom_bench.tui.ink import Ink, Line, Run, fitted, width_of
from loom_bench.tui.pictures.look import GraphLook
from loom_bench.tui.pictures.spots import Spot
from loom_runtime.compiler.document_parts import PlanDocument
from loom_runtime.compiler.plan import NodeKind

_BUSY_CELLS = 6
_MIN_NAME_CELLS = 12


@dataclass(frozen=True)
class _Figure:
    """A column of figures; ``from_cells`` is the narrowest outline that has it."""

    title: str
    width: int
    from_cells: int = 0


_FIGURES = (
    _Figure("rate/s", 6),
    _Figure("p50", 6, 64),
    _Figure("p99", 6),
    _Figure("errors", 6),
    _Figure("held", 5),
    _Figure("busy", _BUSY_CELLS, 72),
)

_NOTHING: Run = ("", Ink.DIM)


@dataclass(frozen=True)
class OutlineRow:
    """One row.

    Attributes:
        rails: Lines to the left of the name.
        box: What the row is about.
        label: Branch that it begins.
    """

    rails: str
    box: Box
    label: str = ""


class OutlinePicture:
    """A row a node.

    Args:
        plan: The plan.
        max_width: Cells that are there.
        folded: Ids of nodes whose inside is hidden.
    """

    def __init__(self, plan: PlanDocument, *, max_width: int, folded: Collection[str] = ()) -> None:
        self.width = max_width
        self._rows = tuple(outline_rows(plan, folded))
        self._source = plan.source.id
        self._written = {
            node.id: node.name.removeprefix("IntoTopic(").removesuffix(")")
            for node in plan.nodes
            if node.kind is NodeKind.INTO_TOPIC
        } | {sink.id: sink.name for sink in plan.sinks}
        self._figures = tuple(each for each in _FIGURES if each.from_cells <= max_width)
        self.height = len(self._rows) + 1
        self.spots = tuple(
            Spot(row.box.id, 0, y, max_width, 1, 1) for y, row in enumerate(self._rows, start=1)
        )

    def line(
        self,
        y: int,
        look: GraphLook,
        selected: int,  # noqa: ARG002 - the whole row is marked, by whoever paints it
        *,
        focused: bool,  # noqa: ARG002
    ) -> Line:
        """Return row *y* as it looks now; the first is the heading."""
        if y == 0:
            titles = {each.title: (each.title, Ink.HEAD) for each in _FIGURES}
            return self._columns((), ("", Ink.HEAD), titles)
        row = self._rows[y - 1]
        name = self._name(row, look)
        label = (f"  {row.label}" if row.label else "", Ink.DIM)
        proof = look.proof(row.box.id)
        if proof is not None:
            text, ink = tally_run(proof)
            label = (f"  {text}", ink)
        return self._columns(name, label, self._counted(row.box.id, look))

    def cursor_row(self, selected: int) -> int | None:
        """Return the row of the selected spot."""
        return selected + 1

    def _name(self, row: OutlineRow, look: GraphLook) -> Line:
        box_id = row.box.id
        health = look.health(box_id)
        text, ink = row.box.lines[0], Ink.STRONG
        if box_id in self._written:
            text, ink = self._written[box_id], Ink.ACCENT
        if health >= Health.SLOW:
            ink = INKS[health]
        return ((f"{look.mark(box_id)} ", ink), (row.rails, Ink.DIM), (text, ink))

    def _counted(self, box_id: str, look: GraphLook) -> dict[str, Run]:
        view = look.view(box_id)
        if view is None:
            return {"rate/s": look.source_rate()} if box_id == self._source else {}
        return _figures_of(view, slow=look.health(box_id) is Health.SLOW)

    def _columns(self, name: Line, label: Run, figures: dict[str, Run]) -> list[Run]:
        taken = sum(each.width + 1 for each in self._figures)
        left = max(_MIN_NAME_CELLS, self.width - taken)
        runs: list[Run] = []
        for text, ink in name:
            shown = fitted(text, min(left, width_of(((text, ink),))))
            runs.append((shown, ink))
            left -= width_of(((shown, ink),))
        runs.append((fitted(label[0], left), label[1]))
        gap = (" ", label[1])
        for each in self._figures:
            text, ink = figures.get(each.title, _NOTHING)
            runs.extend((gap, (fitted(text, each.width, right=each.title != "busy"), ink)))
        return runs


def _figures_of(view: NodeView, *, slow: bool) -> dict[str, Run]:
    time_ink = Ink.WARN if slow else Ink.DIM
    bad = f"{MARKS[Health.FAILING]}{count_text(view.errors)}" if view.errors else ""
    busy = "=" * round(min(1.0, view.busy_share) * _BUSY_CELLS)
    return {
        "rate/s": (rate_text(view.rate_per_s), Ink.PLAIN),
        "p50": (millis_text(view.p50_ms), time_ink),
        "p99": (millis_text(view.p99_ms), time_ink),
        "errors": (bad, Ink.BAD),
        "held": (count_text(view.held) if view.held else "", Ink.ACCENT),
        "busy": (busy, time_ink),
    }


def outline_rows(plan: PlanDocument, folded: Collection[str] = ()) -> Iterator[OutlineRow]:
    """Yield a row for every box of *plan*, records going from top to bottom."""
    picture = picture_of(plan, folded=folded, names_only=True)
    yield from _chain(picture.chain, "", "", "")
    for box in picture.apart:
        yield OutlineRow("┄ ", box, "errors")


def _chain(chain: Chain, before: str, first: str, label: str) -> Iterator[OutlineRow]:
    """Yield the rows of a chain.

    Args:
        chain: The chain.
        before: Rails of what stands round it, for all rows but the first.
        first: The same for the first row, where it branches off.
        label: Label of the way that it is.
    """
    last = len(chain.parts) - 1
    for index, part in enumerate(chain.parts):
        rails = (first if index == 0 else before) + _joint(index, last)
        yield OutlineRow(rails, part.box, label if index == 0 else "")
        yield from _inside(part, before + (" " if index == last else "│"))


def _joint(index: int, last: int) -> str:
    if last == 0:
        return "─ "
    return "┬ " if index == 0 else "└ " if index == last else "├ "


def _inside(part: Item | Split | Frame, before: str) -> Iterator[OutlineRow]:
    if isinstance(part, Item):
        if part.aside is not None:
            yield OutlineRow(f"{before}└┄ ", part.aside.box, part.aside.label)
        return
    ways = part.ways if isinstance(part, Split) else (Way("", part.chain),)
    for index, way in enumerate(ways):
        ends = index == len(ways) - 1
        yield from _chain(
            way.chain,
            before + ("  " if ends else "│ "),
            before + ("└─" if ends else "├─"),
            way.label,
        )
