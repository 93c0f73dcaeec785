"""Looks for processes that outlive what started them."""

import os
import time
from collections.abc import Callable
from pathlib import Path


def running(pid: int) -> bool:
    """Whether the process runs; one that has ended and was not waited for does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] not in "ZX"
    except ProcessLookupError:  # it ended while it was looked at
        return False
    except FileNotFoundError:
        return not Path("/proc/self").exists()


def await_true(condition: Callable[[], bool], what: str, *, timeout_s: float = 10.0) -> None:
    """Wait until *condition* holds; *what* says it in words."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, f"not within {timeout_s} s: {what}"
        time.sleep(0.01)
