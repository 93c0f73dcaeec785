"""The part of a failure that its author wrote: frames of their files, with the line's text."""

from __future__ import annotations

import linecache
import os
import sysconfig
from collections.abc import Iterator
from enum import IntEnum
from functools import lru_cache
from pathlib import Path
from types import TracebackType

from loom_runtime.wire.error_text import clean_text, cut_text, problem_text

_OWN = str(Path(__file__).resolve().parent.parent) + os.sep
_STDLIB = tuple(
    root + os.sep
    for name in ("stdlib", "platstdlib")
    for root in {sysconfig.get_path(name), str(Path(sysconfig.get_path(name)).resolve())}
)
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")

MOST_FRAMES = 30
"""Frames that are told of one exception; of a deep recursion the outer and inner halves."""

MOST_CAUSES = 3
"""Causes that are told of one failure, the nearest first."""

_LINE_CHARS = 200


class _Owner(IntEnum):
    """Whose a file is, the more interesting the lower."""

    USER = 0
    INSTALLED = 1
    STANDARD_LIBRARY = 2
    OWN = 3


def user_traceback(error: BaseException) -> str | None:
    """Return the frames of *error* and of its causes that are the user's, innermost last.

    Where no frame is of a file of the user's own, frames of installed packages stand in: a flow
    may be installed like any other package.
    """
    parts: list[str] = []
    for number, (_, each) in enumerate(chain_of(error)):
        frames, left_out = user_frames(each.__traceback__)
        if number:
            parts.append(f"caused by {cut_text(problem_text(each), _LINE_CHARS)}")
        parts += _told(frames, left_out)
    return "\n".join(parts) or None


def chain_of(error: BaseException) -> Iterator[tuple[str, BaseException]]:
    """Yield *error*, the errors of a group, and what caused each of them, each with what it is to
    one before it: ``cause``, ``context`` or ``member``; *error* itself with an empty text."""
    seen: set[int] = set()
    waiting: list[tuple[str, BaseException]] = [("", error)]
    while waiting and len(seen) <= MOST_CAUSES:
        relation, each = waiting.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield relation, each
        if isinstance(each, BaseExceptionGroup):
            waiting += [("member", member) for member in each.exceptions]
        if each.__cause__ is not None:
            waiting.append(("cause", each.__cause__))
        elif each.__context__ is not None and not each.__suppress_context__:
            waiting.append(("context", each.__context__))


def user_frames(traceback: TracebackType | None) -> tuple[list[TracebackType], int]:
    """Return the entries of *traceback* that are the user's, outermost first, and how many were
    left out of their middle."""
    by_owner: dict[_Owner, list[TracebackType]] = {}
    while traceback is not None:
        by_owner.setdefault(_owner(traceback.tb_frame.f_code.co_filename), []).append(traceback)
        traceback = traceback.tb_next
    by_owner.pop(_Owner.OWN, None)
    frames = by_owner[min(by_owner)] if by_owner else []
    if len(frames) <= MOST_FRAMES:
        return frames, 0
    half = MOST_FRAMES // 2
    return [*frames[:half], *frames[-half:]], len(frames) - 2 * half


def _told(frames: list[TracebackType], left_out: int) -> list[str]:
    told = [_frame_text(frame) for frame in frames]
    if left_out:
        told.insert(MOST_FRAMES // 2, f"  ... {left_out} frames left out ...")
    return told


def _frame_text(frame: TracebackType) -> str:
    file, line = frame.tb_frame.f_code.co_filename, frame.tb_lineno
    place = f'  File "{file}", line {line}, in {frame.tb_frame.f_code.co_qualname}'
    source = cut_text(linecache.getline(file, line).strip(), _LINE_CHARS)
    return clean_text(place + (f"\n    {source}" if source else ""))


@lru_cache(maxsize=4096)
def _owner(file: str) -> _Owner:
    if file.startswith(_OWN):
        return _Owner.OWN
    if any(folder in file for folder in _INSTALLED):
        return _Owner.INSTALLED
    if file.startswith((*_STDLIB, "<frozen ")):
        return _Owner.STANDARD_LIBRARY
    return _Owner.USER
