"""A child process that cannot outlive this one, not even when this one is killed with SIGKILL."""

import contextlib
import os
import signal
import subprocess
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

# Shell builtins only, so neither PATH nor coreutils matter. A line or the end of standard input
# (our death, however it came) makes the watcher kill the command; the command's own end makes the
# guard kill the watcher. The guard reaps both, so nothing is left for a container's process 1.
_GUARD_SCRIPT = """
exec 3<&0 </dev/null
"$@" >&2 3<&- &
child=$!
( read -r _ <&3; kill -9 "$child" ) >/dev/null 2>&1 &
watcher=$!
exec 3<&-
echo "$child"
exec >&-
wait "$child"
status=$?
kill -9 "$watcher"
wait "$watcher"
exit "$status"
"""

_STOP_TIMEOUT_S = 5.0


class GuardedProcess:
    """A command run under a small `/bin/sh` guard that holds the read end of a pipe from us.

    The kernel closes the write end when we die, and the guard then kills the command. The guard
    has a session of its own, so Ctrl-C in the terminal reaches neither it nor the command.
    The write end is close-on-exec, and closed in forks by Python, so that no other child of ours
    keeps it open. Linux's parent-death signal would not do: it fires when the thread that
    started the child ends.
    """

    def __init__(self, guard: "subprocess.Popen[bytes]", pid: int, output: IO[bytes]) -> None:
        self._guard = guard
        self._output = output
        self._owner_pid = os.getpid()
        self.pid = pid
        """Process id of the command itself (the guard has another)."""

    @classmethod
    def start(cls, command: Sequence[str], *, env: Mapping[str, str]) -> "GuardedProcess":
        """Start `command` (absolute path first) in the root folder with exactly `env`.

        Raises:
            OSError: the guard could not be started.
        """
        # No name in any folder: gone with the last process that holds it.
        output = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the command
        try:
            guard = subprocess.Popen(  # noqa: S603 - what we start ourselves
                ["/bin/sh", "-c", _GUARD_SCRIPT, "loom-bench-guard", *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                bufsize=0,
                cwd="/",
                env=dict(env),
                start_new_session=True,
            )
        except BaseException:
            output.close()
            raise
        assert guard.stdout is not None  # noqa: S101 - a pipe was asked for
        with guard.stdout:
            first_line = b""
            while chunk := guard.stdout.read(64):
                first_line += chunk
        guarded = cls(guard, int(first_line), output)
        _live.add(guarded)
        return guarded

    def exit_code(self) -> int | None:
        """Exit code of the command, None while it runs; 128 plus the signal if one ended it."""
        return self._guard.poll()

    def output_tail(self, max_bytes: int = 2_000) -> str:
        """The last bytes the command wrote to its standard output and error, as text."""
        if self._output.closed:
            return ""
        # pread leaves the file position alone: the command writes through the same one.
        size = os.fstat(self._output.fileno()).st_size
        tail = os.pread(self._output.fileno(), max_bytes, max(0, size - max_bytes))
        return tail.decode("utf-8", "replace").strip()

    def memory_bytes(self) -> int | None:
        """Resident memory of the command in bytes; None when it has ended or cannot be read."""
        if self.exit_code() is not None:
            return None
        statm = Path(f"/proc/{self.pid}/statm")
        try:
            if statm.exists():
                return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            listing = subprocess.run(  # noqa: S603
                ["ps", "-o", "rss=", "-p", str(self.pid)],  # noqa: S607 - where ps is differs
                capture_output=True,
                text=True,
                timeout=2,
                check=True,
            )
            return int(listing.stdout) * 1024
        except (OSError, ValueError, subprocess.SubprocessError):
            return None

    def kill(self) -> None:
        """Kill the command with SIGKILL and wait for it. A no-op after the first time, and in a
        fork: the process belongs to the one that started it."""
        if os.getpid() != self._owner_pid or self._output.closed:
            return
        assert self._guard.stdin is not None  # noqa: S101 - a pipe was asked for
        with contextlib.suppress(OSError):
            # A line rather than the end of the file: a fork made outside Python may hold it open.
            self._guard.stdin.write(b"\n")
        with contextlib.suppress(OSError):
            self._guard.stdin.close()
        try:
            self._guard.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._guard.pid, signal.SIGKILL)
            self._guard.wait()
        self._output.close()
        _live.discard(self)

    def _let_go_in_fork(self) -> None:
        if self._guard.stdin is not None:
            self._guard.stdin.close()
        # A fork cannot wait for it, and need not be warned that it still runs.
        self._guard.returncode = 0


_live: "weakref.WeakSet[GuardedProcess]" = weakref.WeakSet()


def _release_in_fork() -> None:
    for guarded in tuple(_live):
        guarded._let_go_in_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_release_in_fork)
