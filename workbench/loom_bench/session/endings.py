"""What it means when a host ends, hangs or breaks its channel instead of answering."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

from loom_bench.protocol.diagnosis import CodeFrame, Diagnosis
from loom_bench.session.host_process import HostEnded
from loom_bench.session.stack_dump import main_thread_frames


def hung(target: str, time_limit_ms: int, dump: str) -> Diagnosis:
    """Return the diagnosis of a module that was not loaded in time."""
    return _placed(
        Diagnosis(
            code="import_timed_out",
            message=f"importing and compiling it was not done after {time_limit_ms / 1000:g} s",
            component=Path(target).name,
            file=target,
            hint="Move slow work out of the module's top level, into a step or a dependency, or "
            "give it more time with --load-timeout.",
        ),
        main_thread_frames(dump),
    )


def undrained(target: str, time_limit_ms: int, dump: str) -> Diagnosis:
    """Return the diagnosis of a run that was asked to drain and did not end in time."""
    return _placed(
        Diagnosis(
            code="drain_timed_out",
            message=f"it did not drain within {time_limit_ms / 1000:g} s and was ended; what its "
            "open epoch had read is not committed and is read again by the next run",
            component=Path(target).name,
            file=target,
            hint="Look for a step that blocks or a broker that does not answer, or give it more "
            "time with --drain-timeout.",
        ),
        main_thread_frames(dump),
    )


def ended(target: str, news: HostEnded, dump: str, last_lines: Sequence[str]) -> Diagnosis:
    """Return the diagnosis of a host that ended without an answer.

    Args:
        target: The module that it had.
        news: How it ended.
        dump: Its stack dump; empty without one.
        last_lines: What it printed to standard error last.
    """
    if news.protocol_problem is not None:
        code, message = "channel_broken", f"its process broke the channel: {news.protocol_problem}"
        hint = "Something in the flow writes to a file descriptor that is not its own."
    elif news.exit_code < 0:
        code, message = "host_killed", f"its process was ended by {_signal_name(-news.exit_code)}"
        hint = "A crash in a C library, a lack of memory, or a kill from outside."
    else:
        code, message = "host_exited", f"its process ended itself with exit code {news.exit_code}"
        hint = "Something called os._exit(), or ended Python from a library."
    said = [line for line in last_lines if line.strip()]
    return _placed(
        Diagnosis(
            code=code,
            message=message + (f"; it said last: {said[-1]}" if said else ""),
            component=Path(target).name,
            file=target,
            hint=hint,
        ),
        main_thread_frames(dump),
    )


def _placed(diagnosis: Diagnosis, frames: tuple[CodeFrame, ...]) -> Diagnosis:
    if not frames:
        return diagnosis
    place = frames[-1]
    return Diagnosis(
        code=diagnosis.code,
        message=diagnosis.message,
        component=diagnosis.component,
        file=place.file,
        line=place.line,
        source=place.source,
        hint=diagnosis.hint,
        frames=frames,
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
