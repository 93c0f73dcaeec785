"""Ends a process group when the bench dies, whatever the processes in it are doing."""

from __future__ import annotations

import contextlib
import subprocess

# Shell builtins only. The kernel closes our end of the pipe when we die, SIGKILL included.
# Linux's parent-death signal would not do: it fires when the thread that started the child ends.
_SCRIPT = 'read -r _; kill -9 "-$1"'


class Lifeline:
    """A watcher in a session of its own that kills a process group when this process is gone.

    The write end of its pipe is close-on-exec, so no other child of ours keeps it open.

    Args:
        group_id: The process group.

    Raises:
        OSError: When the watcher could not be started.
    """

    def __init__(self, group_id: int) -> None:
        self._watcher = subprocess.Popen(  # noqa: S603 - a constant script
            ["/bin/sh", "-c", _SCRIPT, "sh", str(group_id)],
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
