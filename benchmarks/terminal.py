"""A real program under a real pseudo-terminal: what it paints and when, and keys pressed in it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import pyte

_READ_BYTES: Final = 1 << 16
_POLL_S: Final = 0.05
_END_TIMEOUT_S: Final = 5.0

# Terminals that can paint a frame in one go say so when they are asked.
_ASKS_FOR_FRAMES: Final = b"\x1b[?2026$p"
_HAS_FRAMES: Final = b"\x1b[?2026;2$y"
_LEAVES_SCREEN: Final = b"\x1b[?1049l"
_ESCAPES: Final = re.compile(rb"\x1b(?:\[[0-9;:?<=>]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))")
_KEPT_BYTES: Final = 1 << 17
"""More than two frames of a large screen."""


@dataclass(frozen=True)
class Painted:
    """Bytes that a program wrote to its terminal.

    Attributes:
        at_ns: When they arrived, on the machine's monotonic clock.
        data: They.
    """

    at_ns: int
    data: bytes


class Terminal:
    """One program on a pseudo-terminal. A context manager: leaving it kills the program.

    Args:
        command: The program and its arguments.
        columns: Width in cells.
        rows: Height in cells.
        environment: Its environment; ``None`` for ours.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        columns: int = 120,
        rows: int = 36,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.columns, self.rows = columns, rows
        self._painted: list[Painted] = []
        self._changed = threading.Condition()
        self._closing = False
        self._ended = False
        self._exit_code: int | None = None
        env = {**(os.environ if environment is None else environment)}
        env.update(TERM="xterm-256color", COLORTERM="truecolor")
        # Set before the program begins: it asks for the size once, at its start.
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.started_ns = time.monotonic_ns()
        self.pid = _spawn(command, slave, env)
        os.close(slave)
        self._thread = threading.Thread(target=self._read, name="terminal", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()
        self._closing = True
        self._thread.join()
        os.close(self._master)

    def painted(self, since_ns: int = 0) -> list[Painted]:
        """Everything that was painted at *since_ns* or later."""
        with self._changed:
            return [each for each in self._painted if each.at_ns >= since_ns]

    def text(self, since_ns: int = 0) -> str:
        """What was painted since then, in the order of writing, without escape codes."""
        data = b"".join(each.data for each in self.painted(since_ns))
        return _ESCAPES.sub(b"", data).decode("utf-8", "ignore")

    def press(self, keys: bytes) -> int:
        """Press keys, as the bytes that a terminal sends; return when."""
        at_ns = time.monotonic_ns()
        os.write(self._master, keys)
        return at_ns

    def wait(
        self, condition: Callable[[str], object], timeout_s: float, *, since_ns: int = 0
    ) -> int | None:
        """Return when the text painted since *since_ns* came to satisfy *condition*.

        The text is what was written last, in the order of writing, without escape codes: no
        emulator takes the processor from what is measured. ``None`` when it did not come in time,
        or the program ended.
        """
        deadline_s = time.monotonic() + timeout_s
        data, seen = b"", 0
        while True:
            with self._changed:
                fresh, ended = self._painted[seen:], self._ended
            seen += len(fresh)
            for each in fresh:
                if each.at_ns >= since_ns:
                    data = (data + each.data)[-_KEPT_BYTES:]
                    if condition(_ESCAPES.sub(b"", data).decode("utf-8", "ignore")):
                        return each.at_ns
            left_s = deadline_s - time.monotonic()
            if ended or left_s <= 0:
                return None
            self._wait_for_more_than(seen, left_s)

    def _wait_for_more_than(self, pieces: int, timeout_s: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: len(self._painted) > pieces or self._ended, timeout_s)

    def screens(self) -> Iterator[tuple[int, list[str]]]:
        """Yield what stood on the screen after each piece that was painted, and when."""
        screen = pyte.Screen(self.columns, self.rows)
        stream = pyte.ByteStream(screen)
        for each in self.painted():
            if _LEAVES_SCREEN in each.data:
                return
            stream.feed(each.data)
            yield each.at_ns, list(screen.display)

    def last_screen(self) -> str:
        """What stood on the screen last, for a report of what went wrong."""
        last: list[str] = []
        for _, rows in self.screens():
            last = rows
        return "\n".join(row.rstrip() for row in last)

    def exit_code(self, timeout_s: float = 0.0) -> int | None:
        """The exit code, negative for a signal; ``None`` while it runs after *timeout_s*."""
        deadline_s = time.monotonic() + timeout_s
        while self._exit_code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid == self.pid:
                self._exit_code = os.waitstatus_to_exitcode(status)
            elif time.monotonic() >= deadline_s:
                return None
            else:
                time.sleep(0.005)
        return self._exit_code

    def kill(self) -> None:
        """Send SIGKILL to the program, which a terminal's end would only hang up, and reap it."""
        if self.exit_code() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self.exit_code(_END_TIMEOUT_S)

    def _read(self) -> None:
        while not self._closing:
            ready, _, _ = select.select([self._master], [], [], _POLL_S)
            if not ready:
                continue
            try:
                data = os.read(self._master, _READ_BYTES)
            except OSError:  # the last process that held the other end is gone
                break
            at_ns = time.monotonic_ns()
            if _ASKS_FOR_FRAMES in data:
                os.write(self._master, _HAS_FRAMES)
            with self._changed:
                self._painted.append(Painted(at_ns, data))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()


def _spawn(command: Sequence[str], slave: int, environment: Mapping[str, str]) -> int:
    """Start *command* in a session of its own with *slave* as its terminal."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        for descriptor in (0, 1, 2):
            os.dup2(slave, descriptor)
        os.closerange(3, 256)
        os.execvpe(command[0], list(command), dict(environment))
    finally:
        os._exit(127)
