"""What the engine needs of a broker: readers of partitions and one writer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from loom_runtime.execution.travel import DecodedBatch, SourceBatch


@dataclass(frozen=True, slots=True)
class Undelivered:
    """An output that a broker did not take.

    Attributes:
        port: Port that it was written to.
        output: The output, the very object that was handed to the writer.
        reason: What the broker or the client said.
    """

    port: int
    output: Any
    reason: str


class PartitionReader(Protocol):
    """Reads one partition from a fixed start."""

    @property
    def position(self) -> int:
        """Next offset to read. Moves over gaps that hold no record for us."""
        ...

    @property
    def committed(self) -> int | None:
        """Committed offset of the group, as far as known."""
        ...

    @property
    def end_offset(self) -> int | None:
        """End of the log as last seen."""
        ...

    @property
    def at_end(self) -> bool:
        """Whether everything that is there was read."""
        ...

    def read(self, limit: int) -> SourceBatch | DecodedBatch | None:
        """Return what is there now, at most *limit* records, without waiting."""
        ...

    def commit(self, offset: int, *, wait: bool) -> None:
        """Commit *offset*, if that moves the group forward or keeps its offset alive."""
        ...

    def close(self) -> None:
        """Release the reader."""
        ...


class OutputWriter(Protocol):
    """Writes outputs; one for all workers of a process."""

    def write(self, port: int, outputs: Sequence[Any]) -> None:
        """Take outputs; what cannot be taken is reported by :meth:`flush`."""
        ...

    def flush(self) -> None:
        """Wait until everything taken is delivered or known not to be."""
        ...

    def claim(self, port: int, outputs: Sequence[Any]) -> list[Undelivered]:
        """Return, once, which of *outputs* were not delivered."""
        ...

    def dead_letter(self, undelivered: Sequence[Undelivered]) -> list[Undelivered]:
        """Write to the ports' dead-letter topics, wait, and return what was not taken."""
        ...

    def close(self) -> None:
        """Release the writer."""
        ...


class Transport(Protocol):
    """One process's way to its topics."""

    def partitions(self) -> Sequence[tuple[str, int]]:
        """Return the source partitions that this process reads."""
        ...

    def every_partition(self) -> Sequence[tuple[str, int]]:
        """Return the source partitions of all processes; the same in every process."""
        ...

    def open_reader(
        self, topic: str, partition: int, snapshot_offset: int | None
    ) -> PartitionReader:
        """Open a partition at the snapshot's offset, else the committed one, else by policy."""
        ...

    def writer(self) -> OutputWriter:
        """Return the process's writer."""
        ...

    def close(self) -> None:
        """Release everything."""
        ...
