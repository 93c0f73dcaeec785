"""Picks the user's own code out of tracebacks."""

from __future__ import annotations

import traceback
from types import TracebackType

from loom_bench.protocol.diagnosis import CodeFrame
from loom_bench.user_files import is_user_file

_MAX_FRAMES = 12


def user_frames(trace: TracebackType | None) -> tuple[CodeFrame, ...]:
    """Return the user's frames of *trace*, outermost first; of very many the innermost."""
    frames = [
        CodeFrame(
            file=frame.filename,
            line=frame.lineno or 0,
            function=frame.name,
            source=frame.line or None,
        )
        for frame in traceback.extract_tb(trace)
        if is_user_file(frame.filename)
    ]
    return tuple(frames[-_MAX_FRAMES:])
