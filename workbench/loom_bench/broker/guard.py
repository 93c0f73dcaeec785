"""Runs a command that knows nothing of us so that it cannot outlive us, SIGKILL included."""

import contextlib
from collections.abc import Mapping, Sequence

from loom_bench.broker.child import Child, memory_bytes

# Shell builtins only, so neither PATH nor coreutils matter. A line on standard input, or its end
# (our death, however it came), makes the watcher kill the command; the command's own end makes the
# guard kill the watcher. The guard reaps both: nothing is left to a container's process 1, which
# may never do it.
_GUARD_SCRIPT = """
exec 3<&0 </dev/null
"$@" >&2 3<&- &
command=$!
( read -r _ <&3; kill -9 "$command" ) >/dev/null 2>&1 &
watcher=$!
exec 3<&-
echo "$command"
exec >&-
wait "$command" 2>/dev/null
status=$?
kill -9 "$watcher"
wait "$watcher" 2>/dev/null
exit "$status"
"""

_STOP_TIMEOUT_S = 5.0


class GuardedProcess:
    """A command under a small `/bin/sh` that kills it when we stop it or die."""

    def __init__(self, guard: Child, pid: int) -> None:
        self._guard = guard
        self.pid = pid
        """Process id of the command itself (the guard has another)."""

    @classmethod
    def start(cls, command: Sequence[str], *, env: Mapping[str, str]) -> "GuardedProcess":
        """Start `command` (absolute path first) in the root folder with exactly `env`.

        Raises:
            OSError: the guard could not be started.
        """
        guard = Child.start(["/bin/sh", "-c", _GUARD_SCRIPT, "loom-bench-guard", *command], env=env)
        with guard.stdout:
            first_line = b"".join(guard.stdout)
        try:
            return cls(guard, int(first_line))
        except ValueError:
            tail = guard.output_tail()
            guard.kill()
            raise OSError(f"/bin/sh did not start it: {tail}") from None

    def exit_code(self) -> int | None:
        """Exit code of the command, None while it runs; 128 plus the signal if one ended it."""
        return self._guard.exit_code()

    def output_tail(self) -> str:
        """The last that the command wrote to its standard output and error."""
        return self._guard.output_tail()

    def memory_bytes(self) -> int | None:
        """Resident memory of the command in bytes; None when it has ended or cannot be read."""
        return None if self.exit_code() is not None else memory_bytes(self.pid)

    def kill(self) -> None:
        """Kill the command with SIGKILL and wait for it. A no-op after the first time, and in a
        fork: the process belongs to the one that started it."""
        if self._guard.ended:
            return
        with contextlib.suppress(OSError):
            # The end of the file alone may not come: a fork made outside Python can hold it off.
            self._guard.write_line(b"")
        self._guard.kill(grace_s=_STOP_TIMEOUT_S)
