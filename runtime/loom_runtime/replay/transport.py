"""A process's way to the topics of a replay: it reads as always and writes where it is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loom_runtime.execution.layout import Port
from loom_runtime.replay.capture import CapturingWriter, OutputCapture
from loom_runtime.replay.reader import ReplayReader
from loom_runtime.replay.steering import ReplaySteering
from loom_runtime.transport import OutputWriter, Transport


@dataclass(frozen=True)
class ReplayRun:
    """What makes a run a replay.

    Attributes:
        steering: How far and how fast it reads.
        capture: Where its outputs are taken down.
        real_topics: Whether they are written to their topics too.
    """

    steering: ReplaySteering
    capture: OutputCapture
    real_topics: bool = False

    def around(self, topics: Transport, ports: Sequence[Port]) -> ReplayTransport:
        """Return a transport that reads *topics* as this replay does."""
        self.capture.begin(ports)
        return ReplayTransport(topics, self)


class ReplayTransport:
    """A transport around another.

    Args:
        topics: The way to the topics.
        replay: What makes the run a replay.
    """

    def __init__(self, topics: Transport, replay: ReplayRun) -> None:
        self._topics = topics
        self._replay = replay

    def partitions(self) -> Sequence[tuple[str, int]]:
        """Return the source partitions of this process."""
        return self._topics.partitions()

    def every_partition(self) -> Sequence[tuple[str, int]]:
        """Return the source partitions of all processes."""
        return self._topics.every_partition()

    def open_reader(self, topic: str, partition: int, snapshot_offset: int | None) -> ReplayReader:
        """Open a partition where the fork stands."""
        inner = self._topics.open_reader(topic, partition, snapshot_offset)
        return ReplayReader(inner, topic, partition, self._replay.steering)

    def writer(self) -> OutputWriter:
        """Return the writer: the topics' own only when they are really written to."""
        if self._replay.real_topics:
            return self._topics.writer()
        return CapturingWriter(self._replay.capture)

    def close(self) -> None:
        """Release everything."""
        self._topics.close()
        self._replay.capture.flush()
