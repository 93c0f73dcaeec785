"""What a panel is: pure functions from a session's value to rows, a summary, details."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from loom_bench.session.value import SessionValue
from loom_bench.tui.ink import Line, Run
from loom_bench.tui.widgets.line_table import TableForm

T = TypeVar("T")

Place = tuple[str, int | None]
"""File and line."""


def no_summary(_: SessionValue) -> Line:
    """Return nothing to stand above the rows."""
    return ()


def _no_badge(_: SessionValue) -> Run | None:
    return None


def _no_place(_: Any) -> Place | None:
    return None


def _no_node(_: Any) -> str | None:
    return None


@dataclass(frozen=True)
class PanelSpec(Generic[T]):
    """One list of a panel.

    Attributes:
        id: Stable name.
        title: What stands on its tab.
        form: Columns and cells.
        items: The rows, from the value; the same object as long as nothing changed, where it can.
        summary: What stands above the rows: totals, and what was left out; empty for none.
        empty: What stands there when there are no rows: what to do.
        names: Names of what a filter can look into.
        fields: What it looks into, by name.
        detail: Everything about one row.
        badge: What stands beside the title on the tab.
        place: File and line of a row.
        node: Node that a row is about.
        preview: Whether the selected row's details stand below, where there is room.
    """

    id: str
    title: str
    form: TableForm[T]
    items: Callable[[SessionValue], Sequence[T]]
    summary: Callable[[SessionValue], Line]
    empty: Callable[[SessionValue], Sequence[Line]]
    names: tuple[str, ...]
    fields: Callable[[T], Mapping[str, str]]
    detail: Callable[[T, SessionValue], Sequence[Line]]
    badge: Callable[[SessionValue], Run | None] = _no_badge
    place: Callable[[T], Place | None] = _no_place
    node: Callable[[T], str | None] = _no_node
    preview: bool = False


@dataclass(frozen=True)
class PageSpec:
    """One tab: a list, or two of which the second is smaller.

    Attributes:
        id: Stable name; the last part of its action's.
        title: What stands on its tab.
        short: What stands there when there is little room.
        panels: Its lists.
    """

    id: str
    title: str
    short: str
    panels: tuple[PanelSpec[Any], ...]
