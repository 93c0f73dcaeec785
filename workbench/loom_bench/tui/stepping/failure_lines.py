"""A failure as lines: the exception, the source with its line marked, locals, what led to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from loom_bench.tui.figures import of_many
from loom_bench.tui.ink import Ink, Line, plain, width_of
from loom_bench.tui.panels.spec import Place
from loom_bench.tui.panels.texts import heading, place_text
from loom_bench.tui.stepping.columns import wrapped
from loom_runtime.tracing.failure import (
    CauseRelation,
    TracedCause,
    TracedFailure,
    TracedFrame,
)
from loom_runtime.tracing.trace import Trace

_MAX_REASON_LINES: Final = 12
_MAX_REASON_CHARS: Final = 10_000
_MAX_SOURCE_ROWS: Final = 12
_MAX_NAME_CELLS: Final = 16
_LEAST_CELLS: Final = 20

_RELATIONS: Final = {
    CauseRelation.CAUSE: "raised from",
    CauseRelation.CONTEXT: "while it handled",
    CauseRelation.MEMBER: "with in its group",
}


def failure_place(failure: TracedFailure) -> Place | None:
    """Return file and line of the innermost frame of the user's code, of a cause if need be."""
    for frames in (failure.frames, *(cause.frames for cause in failure.causes)):
        if frames:
            return frames[-1].file, frames[-1].line
    return None


def stack_place(trace: Trace | None) -> Place | None:
    """Return file and line of the user's code where a trace was cut off."""
    if trace is None or not trace.stack:
        return None
    return trace.stack[-1].file, trace.stack[-1].line


def failure_lines(failure: TracedFailure, width: int) -> Iterator[Line]:
    """Yield what failed, where and why, the most important first; the line that failed and what
    was said of it whole, in *width* cells."""
    yield from _exception(failure.exception_type, failure.reason, failure.kind.value, width)
    if failure.frames:
        yield ()
        yield from _innermost(failure.frames[-1], width)
        yield from _outer(failure.frames[:-1])
    for cause in failure.causes:
        yield ()
        yield from _cause(cause, width)
    if not failure.frames and not any(cause.frames for cause in failure.causes):
        yield ()
        yield (("No frame of your code was on the way there.", Ink.DIM),)


def _exception(exception_type: str, reason: str, kind: str, width: int) -> Iterator[Line]:
    name = exception_type.rpartition(".")[2]
    said = f"{name}: {reason}" if reason else name
    first, *more = wrapped(said[:_MAX_REASON_CHARS], max(_LEAST_CELLS, width - 2))
    kind_told = f"  {kind} error" if kind else ""
    beside = width_of(plain(first)) + len(kind_told) + 2 <= width
    yield ((f"x {first}", Ink.BAD), (kind_told if beside else "", Ink.DIM))
    for line in more[:_MAX_REASON_LINES]:
        yield ((f"  {line}", Ink.BAD),)
    if len(more) > _MAX_REASON_LINES:
        yield ((f"  and {of_many(len(more) - _MAX_REASON_LINES, 'line')} more", Ink.DIM),)
    if kind_told and not beside:
        yield ((kind_told, Ink.DIM),)


def _innermost(frame: TracedFrame, width: int) -> Iterator[Line]:
    yield frame_line(frame)
    yield from source_lines(frame, width)
    if frame.locals:
        yield ()
        yield heading("locals")
        yield from _locals(frame)


def frame_line(frame: TracedFrame) -> Line:
    """Return where a frame is, and in which function."""
    return (
        (place_text(frame.file, frame.line), Ink.ACCENT),
        (" in ", Ink.DIM),
        (frame.function, Ink.PLAIN),
    )


def source_lines(frame: TracedFrame, width: int) -> Iterator[Line]:
    """Yield the source round the line that was running, that one marked and whole."""
    digits = len(str(frame.first_line + len(frame.source)))
    indent = _common_indent(frame.source)
    for number, text in enumerate(frame.source, start=frame.first_line):
        shown = text.rstrip()[indent:]
        if number != frame.line:
            yield (("  ", Ink.BAD), (f"{number:>{digits}} │ ", Ink.DIM), (shown, Ink.PLAIN))
            continue
        pieces = wrapped(shown, max(_LEAST_CELLS, width - digits - 5))
        for row, piece in enumerate(islice(pieces, _MAX_SOURCE_ROWS)):
            told = f"> {number:>{digits}}" if row == 0 else " " * (digits + 2)
            yield ((f"{told} │ ", Ink.BAD), (piece, Ink.STRONG))


def _common_indent(lines: Sequence[str]) -> int:
    """Return how many blanks every line begins with: in a narrow pane they cost the ends."""
    filled = [line for line in lines if line.strip()]
    return min((len(line) - len(line.lstrip(" ")) for line in filled), default=0)


def _locals(frame: TracedFrame) -> Iterator[Line]:
    size = min(_MAX_NAME_CELLS, max(len(local.name) for local in frame.locals))
    for local in frame.locals:
        ink = Ink.WARN if local.masked else Ink.PLAIN
        yield (
            (f"  {local.name:<{size}}  ", Ink.ACCENT),
            (f"{local.value.type_name}  ", Ink.DIM),
            (local.value.text, ink),
        )
    if frame.locals_left_out:
        yield ((f"  {frame.locals_left_out} more are not shown", Ink.DIM),)


def _outer(frames: Sequence[TracedFrame]) -> Iterator[Line]:
    if not frames:
        return
    yield ()
    yield heading("called from")
    for frame in reversed(frames):
        yield ((("  ", Ink.PLAIN)), *frame_line(frame))
        index = frame.line - frame.first_line
        if 0 <= index < len(frame.source):
            yield plain(f"      {frame.source[index].strip()}")


def _cause(cause: TracedCause, width: int) -> Iterator[Line]:
    yield heading(_RELATIONS[cause.relation])
    yield from _exception(cause.exception_type, cause.reason, "", width)
    if cause.frames:
        yield frame_line(cause.frames[-1])
        yield from source_lines(cause.frames[-1], width)
