"""Everything that a running flow tells of itself, over all runs of a session."""

from __future__ import annotations

from loom_bench.protocol.frames import Errors, Events, Ledger, SeenEvent
from loom_bench.protocol.measurements import Commits, Nodes, Outputs, Samples
from loom_bench.session.host_process import HostNews
from loom_bench.session.live.error_book import ErrorBook
from loom_bench.session.live.node_gauges import NodeGauges
from loom_bench.session.live.partition_gauges import PartitionGauges
from loom_bench.session.live.rings import Ring
from loom_bench.session.value import OutputSeen

KEPT_EVENTS = 2_000
KEPT_OUTPUTS = 500


class _Total:
    """A count that begins at 0 with every run and goes on in the session."""

    def __init__(self) -> None:
        self._before = self._now = 0

    def begin(self) -> None:
        self._before, self._now = self.value, 0

    def set(self, count: int) -> None:
        self._now = count

    @property
    def value(self) -> int:
        return self._before + self._now


class Gauges:
    """Takes a run's frames.

    Attributes:
        nodes: Counters by node.
        partitions: Source partitions.
        errors: Failures.
        events: The newest lifecycle events.
        outputs: The newest outputs.
    """

    def __init__(self) -> None:
        self.nodes = NodeGauges()
        self.partitions = PartitionGauges()
        self.errors = ErrorBook()
        self.events: Ring[SeenEvent] = Ring(KEPT_EVENTS)
        self.outputs: Ring[OutputSeen] = Ring(KEPT_OUTPUTS)
        self._events_seen = _Total()
        self._outputs_seen = _Total()

    @property
    def events_seen(self) -> int:
        """Events since the session began."""
        return self._events_seen.value

    @property
    def outputs_seen(self) -> int:
        """Records written since the session began."""
        return self._outputs_seen.value

    def begin(self, revision: int) -> None:
        """Take in that a run of *revision* begins."""
        self.nodes.begin()
        self.partitions.begin()
        self.errors.begin(revision)
        self._events_seen.begin()
        self._outputs_seen.begin()

    def stand_still(self) -> None:
        """Take in that nothing runs any more."""
        self.nodes.stand_still()
        self.partitions.stand_still()

    def tick(self) -> None:
        """Move the histories on; once a second."""
        self.partitions.tick()
        self.errors.tick()

    def take(self, news: HostNews) -> None:
        """Take in a frame; one that is no measurement is left alone."""
        match news:
            case Nodes():
                self.nodes.take(news)
            case Samples():
                self.nodes.take_samples(news)
            case Ledger():
                self.partitions.take_ledger(news.report)
            case Commits():
                self.partitions.take_commits(news)
            case Errors():
                self.errors.take(news)
            case Events():
                self._events_seen.set(news.seen)
                self.events.extend(news.events)
            case Outputs():
                self._outputs_seen.set(news.seen)
                self.outputs.extend(
                    OutputSeen(
                        at_ms=each.at_ms,
                        topic=each.topic,
                        key=each.key,
                        text=each.text,
                        kind=each.kind,
                    )
                    for each in news.newest
                )
