"""The flow's standard output and error: each line at once, in blocks while it floods.

A write for each line lets other threads in each time: at 20,000 lines a second that takes a seventh
of the flow's time.
"""

from __future__ import annotations

import atexit
import io
import os
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

LINES_AT_ONCE: Final = 50
"""Lines of one interval that are written at once; when there are more they go in blocks."""

INTERVAL_S: Final = 0.05
"""How long a line may wait in a block: what a crash may take with it, and what does not show while
code outside Python holds the interpreter."""

_BLOCK_BYTES: Final = 64 * 1024


class _Counted(io.FileIO):
    """The file below a stream; counts the lines that come through it."""

    def __init__(self, descriptor: int, name: str) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self.name = name
        self.lines = 0
        self.flooded = threading.Event()
        self._began_s, self._lines_before = 0.0, 0

    def write(self, data: ReadableBuffer) -> int:
        now_s = time.monotonic()
        if now_s - self._began_s > INTERVAL_S:
            self._began_s, self._lines_before = now_s, self.lines
        self.lines += bytes(data).count(b"\n")
        if self.lines - self._lines_before > LINES_AT_ONCE:
            self.flooded.set()
        return super().write(data)


class Printing:
    """A text stream.

    Attributes:
        stream: It.

    Args:
        descriptor: Where it goes.
        name: Its name.
        encoding: Its encoding; text that it lacks is escaped, which does not fail the flow.
    """

    def __init__(self, descriptor: int, name: str, encoding: str) -> None:
        self._file = _Counted(descriptor, name)
        self.stream: Final = io.TextIOWrapper(
            io.BufferedWriter(self._file, _BLOCK_BYTES),
            encoding=encoding,
            errors="backslashreplace",
            line_buffering=True,
        )
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=f"print-{name}", daemon=True)
        self._thread.start()
        # A child has no such thread, and must not print what its parent is about to.
        os.register_at_fork(before=self._line_by_line, after_in_child=self._line_by_line)

    def close(self) -> None:
        """Write what is left; each line goes at once from then on."""
        self._closing = True
        self._file.flooded.set()
        self._thread.join()

    def _run(self) -> None:
        flooded = self._file.flooded
        with suppress(OSError, ValueError):  # nobody reads it, or the flow has closed it
            while flooded.wait() and not self._closing:
                self.stream.reconfigure(line_buffering=False)
                while not self._closing and self._written_meanwhile() > LINES_AT_ONCE:
                    pass
                self.stream.reconfigure(line_buffering=True)  # writes what is left
                flooded.clear()
        self._line_by_line()

    def _written_meanwhile(self) -> int:
        """Wait an interval, write what came in it, and return how many lines that were."""
        before = self._file.lines
        time.sleep(INTERVAL_S)
        self.stream.flush()
        return self._file.lines - before

    def _line_by_line(self) -> None:
        with suppress(OSError, ValueError):
            self.stream.reconfigure(line_buffering=True)


def print_in_blocks() -> None:
    """Have this process print so."""
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        printing = Printing(descriptor, name, getattr(sys, name).encoding)
        setattr(sys, name, printing.stream)
        setattr(sys, f"__{name}__", printing.stream)
        atexit.register(printing.close)
