"""A table over a sequence that may be replaced at any time; draws only the rows that are seen."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, TypeVar, runtime_checkable

from textual import events
from textual.binding import BindingType
from textual.geometry import Size
from textual.message import Message

from loom_bench.tui.actions import bindings
from loom_bench.tui.ink import Ink, Line, Run, fitted
from loom_bench.tui.widgets.moving import OverRows
from loom_bench.tui.widgets.painter import EMPTY_ROW, Painter, Row
from loom_bench.tui.widgets.plain_scroll_bar import Scrolled

T = TypeVar("T")

_SHIFT_CELLS = 8


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        title: Its heading.
        width: Cells; 0 takes what the others leave.
        most: Most cells that a column takes of what the others leave; 0 for all.
        right: Whether it stands at the right.
        from_cells: Narrowest table that shows it.
    """

    title: str
    width: int = 0
    most: int = 0
    right: bool = False
    from_cells: int = 0


@dataclass(frozen=True)
class TableForm(Generic[T]):
    """What a table shows of an item.

    Attributes:
        columns: Its columns; one without a title has no heading line.
        cells: A run for each column, from the item and the time now, milliseconds since the epoch.
        identity: What stays the same of an item whose figures change; the cursor keeps to it.
        follows: Whether the cursor follows the newest item, which is the last.
        ages: Whether cells change as time goes by.
    """

    columns: tuple[Column, ...]
    cells: Callable[[T, int], Sequence[Run]]
    identity: Callable[[T], Hashable]
    follows: bool = False
    ages: bool = False


@runtime_checkable
class PartlyAtHand(Protocol):
    """Items of which there may be a million, only some of them at hand."""

    def at_hand(self) -> Iterable[tuple[int, Any]]:
        """Return place and item of those."""
        ...


