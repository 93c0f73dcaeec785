"""How lines become strips: the one door through which text reaches a cell.

Whatever is painted is made safe here, so that no panel can forget it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style
from textual.cache import FIFOCache
from textual.strip import Strip

from loom_bench.safe import cell_width, safe
from loom_bench.tui.ink import CHARACTERS_PER_CELL, Ink, Line
from loom_bench.tui.theme import ink_styles

if TYPE_CHECKING:
    from textual.widget import Widget as _Base
else:
    _Base = object

_KEPT_STRIPS = 256
"""Two screens: what did not change is not painted, nor turned into escape codes, again."""


class Painter(_Base):
    """Paints lines in a widget; the styles of inks are looked up once a theme.

    Textual's component classes would do, but it applies every one of them to every widget again
    whenever the focus moves.
    """

    _ink_styles: Mapping[Ink, Style] | None = None
    _under_styles: Mapping[Ink, Style] | None = None
    _strips: FIFOCache[tuple[object, ...], Strip] | None = None

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
