"""Slows a flow down, so that an interruption finds it at work and not at the end of its input."""

from __future__ import annotations

import time
from typing import Final

from benchmarks.job import signal

_RECORDS: Final = 100
_PAUSE_S: Final = 0.002
"""At most 50,000 records/s."""

_seen = 0


def pace() -> None:
    """Count one record: the first is signalled as ``first``, every hundredth waits 2 ms."""
    global _seen  # noqa: PLW0603 - one count per process
    if _seen == 0:
        signal("first")
    _seen += 1
    if _seen % _RECORDS == 0:
        time.sleep(_PAUSE_S)
