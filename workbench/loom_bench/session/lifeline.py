"""Ends a host's processes when the bench dies, whatever they are doing."""

from __future__ import annotations

import contextlib
import subprocess
import sys

from loom_bench.session import stragglers

# Shell builtins only, until the end. The kernel closes our end of the pipe when we die, SIGKILL
# included.
# Linux's parent-death signal would not do: it fires when the thread that started the child ends.
_SCRIPT = 'read -r _; kill -9 "-$1"; shift; exec "$@"'


class Lifeline:
    """A watcher in a session of its own that kills a process group when this process is gone, and
    what has left it.

    The write end of its pipe is close-on-exec, so no other child of ours keeps it open.

    Args:
        group_id: The process group.
        mark: What the processes that have left it carry.

    Raises:
        OSError: When the watcher could not be started.
    """

    def __init__(self, group_id: int, mark: str) -> None:
        # -I and -S: nothing of the user's is imported, and it begins in a few milliseconds.
        then = [sys.executable, "-I", "-S", stragglers.__file__, mark]
        self._watcher = subprocess.Popen(  # noqa: S603 - a constant script
            ["/bin/sh", "-c", _SCRIPT, "sh", str(group_id), *then],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )

    def release(self) -> None:
        """End the watcher; the group is ended already. May be called twice."""
        self._watcher.kill()
        self._watcher.wait()
        if self._watcher.stdin is not None:
            with contextlib.suppress(OSError):
                self._watcher.stdin.close()
