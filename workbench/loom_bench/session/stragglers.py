"""Ends what a host started and sent away: daemons, which are in no process group of the host's.

Whatever a host starts inherits a mark in its environment, and Linux shows the environment that a
process began with. A process that was started without it is not found, and on other systems none
is. Run as a script it ends them for a bench that is dead, so it imports nothing that takes time.
"""

import os
import signal
import sys

MARK = "LOOM_BENCH_HOST"
"""Name of the environment variable."""

_PROCESSES = "/proc"
_MAX_ROUNDS = 20


def end_stragglers(mark: str) -> None:
    """Kill every process that carries *mark*, and those that they start meanwhile."""
    carried = os.fsencode(f"{MARK}={mark}")
    for _ in range(_MAX_ROUNDS):
        if not sum(_end_if_marked(pid, carried) for pid in _pids()):
            return


def _pids() -> list[int]:
    try:
        return [int(name) for name in os.listdir(_PROCESSES) if name.isdigit()]  # noqa: PTH208 - see above
    except OSError:
        return []


def _end_if_marked(pid: int, carried: bytes) -> bool:
    try:
        with open(f"{_PROCESSES}/{pid}/environ", "rb") as environ:  # noqa: PTH123 - see above
            if carried not in environ.read().split(b"\0"):
                return False
        os.kill(pid, signal.SIGKILL)
    except OSError:  # it has ended, or is somebody else's
        return False
    return True


if __name__ == "__main__":
    end_stragglers(sys.argv[1])
