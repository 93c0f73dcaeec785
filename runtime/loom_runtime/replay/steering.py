"""How far and how fast a replay reads; asked by its readers, told by whoever watches it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from time import monotonic
from typing import Final, Literal

from loom_runtime.wire.records import RawRecord

StepUnit = Literal["record", "batch", "epoch"]

_WAIT_S: Final = 0.02
_PAUSED_WAIT_S: Final = 0.05
_PACED_WAIT_S: Final = 0.01
_FETCHING_WAIT_S: Final = 0.001
"""Record by record every look ends an epoch, which is kept: an idle replay looks rarely."""

_TURN_WAIT_S: Final = 0.001
_TURN_RECORDS: Final = 4_000
"""Records of one partition before the next one's turn, so that the wait for it, a millisecond, is
short beside it: a stateful flow takes 60 ms for so many."""


class ReplaySteering:
    """Lets a replay's records go. Every method may be called from any thread.

    Args:
        ends: Offset at which a source partition ends, by its key; one that is absent ends where
            its log does.
        record_by_record: Whether an epoch takes one record, of whichever partition has the
            oldest.
        in_turns: Whether partitions take turns of a fixed length, so that a state which several
            of them touch meets the records in the same order each time.
        pace: ``0`` for full speed, ``1`` as the records' timestamps say, ``10`` ten times as fast.
        paused: Whether to begin paused.
    """

    def __init__(
        self,
        ends: Mapping[str, int],
        *,
        record_by_record: bool = False,
        in_turns: bool = False,
        pace: float = 0.0,
        paused: bool = False,
    ) -> None:
        self.ends = dict(ends)
        self.record_by_record = record_by_record
        self._in_turns = in_turns
        self._turn = ""
        self._left_in_turn = _TURN_RECORDS
        self._pace = pace
        self._paused = paused
        self._lock = Lock()
        self._step: StepUnit | None = None
        self._stepped: set[str] = set()
        self._read_in_step = 0
        self._completed_epoch: Callable[[], int] = lambda: 0
        self._open_epoch = 0
        self._heads: dict[str, int | None] = {}
        self._base: tuple[float, int] | None = None
        self._newest_ms = 0
        self.records = 0
        self.barriers = 0
        self.positions: dict[str, int] = {}
        self.began: dict[str, int] = {}

    @property
    def paused(self) -> bool:
        """Whether nothing is read until somebody says so."""
        return self._paused and self._step is None

    def count_epochs(self, completed: Callable[[], int]) -> None:
        """Take in who knows the newest epoch that is written everywhere, counted from 1."""
        self._completed_epoch = completed

    def longest_wait_s(self) -> float:
        """Return how long a partition that was let nothing go may wait until it asks again."""
        if not self.record_by_record:
            return _TURN_WAIT_S if self._in_turns and not self.paused else _WAIT_S
        if self.paused:
            return _PAUSED_WAIT_S
        if self._pace:
            return _PACED_WAIT_S
        fetching = any(head is None for head in list(self._heads.values()))
        return _FETCHING_WAIT_S if fetching else 0.0

    def pause(self) -> None:
        """Stop reading."""
        with self._lock:
            self._paused, self._step = True, None

    def resume(self) -> None:
        """Go on reading."""
        with self._lock:
            self._paused, self._step = False, None
            self._base = None

    def set_pace(self, pace: float) -> None:
        """Change the pace."""
        with self._lock:
            self._pace, self._base = pace, None

    def step(self, unit: StepUnit) -> None:
        """While paused, go on by a record, a batch of every partition, or an epoch."""
        with self._lock:
            if self._paused:
                self._step, self._stepped, self._read_in_step = unit, set(), 0
                self._base = None

    def opened(self, partition: str, position: int) -> None:
        """Take in that a partition is read from *position* on."""
        with self._lock:
            self.began[partition] = self.positions[partition] = position
            self._heads[partition] = None

    def closed_epoch(self) -> None:
        """Take in that everything that a partition has let go is written."""
        with self._lock:
            self.barriers += 1
            if self._step == "epoch" and self._read_in_step:
                self._step = None

    def at_end(self, partition: str) -> None:
        """Take in that a partition has nothing left."""
        with self._lock:
            self._heads.pop(partition, None)
            if self._step == "batch":
                self._stepped.add(partition)
                self._end_batch_step()

    def grant(self, partition: str, waiting: Sequence[RawRecord]) -> int:
        """Return how many of the records that wait in a partition may go now."""
        with self._lock:
            self._heads[partition] = waiting[0][4] if waiting else None
            count = self._granted(partition, waiting)
            if count:
                self._note(partition, count, waiting)
            return count

    def _granted(self, partition: str, waiting: Sequence[RawRecord]) -> int:
        if not waiting or (self._paused and self._step is None):
            return 0
        if self._step == "batch" and partition in self._stepped:
            return 0
        count = len(waiting)
        if self.record_by_record or self._step == "record":
            count = min(count, self._one(partition))
        elif self._in_turns:
            count = min(count, self._of_turn(partition))
        return min(count, self._due(waiting)) if self._pace and self._step is None else count

    def _note(self, partition: str, count: int, waiting: Sequence[RawRecord]) -> None:
        self.records += count
        self._read_in_step += count
        self._newest_ms = max(self._newest_ms, waiting[count - 1][4])
        self._left_in_turn -= count
        self.positions[partition] = waiting[count - 1][0] + 1
        self._heads[partition] = waiting[count][4] if count < len(waiting) else None
        if self.record_by_record:
            self._open_epoch = self._completed_epoch() + 1
        if self._step == "record":
            self._step = None
        elif self._step == "batch":
            self._stepped.add(partition)
            self._end_batch_step()

    def _of_turn(self, partition: str) -> int:
        """Return how many records *partition* may give now: none while it is another's turn."""
        if self._left_in_turn <= 0 or self._turn not in self._heads:
            self._end_turn()
        return self._left_in_turn if partition == self._turn else 0

    def _end_turn(self) -> None:
        """Give the turn to the next partition, in the order of their keys, that has any left."""
        keys = sorted(self._heads)
        self._turn = next((key for key in keys if key > self._turn), keys[0] if keys else "")
        self._left_in_turn = _TURN_RECORDS

    def _end_batch_step(self) -> None:
        if self._stepped >= self._heads.keys():
            self._step = None

    def _one(self, partition: str) -> int:
        """Return 1 when it is the partition's turn: nothing else is open, no other has an older
        record."""
        if self.record_by_record and self._completed_epoch() < self._open_epoch:
            return 0
        if any(head is None for head in self._heads.values()):
            return 0  # whose record comes next is not known yet
        oldest = min((head, key) for key, head in self._heads.items() if head is not None)
        return 1 if oldest[1] == partition else 0

    def _due(self, waiting: Sequence[RawRecord]) -> int:
        """Return how many records are due by their timestamps."""
        now_s = monotonic()
        if self._base is None:
            self._base = now_s, max(waiting[0][4], self._newest_ms)
        began_s, began_ms = self._base
        reached_ms = began_ms + (now_s - began_s) * 1000 * self._pace
        for count, record in enumerate(waiting):
            if record[4] > reached_ms:
                return count
        return len(waiting)
