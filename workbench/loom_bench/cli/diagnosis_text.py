"""Diagnoses as lines for people: place, code, message, the source line and what to do next."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from loom_bench.protocol.diagnosis import CodeFrame, Diagnosis
from loom_bench.safe import safe

_MAX_MESSAGE_CELLS = 500
_MAX_SOURCE_CELLS = 120


def diagnosis_lines(diagnosis: Diagnosis) -> Iterator[str]:
    """Yield the lines that show *diagnosis*, safe for a terminal."""
    place = ":".join(_place_parts(diagnosis))
    component = f"{diagnosis.component}: " if diagnosis.component else ""
    config = f" (config: {diagnosis.field})" if diagnosis.field else ""
    text = safe(f"{component}{diagnosis.message}{config}", max_cells=_MAX_MESSAGE_CELLS)
    yield f"{place}: {diagnosis.code}: {text}" if place else f"{diagnosis.code}: {text}"
    if diagnosis.source is not None:
        yield f"    {diagnosis.line} | {_source(diagnosis.source)}"
    if len(diagnosis.frames) > 1:
        yield "    on the way there:"
        for frame in diagnosis.frames[:-1]:
            yield from _frame_lines(frame)
    if diagnosis.hint:
        yield f"    → {safe(diagnosis.hint, max_cells=_MAX_MESSAGE_CELLS)}"


def shown_path(file: str) -> str:
    """Return *file* relative to the working directory when it lies below it, safe to show."""
    path = Path(file)
    if path.is_absolute():
        relative = os.path.relpath(path)
        if not relative.startswith(".."):
            path = Path(relative)
    return safe(str(path))


def _place_parts(diagnosis: Diagnosis) -> Iterator[str]:
    if diagnosis.file is None:
        return
    yield shown_path(diagnosis.file)
    if diagnosis.line is not None:
        yield str(diagnosis.line)
        if diagnosis.column is not None:
            yield str(diagnosis.column)


def _frame_lines(frame: CodeFrame) -> Iterator[str]:
    yield f"      {shown_path(frame.file)}:{frame.line} in {safe(frame.function)}"
    if frame.source is not None:
        yield f"        {_source(frame.source)}"


def _source(text: str) -> str:
    return safe(text.strip(), max_cells=_MAX_SOURCE_CELLS)
