"""Makes outside text fit to be shown: nothing in it can act on a terminal or disturb a layout."""

from __future__ import annotations

import unicodedata

_TAB_CELLS = 4
_ELLIPSIS = "…"

# Cc: control characters, ESC and C1 included; Cf: bidi overrides, zero-width and tag characters;
# Cs: lone surrogates, which no terminal encoding takes; Zl and Zp: line breaks by another name;
# Co and Cn: private and unassigned, whose width no terminal agrees on.
_ESCAPED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn"})

# Marks on one letter beyond which text climbs out of its line; no living script needs more.
_MARKS_PER_LETTER = 4

_NAMED_ESCAPES = {"\n": "\\n", "\r": "\\r"}


def safe(text: str, *, max_cells: int | None = None) -> str:
    """Return *text* on one line, every character that could act on a terminal shown as its code.

    A backslash stays as it is, so an escape and the same text written out look alike.

    Args:
        text: Anything: payloads, names, exception texts, log lines.
        max_cells: Width to cut the result to, in terminal cells; an ellipsis marks the cut.
    """
    # What lies far beyond the cut is not even looked at: a character gives at least part of a
    # cell, marks excepted, of which a letter keeps four.
    if max_cells is not None:
        text = text[: (max_cells + 1) * (_MARKS_PER_LETTER + 1)]
    if text.isascii() and text.isprintable():
        return text if max_cells is None or len(text) <= max_cells else _cut(text, max_cells)
    shown = "".join(_shown(text))
    return shown if max_cells is None else _cut(shown, max_cells)


def safe_lines(text: str, *, max_cells: int | None = None) -> list[str]:
    """Return *text* split at its line ends, each line made :func:`safe`."""
    return [safe(line, max_cells=max_cells) for line in text.splitlines()]


def cell_width(text: str) -> int:
    """Return how many terminal cells *text* takes, once it is :func:`safe`."""
    if text.isascii():
        return len(text)
    return sum(_cells_of(character) for character in text)


def characters_in_cells(text: str) -> list[str]:
    """Return *text* by cell: a wide character is followed by an empty string, a mark joins the
    letter before it."""
    cells: list[str] = []
    for character in text:
        width = _cells_of(character)
        if width == 0 and cells:
            base = len(cells) - 1 if cells[-1] or len(cells) == 1 else len(cells) - 2
            cells[base] += character
        elif width:
            cells.append(character)
            cells.extend([""] * (width - 1))
    return cells


def _shown(text: str) -> list[str]:
    shown: list[str] = []
    marks = 0
    for character in text:
        if character == "\t":
            shown.append(" " * _TAB_CELLS)
            continue
        category = unicodedata.category(character)
        if category in _ESCAPED_CATEGORIES:
            shown.append(_escape(character))
        elif category in ("Mn", "Me"):
            marks += 1
            if marks <= _MARKS_PER_LETTER:
                # Alone at the start it would sit on whatever stands before the text.
                shown.append(character if shown else f" {character}")
            continue
        else:
            shown.append(" " if category == "Zs" else character)
        marks = 0
    return shown


def _escape(character: str) -> str:
    if character in _NAMED_ESCAPES:
        return _NAMED_ESCAPES[character]
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x1_0000 else f"\\U{code:08x}"


def _cells_of(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def _cut(text: str, max_cells: int) -> str:
    if max_cells <= 0:
        return ""
    if text.isascii():
        return text if len(text) <= max_cells else text[: max_cells - 1] + _ELLIPSIS
    cells = characters_in_cells(text)
    if len(cells) <= max_cells:
        return text
    kept = cells[: max_cells - 1]
    if cells[max_cells - 1] == "":  # the cut falls inside a wide character
        kept[-1] = " "
    return "".join(kept) + _ELLIPSIS
