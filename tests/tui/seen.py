"""What a running application shows: as text, and as a small SVG that can be compared and looked at.

Textual's own picture of a screen names its styles and clips by running numbers; here every piece
of text stands in its row with its colour, so that a difference says what differs.
"""

from __future__ import annotations

import html
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from textual.app import App
from textual.widgets import Input

_CELL = (12.2, 24.4)  # Rich's cells, in its SVG's units

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
        '<g font-family="monospace" font-size="10" xml:space="preserve">',
        f'<rect width="{width * 6}" height="{height * 12}" fill="#12161a"/>',
    ]
    grounds = _grounds(exported)
    pieces = _pieces(exported)
    for row in range(height):
        lines.extend(
            f'<rect x="{column * 6}" y="{row * 12}" width="{cells * 6}" height="12"'
            f' fill="{colour}"/>'
            for column, cells, colour in grounds[row]
        )
        lines.append(f'<text y="{row * 12 + 9}">{"".join(_spans(pieces[row]))}</text>')
    return "\n".join([*lines, "</g></svg>"]) + "\n"


def _spans(pieces: list[Piece]) -> Iterator[str]:
    for piece in pieces:
        if piece.text.strip():
            bold = ' font-weight="bold"' if piece.bold else ""
            text = html.escape(piece.text.rstrip(), quote=False)
            yield f'<tspan x="{piece.column * 6}" fill="{piece.colour}"{bold}>{text}</tspan>'


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
    rows: defaultdict[int, list[tuple[int, int, str]]] = defaultdict(list)
    for colour, x, y, width in _RECT.findall(exported):
        if colour != "#12161a":
            row = int((float(y) - 1.5) / _CELL[1] + 0.5)
            cells = round(float(width) / _CELL[0])
            rows[row].append((round(float(x) / _CELL[0]), cells, colour))
    return rows


def stop_blinking(app: App[None]) -> None:
    """Keep text cursors still."""
    for field in app.screen.query(Input):
        field.cursor_blink = False
