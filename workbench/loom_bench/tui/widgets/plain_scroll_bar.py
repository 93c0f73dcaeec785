"""Scroll bars of whole cells: the fractions that Textual draws need more than box drawing."""

from __future__ import annotations

from typing import ClassVar

from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollBar, ScrollBarRender
from textual.widget import Widget


class PlainScrollBar(ScrollBarRender):
    """Draws its ends as blanks in colour, like the rest of it."""

    VERTICAL_BARS: ClassVar[list[str]] = [" "]
    HORIZONTAL_BARS: ClassVar[list[str]] = [" "]


def use_plain_scroll_bars() -> None:
    """Draw every scroll bar of this process so; Textual knows one way for all of them."""
    ScrollBar.renderer = PlainScrollBar


class Scrolled(ScrollView):
    """A view whose scroll bar stands where the view does from the moment it comes up: Textual moves
    only a bar that is there already."""

    def scroll_over(self, size: Size) -> None:
        """Let it scroll over *size*. Setting ``virtual_size`` would lay the whole screen out again,
        which nothing but a scroll bar that comes or goes has need of."""
        if size != self.virtual_size:
            self.set_reactive(Widget.virtual_size, size)
            self._scroll_update(size)

    def watch_show_vertical_scrollbar(self, shown: bool) -> None:
        """Put the bar that came up in its place."""
        if shown:
            self.vertical_scrollbar.position = round(self.scroll_y)
