"""Finds every process that a killed one leaves behind, however far from it."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.bench.processes import running
from tests.bench.runs import children

_PR_SET_CHILD_SUBREAPER = 36


@contextmanager
def adopting_orphans() -> Iterator[None]:
    """While the block runs, what a dead process had started becomes a child of this one: the
    kernel gives orphans to the nearest ancestor that asked for them."""
    _be_subreaper(on=True)
    try:
        yield
    finally:
        _be_subreaper(on=False)


def still_running(before: set[int]) -> set[int]:
    """Children that came after *before* and run; those that have ended are reaped."""
    left = set()
    for pid in children() - before:
        if running(pid):
            left.add(pid)
        else:
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
    return left


def _be_subreaper(*, on: bool) -> None:
    assert ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, int(on), 0, 0, 0) == 0
