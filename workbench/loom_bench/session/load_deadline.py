"""How long a host may take for what it was told, and what it says of where it hangs."""

from __future__ import annotations

import time
from collections.abc import Callable

from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.session.endings import hung
from loom_bench.session.stack_dump import has_main_thread

LOOK_INTERVAL_S = 0.1
"""How often to ask whether a deadline has passed."""

_DUMP_WAIT_S = 20.0
"""How long past the limit a host is waited for that has not said where it hangs: on a loaded
machine it starts late, and its own clock began when it did."""


class Deadline:
    """The deadline of one host that was told to do something.

    The host measures the limit itself and dumps its stacks then, so that the bench knows more
    than that time is up. This begins when the host is told.

    Attributes:
        time_limit_ms: The limit.

    Args:
        time_limit_ms: The limit.
        stack_dump: Returns what the host has dumped.
    """

    def __init__(self, time_limit_ms: int, stack_dump: Callable[[], str]) -> None:
        self.time_limit_ms = time_limit_ms
        self._stack_dump = stack_dump
        self._limit_s = time.monotonic() + time_limit_ms / 1000

    def dumped(self) -> str | None:
        """Return the host's stacks, when it is to be given up."""
        now_s = time.monotonic()
        if now_s < self._limit_s:
            return None
        dump = self._stack_dump()
        if now_s < self._limit_s + _DUMP_WAIT_S and not has_main_thread(dump):
            return None
        return dump


class LoadDeadline:
    """The deadline of one host that was told to load a module.

    Args:
        target: The module.
        time_limit_ms: The limit.
        stack_dump: Returns what the host has dumped.
    """

    def __init__(self, target: str, time_limit_ms: int, stack_dump: Callable[[], str]) -> None:
        self._target = target
        self._deadline = Deadline(time_limit_ms, stack_dump)

    def passed(self) -> Diagnosis | None:
        """Return where the module hangs, when it is to be given up."""
        dump = self._deadline.dumped()
        if dump is None:
            return None
        return hung(self._target, self._deadline.time_limit_ms, dump)
