"""How a node fares, told from its counters alone."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from loom_bench.session.value import NodeView
from loom_bench.tui.ink import Ink

SLOW_BUSY_SHARE = 0.5
"""A node that takes half of a worker's time is what limits the flow."""


class Health(IntEnum):
    """From nothing to tell to the worst."""

    IDLE = 0
    WELL = 1
    SLOW = 2
    FAILING = 3


INKS = {
    Health.IDLE: Ink.DIM,
    Health.WELL: Ink.GOOD,
    Health.SLOW: Ink.WARN,
    Health.FAILING: Ink.BAD,
}

MARKS = {Health.IDLE: " ", Health.WELL: " ", Health.SLOW: "!", Health.FAILING: "x"}
"""What tells it where there are no colours."""

WORDS = {
    Health.IDLE: "idle",
    Health.WELL: "well",
    Health.SLOW: "slow",
    Health.FAILING: "failing",
}


def health_of(view: NodeView | None) -> Health:
    """Return how the node with these counters fares; ``IDLE`` when it has none yet."""
    if view is None:
        return Health.IDLE
    if view.errors:
        return Health.FAILING
    if view.busy_share >= SLOW_BUSY_SHARE:
        return Health.SLOW
    return Health.WELL if view.records_in or view.records_out else Health.IDLE


def worst(views: Iterable[NodeView | None]) -> Health:
    """Return the gravest health among *views*."""
    return max(map(health_of, views), default=Health.IDLE)
