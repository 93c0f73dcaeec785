"""The line below the graph: which nodes are in trouble, and what the last reload changed."""

from __future__ import annotations

from collections.abc import Iterator

from loom_bench.session.value import NodeView, SessionValue
from loom_bench.tui.figures import count_text, millis_text
from loom_bench.tui.health import INKS, MARKS, Health, health_of
from loom_bench.tui.ink import Ink, Line, Run
from loom_bench.tui.pictures.look import CHANGED_MARK

_MAX_TROUBLES = 3
_MAX_CHANGES = 4


def graph_news(value: SessionValue, *, all_in_sight: bool) -> Line:
    """Return the line; empty when there is nothing to tell.

    Args:
        value: The value.
        all_in_sight: Whether every node can be seen; its marks then tell its troubles already.
    """
    return (*(() if all_in_sight else _troubles(value)), *_changes(value))


def _troubles(value: SessionValue) -> Iterator[Run]:
    by_id = {node.id for node in value.plan.nodes} if value.plan is not None else set()
    views = [view for view in value.nodes.values() if view.id in by_id]
    graded = [(health_of(view), view) for view in views]
    troubled = [(health, view) for health, view in graded if health >= Health.SLOW]
    troubled.sort(key=lambda pair: (-pair[0], -pair[1].errors, -pair[1].busy_share))
    for health, view in troubled[:_MAX_TROUBLES]:
        yield (f" {MARKS[health]} {view.id}", INKS[health])
        yield (f" {_figure(health, view)} ", Ink.DIM)
    if troubled:
        more = len(troubled) - _MAX_TROUBLES
        yield (f"+{more} " if more > 0 else "", Ink.BAD)
        yield (" n", Ink.KEY)
        yield (" goes there ", Ink.DIM)


def _figure(health: Health, view: NodeView) -> str:
    if health is Health.FAILING:
        return count_text(view.errors)
    return f"{view.busy_share:.0%} busy, p99 {millis_text(view.p99_ms)}"


def _changes(value: SessionValue) -> Iterator[Run]:
    if value.changed_nodes:
        yield (f" {CHANGED_MARK} {_some(value.changed_nodes)} changed", Ink.ACCENT)
    if value.removed_nodes:
        yield (f" - {_some(value.removed_nodes)} removed", Ink.WARN)


def _some(names: tuple[str, ...]) -> str:
    more = len(names) - _MAX_CHANGES
    return ", ".join(names[:_MAX_CHANGES]) + (f" and {more} more" if more > 0 else "")