class LineTable(OverRows, Painter, Scrolled, Generic[T], can_focus=True):
    """The table. While it follows, the newest item is selected and in sight; moving away from it
    holds it: its owner then shows it nothing newer until it follows again."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("list")
    ALLOW_SELECT = False

    class Chosen(Message):
        """An item was chosen with Enter or a double click."""

        def __init__(self, item: Any) -> None:
            super().__init__()
            self.item = item

    class Moved(Message):
        """Another row is under the cursor, or the row there changed."""

    class Asked(Message):
        """Something was asked that the table cannot do alone: ``filter``, ``clear`` or ``copy``."""

        def __init__(self, what: str) -> None:
            super().__init__()
            self.what = what

    def __init__(self, form: TableForm[T], *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.form = form
        self._items: Sequence[T] = ()
        self._empty: Sequence[Line] = ()
        self._now_ms = 0
        self._cursor = 0
        self._shift = 0
        self.held = False
        self._heading = any(column.title for column in form.columns)

    # What it shows

    def show(self, items: Sequence[T], now_ms: int, empty: Sequence[Line] = ()) -> None:
        """Show *items*, or *empty* when there are none."""
        seen_before = self._seen()
        older = self._now_ms // 1000 != now_ms // 1000
        self._now_ms = now_ms
        self._replace(items)
        emptier = not items and empty != self._empty
        if emptier:
            self._empty = empty
        if emptier or self._seen() != seen_before or (self.form.ages and older):
            self.show_changes()

    @property
    def items(self) -> Sequence[T]:
        """What it shows."""
        return self._items

    @property
    def selected(self) -> T | None:
        """The item under the cursor."""
        return self._items[self._cursor] if self._items else None

    def hold(self, held: bool) -> None:
        """Say whether the cursor stays where it is; the owner shows nothing newer meanwhile."""
        self.held = held and bool(self._items)
        self.post_message(self.Moved())

    def select(self, identity: Hashable) -> bool:
        """Move the cursor to the item with *identity*; tell whether there is one."""
        for index, item in enumerate(self._items):
            if self.form.identity(item) == identity:
                self._move_to(index)
                return True
        return False

    def _replace(self, items: Sequence[T]) -> None:
        if items is self._items:
            return
        selected = self.selected
        self._items = items
        last = max(0, len(items) - 1)
        if self.form.follows and not self.held:
            self._cursor = last
        elif selected is not None:
            self._cursor = _place_of(selected, items, self._cursor, self.form.identity)
        self.scroll_over(Size(0, len(items) + self._heading))
        self._keep_in_sight()

    def _seen(self) -> tuple[object, ...]:
        top = round(self.scroll_y)
        window = self._items[top : top + self.size.height]
        return (top, self._cursor, len(self._items), *window)

    # Painting

    def row(self, y: int, width: int) -> Row:
        """Return what stands in row *y*."""
        if not self._items:
            return Row(self._empty[y - 1]) if 0 < y <= len(self._empty) else EMPTY_ROW
        if y == 0 and self._heading:
            titles = [(column.title, Ink.HEAD) for column in self.form.columns]
            return Row(self._row(titles, width, 0), Ink.HEAD)
        index = round(self.scroll_y) + y - self._heading
        if index >= len(self._items):
            return EMPTY_ROW
        cells = self.form.cells(self._items[index], self._now_ms)
        under = None
        if index == self._cursor:
            under = Ink.CURSOR if self.has_focus else Ink.CURSOR_IDLE
        return Row(self._row(cells, width, self._shift), under)

    def _row(self, cells: Sequence[Run], width: int, shift: int) -> list[Run]:
        columns = self.form.columns
        shown = [column.from_cells <= width for column in columns]
        taken = sum(column.width + 1 for column, show in zip(columns, shown, strict=True) if show)
        runs: list[Run] = []
        for column, show, (text, ink) in zip(columns, shown, cells, strict=True):
            if not show:
                continue
            left = max(1, width - taken)
            cells_wide = column.width or min(left, column.most or left)
            skip = 0 if column.width else shift
            runs.append((fitted(text, cells_wide, right=column.right, skip=skip), ink))
            runs.append((" ", Ink.PLAIN))
        return runs

    # Moving

    def _move_to(self, index: int) -> None:
        last = max(0, len(self._items) - 1)
        self._cursor = min(max(0, index), last)
        if self.form.follows and self._cursor < last:
            self.held = True
        self._keep_in_sight()
        self.show_changes()
        self.post_message(self.Moved())

    def _keep_in_sight(self) -> None:
        page = max(1, self.size.height - self._heading)
        top = round(self.scroll_y)
        if self._cursor < top:
            top = self._cursor
        elif self._cursor >= top + page:
            top = self._cursor - page + 1
        self.scroll_to(y=top, animate=False, force=True)

    @property
    def _page(self) -> int:
        return max(1, self.size.height - self._heading - 1)

    def action_bottom(self) -> None:
        """Move to the last row, and follow."""
        self.hold(False)
        self._move_to(len(self._items) - 1)

    def action_left(self) -> None:
        """Show what lies further left in long rows."""
        self._shift = max(0, self._shift - _SHIFT_CELLS)
        self.show_changes()

    def action_right(self) -> None:
        """Show what lies further right in long rows."""
        self._shift += _SHIFT_CELLS
        self.show_changes()

    def action_choose(self) -> None:
        """Choose the selected item."""
        if self._items:
            self.post_message(self.Chosen(self._items[self._cursor]))

    def action_hold(self) -> None:
        """Hold, or follow again."""
        self.hold(not self.held)

    def action_filter(self) -> None:
        """Ask for the filter."""
        self.post_message(self.Asked("filter"))

    def action_clear(self) -> None:
        """Ask to drop the filter."""
        self.post_message(self.Asked("clear"))

    def action_copy(self) -> None:
        """Ask to copy the row."""
        self.post_message(self.Asked("copy"))

    def on_click(self, event: events.Click) -> None:
        """Select the row; a double click chooses it."""
        index = round(self.scroll_y) + event.y - self._heading
        if event.y < self._heading or index >= len(self._items):
            return
        self._move_to(index)
        if event.chain == 2:
            self.action_choose()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Move up three rows; the wheel moves the cursor, as arrows do."""
        event.prevent_default().stop()
        self._move_to(self._cursor - 3)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Move down three rows."""
        event.prevent_default().stop()
        self._move_to(self._cursor + 3)

    def on_resize(self) -> None:
        """Keep the cursor in sight."""
        self._keep_in_sight()
        self.call_after_refresh(self._keep_in_sight)  # what fits is known only now


def _place_of(item: T, items: Sequence[T], before: int, identity: Callable[[T], Hashable]) -> int:
    """Return where *item* stands now, or the place nearest to where it stood."""
    last = max(0, len(items) - 1)
    wanted = identity(item)
    if before < len(items) and identity(items[before]) == wanted:
        return before
    for index, other in items.at_hand() if isinstance(items, PartlyAtHand) else enumerate(items):
        if identity(other) == wanted:
            return index
    return min(before, last)
