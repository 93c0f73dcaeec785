"""How lines become strips: the one door through which text reaches a cell.

Whatever is painted is made safe here, so that no panel can forget it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual.cache import FIFOCache
from textual.filter import ANSIToTruecolor, LineFilter
from textual.geometry import Region
from textual.strip import Strip

from loom_bench.safe import cell_width, safe
from loom_bench.tui.ink import CHARACTERS_PER_CELL, Ink, Line
from loom_bench.tui.theme import ink_styles

if TYPE_CHECKING:
    from typing import Self

    from textual.widget import Widget as _Base
else:
    _Base = object

_KEPT_STRIPS = 64
"""Two screens: what comes back is not painted, nor turned into escape codes, again."""


class Row(NamedTuple):
    """What stands in one row of a widget.

    Attributes:
        line: The text.
        under: Ink that lies under all of it: a cursor.
        left: Cells of it that are scrolled out to the left.
        width: Cells of the whole row, if that is wider than the widget.
    """

    line: Line
    under: Ink | None = None
    left: int = 0
    width: int = 0


EMPTY_ROW = Row(())


class Painter(_Base):
    """Paints the rows of a widget, and after a change those rows only that look different: a row
    that stays costs nothing, neither here nor in the terminal.

    The styles of inks are looked up once a theme. Textual's component classes would do, but it
    applies every one of them to every widget again whenever the focus moves.
    """

    _ink_styles: Mapping[Ink, Style] | None = None
    _under_styles: Mapping[Ink, Style] | None = None
    _strips: FIFOCache[tuple[object, ...], Strip] | None = None
    _rows: dict[int, Row] | None = None
    _rows_width = 0

    @abstractmethod
    def row(self, y: int, width: int) -> Row:
        """Return what stands in row *y* of the widget, which is *width* cells wide."""

    def show_changes(self) -> None:
        """Paint the rows that have changed since they were painted last."""
        content = self.scrollable_content_region
        before = self._rows
        if not before or content.width != self._rows_width:
            self.refresh()
            return
        now = {y: self.row(y, content.width) for y in range(content.height)}
        changed = [y for y, row in now.items() if before.get(y) != row]
        if changed:
            width = self.size.width
            self.refresh(*(Region(0, y, width, height) for y, height in _stretches(changed)))
            self._rows = now

    def refresh(
        self,
        *regions: Region,
        repaint: bool = True,
        layout: bool = False,
        recompose: bool = False,
    ) -> Self:
        """Paint what is given, or everything, whether or not it changed."""
        self._rows = None
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Return what changes strips before they are shown; inks have no colours of a terminal's
        own palette that would have to be turned into others."""
        found = super().get_line_filters()
        return [each for each in found if not isinstance(each, ANSIToTruecolor)]

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the strips of the widget."""
        width = self.scrollable_content_region.width
        if width != self._rows_width:
            self._rows, self._rows_width = None, width
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        """Return the strip of one row."""
        if self._rows is None:
            self._rows = {}
        row = self._rows.get(y)
        if row is None:
            row = self._rows[y] = self.row(y, self._rows_width)
        line, under, left, whole = row
        strip = self.paint(line, max(whole, self._rows_width), under=under)
        return strip.crop(left, left + self._rows_width)

    def notify_style_update(self) -> None:
        """Forget styles and strips: the style sheet or the theme changed."""
        self._ink_styles = None
        self._strips = None
        super().notify_style_update()

    def _styles_of_inks(self) -> Mapping[Ink, Style]:
        if self._ink_styles is None:
            base = self.rich_style
            self._under_styles = ink_styles(self.app.current_theme)
            self._ink_styles = {ink: base + style for ink, style in self._under_styles.items()}
        return self._ink_styles

    def paint(self, line: Line, width: int, *, under: Ink | None = None) -> Strip:
        """Return *line* as a strip of exactly *width* cells.

        Args:
            line: What to paint; made safe here, cut with an ellipsis where it is too long.
            width: Cells.
            under: Ink that lies under the whole line: a cursor.
        """
        if self._strips is None:
            self._strips = FIFOCache(_KEPT_STRIPS)
        # Cut first: a key must not keep a payload of any size alive.
        enough = (width + 1) * CHARACTERS_PER_CELL
        cut = tuple((text[:enough], ink) for text, ink in line)
        key = (cut, width, under)
        strip = self._strips.get(key)
        if strip is None:
            strip = self._strips[key] = self._painted(cut, width, under)
        return strip

    def _painted(self, line: Line, width: int, under: Ink | None) -> Strip:
        styles = self._styles_of_inks()
        over = Style.null()
        if under is not None and self._under_styles is not None:
            over = self._under_styles[under]
        segments: list[Segment] = []
        left = width
        for text, ink in line:
            if left <= 0:
                break
            shown = safe(text, max_cells=left)
            segments.append(Segment(shown, styles[ink] + over))
            left -= cell_width(shown)
        if left > 0:
            segments.append(Segment(" " * left, styles[Ink.PLAIN] + over))
        return Strip(segments, width)


def _stretches(rows: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield first and number of rows that follow each other."""
    first = rows[0]
    for before, row in zip(rows, (*rows[1:], None), strict=True):
        if row != before + 1:
            yield first, before + 1 - first
            first = row if row is not None else 0
