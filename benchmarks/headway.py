"""How far a process of a flow got, kept in a mapped file that outlives a SIGKILL.

Per partition two positions: one past the newest record that a step has handled, and where the
last epoch ended that the run has told to be recorded. What lies between them is what the open
epoch has read so far, and all that a restart may repeat.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from benchmarks.movements import PARTITIONS

_CELL: Final = "q"
_SIZE_BYTES: Final = 2 * PARTITIONS * 8


class Headway:
    """One process's positions.

    Args:
        path: The file; made when it is absent, gone on from when it is there.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(_SIZE_BYTES))
        with path.open("r+b") as file:
            self._cells = memoryview(mmap.mmap(file.fileno(), _SIZE_BYTES)).cast(_CELL)

    def handled(self, partition: int, offset: int) -> None:
        """Note that a step has seen the record at ``offset``."""
        self._cells[partition] = max(self._cells[partition], offset + 1)

    def recorded(self, partition: int, position: int) -> None:
        """Note that an epoch which ended at ``position`` is written and recorded."""
        cell = PARTITIONS + partition
        self._cells[cell] = max(self._cells[cell], position)

    def positions(self) -> list[tuple[int, int]]:
        """Handled to and recorded to, of each partition."""
        return list(zip(self._cells[:PARTITIONS], self._cells[PARTITIONS:], strict=True))


def unrecorded(processes: Iterable[Headway]) -> int:
    """Records that the flow's processes, dead or alive, have handled past the recorded epochs."""
    by_partition = zip(*(process.positions() for process in processes), strict=True)
    return sum(
        max(0, max(handled for handled, _ in cells) - max(recorded for _, recorded in cells))
        for cells in by_partition
    )
