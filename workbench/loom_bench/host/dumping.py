"""Stack dumps of what takes too long."""

from __future__ import annotations

import faulthandler
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def dumped_after(time_limit_ms: int, dump_fd: int) -> Iterator[None]:
    """Dump all stacks when the block takes longer: the bench tells the user where it hung.

    A thread of C code does it, so that it also works while user code holds the interpreter.
    """
    faulthandler.dump_traceback_later(time_limit_ms / 1000, file=dump_fd)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
