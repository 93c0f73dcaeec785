"""Reads the stack dumps that Python's faulthandler leaves of a host that hung or crashed."""

from __future__ import annotations

import re

from loom_bench.protocol.diagnosis import CodeFrame
from loom_bench.user_files import is_user_file, source_line

_FRAME = re.compile(r'^  File "(?P<file>.*)", line (?P<line>\d+) in (?P<function>.*)$')
_MAX_FRAMES = 12
_ENTRY_POINT = re.compile(r'^  File ".*host/__main__\.py", line \d+ in <module>$', re.MULTILINE)
"""The outermost frame of a host's main thread that is not Python's own, and its last line."""


def has_main_thread(dump: str) -> bool:
    """Return whether the main thread stands in *dump*, to its end."""
    return _ENTRY_POINT.search(dump) is not None


def main_thread_frames(dump: str) -> tuple[CodeFrame, ...]:
    """Return the user's frames of the main thread in the last dump of *dump*, outermost first.

    User code runs on the main thread; its outermost frame is the host's entry point.
    """
    found: tuple[CodeFrame, ...] = ()
    for thread in re.split(r"^(?:Current thread|Thread) ", dump, flags=re.MULTILINE)[1:]:
        frames = [match for line in thread.splitlines() if (match := _FRAME.match(line))]
        if any(frame["file"].endswith("host/__main__.py") for frame in frames):
            found = tuple(
                CodeFrame(
                    file=frame["file"],
                    line=int(frame["line"]),
                    function=frame["function"],
                    source=source_line(frame["file"], int(frame["line"])),
                )
                for frame in reversed(frames)
                if is_user_file(frame["file"])
            )[-_MAX_FRAMES:]
    return found
