"""What may be said to a running flow from another thread: drain, finish, pause, limits."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from threading import Lock
from time import monotonic

_LONGEST_WAIT_S = 0.02
"""An idle partition is looked at more and more rarely, at least 50 times a second."""


class StopMode(StrEnum):
    """How a run ends.

    ``drain``: reading stops, the epoch is closed and committed; open windows stay open in the
    recovery store. ``finish``: as drain, but batches and windows are handed on first.
    """

    DRAIN = "drain"
    FINISH = "finish"


class RunControl:
    """Commands to one process of a running flow. Every method may be called from any thread.

    Attributes:
        until_idle_ms: When every partition has been at its end for so long, the run finishes by
            itself; ``None`` for never.
        at_limit: How a run ends that reaches a limit.
        longest_wait_s: Returns how long an idle partition may wait before it is looked at again,
            seconds.
    """

    def __init__(self, *, until_idle_ms: int | None = None, max_records: int | None = None) -> None:
        self.until_idle_ms = until_idle_ms
        self._max_records = max_records
        self._taken = 0
        self._read = 0
        self._lock = Lock()
        self._stop: StopMode | None = None
        self.at_limit = StopMode.FINISH
        self.longest_wait_s: Callable[[], float] = lambda: _LONGEST_WAIT_S
        self._paused = False
        self._steps: set[str] = set()
        self._at_end: dict[str, bool] = {}
        self._busy_at_s = monotonic()

    @property
    def max_records(self) -> int | None:
        """Most records that are read before the run finishes; ``None`` for no limit."""
        return self._max_records

    @max_records.setter
    def max_records(self, limit: int | None) -> None:
        self._max_records = limit

    @property
    def stop(self) -> StopMode | None:
        """How the run was asked to end; ``None`` while it was not."""
        return self._stop

    @property
    def paused(self) -> bool:
        """Whether reading is paused."""
        return self._paused

    def drain(self) -> None:
        """Ask the run to end at the next epoch barrier, committed, open windows kept."""
        if self._stop is None:
            self._stop = StopMode.DRAIN

    def finish(self) -> None:
        """Ask the run to hand on everything that is held, commit and end."""
        if self._stop is None:
            self._stop = StopMode.FINISH

    def end_at_limit(self) -> None:
        """Ask the run to end as one that reaches a limit does."""
        if self._stop is None:
            self._stop = self.at_limit

    def pause(self) -> None:
        """Stop reading; what was read is still written and committed."""
        self._paused = True

    def resume(self) -> None:
        """Go on reading after :meth:`pause`."""
        self._busy_at_s = monotonic()
        self._paused = False

    def begin_again(self) -> None:
        """Forget how the last run was stopped and what it has read; limits and a pause stay."""
        with self._lock:
            self._stop = None
            self._taken = self._read = 0
            self._steps = set()
            self._at_end.clear()
            self._busy_at_s = monotonic()

    def step(self) -> None:
        """While paused: let every partition be read once more, until it gave a batch or had none
        left."""
        with self._lock:
            self._steps = set(self._at_end)

    def may_read(self, partition: str) -> bool:
        """Return whether *partition* may be read now: reading is not paused, or it has a step."""
        return not self._paused or partition in self._steps

    def expect(self, partition: str) -> None:
        """Make known that *partition* is read, so that idleness waits for it."""
        with self._lock:
            self._at_end.setdefault(partition, False)

    def grant(self, wanted: int) -> int:
        """Return how many records may be read now, at most *wanted*; unread ones are given back."""
        if self._max_records is None:
            return wanted
        with self._lock:
            granted = max(0, min(wanted, self._max_records - self._taken))
            self._taken += granted
        return granted

    def note_read(self, partition: str, *, granted: int, read: int, at_end: bool) -> None:
        """Take note of one read; finishes the run when a limit is reached."""
        self._at_end[partition] = at_end
        if self._steps and (read or at_end):
            with self._lock:
                self._steps.discard(partition)
        if self._max_records is not None:
            with self._lock:
                self._taken -= granted - read
                self._read += read
                exhausted = self._read >= self._max_records
            if exhausted:
                self.end_at_limit()
        if read or not all(self._at_end.values()):
            self._busy_at_s = monotonic()
        elif self.until_idle_ms is not None:
            idle_ms = (monotonic() - self._busy_at_s) * 1000
            if idle_ms >= self.until_idle_ms:
                self.end_at_limit()
