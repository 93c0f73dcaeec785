"""A child process that ends with its standard input: our end of that pipe is its lifeline.

The kernel closes our end when we die, SIGKILL included. The end is close-on-exec, and closed in
forks by Python, so that no other child of ours keeps it open. Linux's parent-death signal would not
do: it fires when the thread that started the child ends.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Self

import loom_bench

_END_TIMEOUT_S = 5.0


class Child:
    """A process with a session of its own, so that Ctrl-C in the terminal does not reach it.

    What it must do itself: end when its standard input ends.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", output: IO[bytes]) -> None:
        self._process = process
        self._output = output
        self._output_use = threading.Lock()
        self._owner_pid = os.getpid()
        assert process.stdin is not None  # noqa: S101 - both pipes were asked for
        assert process.stdout is not None  # noqa: S101
        self._lifeline = process.stdin
        self.stdout = process.stdout
        """What it writes to its standard output; who reads it closes it, at its end. Standard error
        goes to `output_tail`."""

    @classmethod
    def start(cls, command: Sequence[str], *, env: Mapping[str, str]) -> Self:
        """Start `command` (absolute path first) in the root folder with exactly `env`.

        Raises:
            OSError: it could not be started.
        """
        # No name in any folder: gone with the last process that holds it.
        output = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the child
        try:
            process = subprocess.Popen(  # noqa: S603 - only what this package starts
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                bufsize=0,
                cwd=Path(os.sep).absolute(),
                env=dict(env),
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        except BaseException:
            output.close()
            raise
        child = cls(process, output)
        _live.add(child)
        return child

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether `kill` has taken place, or this is a fork of the process that started it."""
        return self._output.closed or os.getpid() != self._owner_pid

    def exit_code(self) -> int | None:
        """Its exit code, None while it runs, negative when a signal ended it."""
        return self._process.poll()

    def output_tail(self, max_bytes: int = 2_000) -> str:
        """The last bytes it wrote to its standard error, as text; empty once `kill` was called."""
        with self._output_use:
            if self._output.closed:
                return ""
            size = os.fstat(self._output.fileno()).st_size
            start = max(0, size - max_bytes)
            if sys.platform != "win32":
                # Leaves the file position alone: the child writes through the same one.
                tail = os.pread(self._output.fileno(), max_bytes, start)
            else:
                self._output.seek(start)
                tail = self._output.read()
        return tail.decode("utf-8", "replace").strip()

    def write_line(self, line: bytes) -> None:
        """Write a line to its standard input.

        Raises:
            OSError: it has ended.
            ValueError: `kill` was called.
        """
        self._lifeline.write(line + b"\n")

    def kill(self, *, grace_s: float = 0.0) -> None:
        """End it and wait for it: its input ends, and after `grace_s` seconds its whole session is
        killed. A no-op after the first time, and in a fork."""
        if self.ended:
            return
        with contextlib.suppress(OSError):
            self._lifeline.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(grace_s)
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                _kill_session(self._process)
            self._process.wait(_END_TIMEOUT_S)
        with self._output_use:
            self._output.close()
        _live.discard(self)

    def _let_go_in_fork(self) -> None:
        self._lifeline.close()
        # A fork cannot wait for it, and need not be warned that it still runs.
        self._process.returncode = 0


def package_environment() -> dict[str, str]:
    """Our environment, with which a child finds this package, installed or not."""
    return {**os.environ, "PYTHONPATH": str(Path(loom_bench.__path__[0]).parent)}


def memory_bytes(pid: int) -> int | None:
    """Resident memory of a process in bytes; None when it is gone or cannot be asked."""
    statm = Path(f"/proc/{pid}/statm")
    try:
        if sys.platform == "linux":
            return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        listing = subprocess.run(  # noqa: S603 - a number is all that varies
            ["ps", "-o", "rss=", "-p", str(pid)],  # noqa: S607 - where it lies differs
            capture_output=True,
            text=True,
            timeout=2,
            check=True,
        )
        return int(listing.stdout) * 1024
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def _kill_session(process: "subprocess.Popen[bytes]") -> None:
    if sys.platform != "win32":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()


_live: "weakref.WeakSet[Child]" = weakref.WeakSet()


def _release_in_fork() -> None:
    for child in tuple(_live):
        child._let_go_in_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_release_in_fork)
