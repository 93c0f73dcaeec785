"""Pieces that several panels' details are made of."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from loom_bench.protocol.diagnosis import CodeFrame, Diagnosis
from loom_bench.tui.figures import count_text
from loom_bench.tui.ink import Ink, Line, plain

_MAX_LINES = 2_000
_MAX_SHOWN = 200_000
"""Characters of one text that details show."""

_MAX_INDENTED = 50_000
"""Characters of JSON that are worth indenting."""

_MAX_PLACE = 44
"""Characters of a path that are shown in full."""

_WRAP_AT = 4_000
"""Characters of one line of details; what is longer is broken."""


def labelled(label: str, text: str, ink: Ink = Ink.PLAIN) -> Line:
    """Return ``label      text``."""
    return ((f"{label:<14}", Ink.DIM), (text, ink))


def sunk_into(name: str) -> str:
    """Return the topic that a node of this name writes, or nothing when it is no such node."""
    return name[len("IntoTopic(") : -1] if name.startswith("IntoTopic(") else ""


def heading(text: str) -> Line:
    """Return a heading."""
    return ((text, Ink.STRONG),)


def body_lines(text: str) -> Iterator[Line]:
    """Yield *text* as lines, indented when it is JSON, cut when it is very long."""
    shown = _indented(text) if len(text) <= _MAX_INDENTED else text[:_MAX_SHOWN]
    count = 0
    for line in shown.splitlines() or [""]:
        for start in range(0, max(1, len(line)), _WRAP_AT):
            yield plain(line[start : start + _WRAP_AT])
            count += 1
            if count == _MAX_LINES:
                yield ((f"cut after {_MAX_LINES} lines", Ink.DIM),)
                return
    if len(text) > len(shown):
        left = count_text(len(text) - len(shown))
        yield ((f"{left} more characters are not shown", Ink.DIM),)


def _indented(text: str) -> str:
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return msgspec.json.format(text, indent=2)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return text


def diagnosis_body(diagnosis: Diagnosis) -> Iterator[Line]:
    """Yield what is wrong: place, message, source line, the way there, hint."""
    if diagnosis.file is not None:
        yield labelled("at", place_text(diagnosis.file, diagnosis.line), Ink.ACCENT)
    if diagnosis.component:
        yield labelled("in", diagnosis.component)
    if diagnosis.field:
        yield labelled("config", diagnosis.field)
    yield labelled("code", diagnosis.code)
    yield ()
    for line in body_lines(diagnosis.message):
        yield tuple((text, Ink.BAD) for text, _ in line)
    if diagnosis.source is not None:
        yield ()
        yield (
            (f"{diagnosis.line or ''} | ", Ink.DIM),
            (diagnosis.source[:_WRAP_AT].rstrip(), Ink.PLAIN),
        )
        if diagnosis.column is not None and diagnosis.column <= _WRAP_AT:
            room = len(f"{diagnosis.line or ''} | ") + diagnosis.column - 1
            yield ((" " * room + "^", Ink.BAD),)
    if diagnosis.hint:
        yield ()
        yield (("do  ", Ink.DIM), (diagnosis.hint, Ink.STRONG))
    if diagnosis.frames:
        yield ()
        yield heading("The way there")
        yield from frame_lines(diagnosis.frames)


def frame_lines(frames: Sequence[CodeFrame]) -> Iterator[Line]:
    """Yield each frame's place and source line, outermost first."""
    for frame in frames:
        yield (
            (place_text(frame.file, frame.line), Ink.ACCENT),
            (" in ", Ink.DIM),
            (frame.function, Ink.PLAIN),
        )
        if frame.source is not None:
            yield plain(f"    {frame.source[:_WRAP_AT].strip()}")


def place_text(file: str, line: int | None) -> str:
    """Return ``file:line``, relative to the working directory where the file lies below it; of a
    long path its last two parts, which tell most."""
    try:
        path = Path(file)
        if path.is_absolute():
            relative = os.path.relpath(file)
            file = file if relative.startswith("..") else relative
        if len(file) > _MAX_PLACE:
            file = str(Path("…", *Path(file).parts[-2:]))
    except ValueError:  # a NUL in it, or another drive
        pass
    return file if line is None else f"{file}:{line}"
