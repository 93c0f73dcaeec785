"""Widgets that paint given lines: one of fixed height, and one that scrolls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.geometry import Size
from textual.message import Message
from textual.widget import Widget

from loom_bench.tui.ink import Line, width_of
from loom_bench.tui.widgets.painter import EMPTY_ROW, Painter, Row
from loom_bench.tui.widgets.plain_scroll_bar import Scrolled


class Lines(Painter, Widget):
    """Lines that stand where they are put; painted again only when they change."""

    ALLOW_SELECT = False

    class Pressed(Message):
        """A piece of a line was clicked.

        Attributes:
            row: Row in the widget.
            run: Index of the run.
        """

        def __init__(self, lines: Lines, row: int, run: int) -> None:
            super().__init__()
            self.lines = lines
            self.row = row
            self.run = run

        @property
        def control(self) -> Lines:
            """The widget."""
            return self.lines

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._lines: Sequence[Line] = ()

    def show(self, lines: Sequence[Line]) -> None:
        """Show *lines*."""
        if lines != self._lines:
            self._lines = lines
            self.show_changes()

    @property
    def lines(self) -> Sequence[Line]:
        """What it shows."""
        return self._lines

    def row(self, y: int, width: int) -> Row:  # noqa: ARG002 - lines are cut by the painter
        """Return what stands in row *y*."""
        return Row(self._lines[y]) if y < len(self._lines) else EMPTY_ROW

    def on_click(self, event: events.Click) -> None:
        """Tell which run was clicked."""
        offset = event.get_content_offset(self)
        if offset is None or offset.y >= len(self._lines):
            return
        x = 0
        for index, run in enumerate(self._lines[offset.y]):
            x += width_of((run,))
            if offset.x < x:
                self.post_message(self.Pressed(self, offset.y, index))
                return


class ScrolledLines(Painter, Scrolled, can_focus=True):
    """Lines that scroll when they are more than fit."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("j", "scroll_down", "Down"),
        ("k", "scroll_up", "Up"),
        ("g", "scroll_home", "Top"),
        ("G", "scroll_end", "Bottom"),
        ("ctrl+d", "page_down", "Page down"),
        ("ctrl+u", "page_up", "Page up"),
    ]
    ALLOW_SELECT = False

    def __init__(
        self,
        lines: Sequence[Line] = (),
        *,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._lines = lines
        self.virtual_size = Size(0, len(lines))

    def show(self, lines: Sequence[Line]) -> None:
        """Show *lines*; the place where it was scrolled to stays."""
        if lines == self._lines:
            return
        self._lines = lines
        self.scroll_over(Size(0, len(lines)))
        self.show_changes()

    def row(self, y: int, width: int) -> Row:  # noqa: ARG002 - lines are cut by the painter
        """Return what stands in row *y*."""
        index = round(self.scroll_y) + y
        return Row(self._lines[index]) if index < len(self._lines) else EMPTY_ROW
