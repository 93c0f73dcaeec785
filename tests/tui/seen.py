"""What a running application shows: as text, and as a small SVG that can be compared and looked at.

Textual's own picture of a screen names its styles and clips by running numbers; here every piece
of text stands in its row with its colour, so that a difference says what differs.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from textual.app import App
from textual.widgets import Input

from loom_bench.tui.theme import DARK

_RAW = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")

_CELL = (12.2, 24.4)  # Rich's cells, in its SVG's units

_GROUND, _TEXT_COLOUR = DARK.background, DARK.foreground
"""What needs no telling: most of a screen has them."""

_RULE = re.compile(r"\.[\w-]+-(r\d+) \{ ([^}]*) \}")
_TEXT = re.compile(r'<text class="[\w-]+-(r\d+)" x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)</text>')
_RECT = re.compile(
    r'<rect fill="(#\w+)" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="[\d.]+" shape'
)
_FILL = re.compile(r"fill: (#\w+)")


@dataclass(frozen=True)
class Piece:
    """Text of one style, at its cell."""

    column: int
    text: str
    colour: str
    bold: bool


def shown_text(app: App[None]) -> str:
    """Return the screen as text, a line a row."""
    return "\n".join(shown_rows(app))


def shown_rows(app: App[None]) -> list[str]:
    """Return the rows of the screen."""
    rows: list[str] = []
    for _, pieces in sorted(_pieces(app.export_screenshot()).items()):
        row = ""
        for piece in pieces:
            row = row.ljust(piece.column) + piece.text
        rows.append(row.rstrip())
    return rows


def picture(app: App[None]) -> str:
    """Return the screen as a small SVG."""
    exported = app.export_screenshot()
    width, height = app.size
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width * 6} {height * 12}">',
        f'<g font-family="monospace" font-size="10" fill="{_TEXT_COLOUR}" xml:space="preserve">',
        f'<path fill="{_GROUND}" d="M0 0h{width * 6}v{height * 12}H0z"/>',
    ]
    grounds = _grounds(exported)
    pieces = _pieces(exported)
    for row in range(height):
        lines.extend(
            f'<path fill="{colour}" d="M{column * 6} {row * 12}h{cells * 6}v12h-{cells * 6}z"/>'
            for column, cells, colour in grounds[row]
        )
        if spans := "".join(_spans(pieces[row])):
            lines.append(f'<text y="{row * 12 + 9}">{spans}</text>')
    return "\n".join([*lines, "</g></svg>"]) + "\n"


def _spans(pieces: list[Piece]) -> Iterator[str]:
    for piece in pieces:
        shown = piece.text.lstrip()
        if shown:
            column = piece.column + len(piece.text) - len(shown)
            colour = "" if piece.colour == _TEXT_COLOUR else f' fill="{piece.colour}"'
            bold = ' font-weight="bold"' if piece.bold else ""
            text = html.escape(shown.rstrip(), quote=False)
            yield f'<tspan x="{column * 6}"{colour}{bold}>{text}</tspan>'


def _pieces(exported: str) -> defaultdict[int, list[Piece]]:
    styles = dict(_RULE.findall(exported))
    rows: defaultdict[int, list[Piece]] = defaultdict(list)
    for style, x, y, text in _TEXT.findall(exported):
        declared = styles[style]
        fill = _FILL.search(declared)
        piece = Piece(
            column=round(float(x) / _CELL[0]),
            text=html.unescape(text).replace("\u00a0", " "),
            colour=fill.group(1) if fill else "#000000",
            bold="bold" in declared,
        )
        rows[int((float(y) - 20) / _CELL[1] + 0.5)].append(piece)
    return rows


def _grounds(exported: str) -> defaultdict[int, list[tuple[int, int, str]]]:
    """Return column, cells and colour of what lies under the text of each row."""
    rows: defaultdict[int, list[tuple[int, int, str]]] = defaultdict(list)
    for colour, x, y, width in _RECT.findall(exported):
        if colour == _GROUND:
            continue
        row = rows[int((float(y) - 1.5) / _CELL[1] + 0.5)]
        column, cells = round(float(x) / _CELL[0]), round(float(width) / _CELL[0])
        if row and row[-1][2] == colour and sum(row[-1][:2]) == column:
            column, before, _ = row.pop()
            cells += before
        row.append((column, cells, colour))
    return rows


def raw_characters(text: str) -> set[str]:
    """Return the characters of *text* that could act on a terminal or break a layout."""
    return {
        f"U+{ord(character):04X}"
        for character in text
        if character != "\n" and unicodedata.category(character) in _RAW
    }


def strips_of(app: App[None]) -> str:
    """Return every strip that is painted, before Rich turns control characters into others."""
    painted = app.screen._compositor.render_strips()
    return "\n".join(strip.text for strip in painted)


def stop_blinking(app: App[None]) -> None:
    """Keep text cursors still."""
    for field in app.screen.query(Input):
        field.cursor_blink = False
