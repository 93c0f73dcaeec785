"""What all workers of one process share while a flow runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import inf
from threading import Lock, get_ident
from typing import TYPE_CHECKING

from loom_runtime.compiler.plan import NodePath
from loom_runtime.engine_control import RunControl
from loom_runtime.execution.keyed import KeyedStep
from loom_runtime.execution.layout import Exchange, Layout
from loom_runtime.execution.sampling import OutputSampler, Sampler
from loom_runtime.execution.segments import ExchangeSegment, SourceSegment
from loom_runtime.execution.statistics import NodeStatistics, merged
from loom_runtime.execution.travel import partition_key
from loom_runtime.execution.worker import Surroundings, Worker
from loom_runtime.ledger import LedgerReport, LedgerRow, PartitionLedger
from loom_runtime.replay.capture import OutputCapture
from loom_runtime.transport import Transport

if TYPE_CHECKING:
    from loom_runtime.tracing.gate import Gate

ReportListener = Callable[[LedgerReport], None]


@dataclass(slots=True)
class _OfThread:
    """What one worker thread has of its own.

    It is found by the thread's ident and is no thread-local: those of Bytewax's worker threads,
    which Python did not start, are lost whenever Bytewax lets go of the interpreter.
    """

    worker: Worker
    source_segment: SourceSegment | None = None
    segments: dict[int, ExchangeSegment] = field(default_factory=dict)
    keyed_steps: dict[int, KeyedStep] = field(default_factory=dict)


@dataclass
class EngineContext:
    """One process's run.

    Attributes:
        layout: The plan, cut into segments.
        surroundings: What every worker is built from.
        transport: The way to the topics.
        control: Commands from outside.
        persistent: Whether state goes to a recovery store.
        revision: Revision of the flow's code.
        listeners: Called with the ledger at the end of every epoch.
        output_sampler: Who counts and samples what is written; ``None`` for nobody.
        gate: What may stop the run at a record; ``None`` for nothing.
        completed_epoch: Newest epoch that every worker has written; counted from 1.
        committers: One a partition: commits what it had read by the end of an epoch.
        capture: Who takes down what is written; ``None`` for nobody.
        given_states: State that keys begin with, by step id and key, in a run without a store.
    """

    layout: Layout
    surroundings: Surroundings
    transport: Transport
    control: RunControl
    persistent: bool
    revision: str | None = None
    listeners: list[ReportListener] = field(default_factory=list)
    output_sampler: OutputSampler | None = None
    gate: Gate | None = None
    completed_epoch: int = 0
    committers: list[Callable[[int], None]] = field(default_factory=list)
    capture: OutputCapture | None = None
    given_states: dict[str, dict[str, bytes]] = field(default_factory=dict)
    workers: list[Worker] = field(default_factory=list)
    ledgers: dict[str, PartitionLedger] = field(default_factory=dict)
    _of_thread: dict[int, _OfThread] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)
    _rows: dict[str, LedgerRow] = field(default_factory=dict)
    _closed_epochs: dict[str, float] = field(default_factory=dict)
    _reported_epoch: float = 0
    _last_epoch: int = 0
    _partitions: Sequence[tuple[str, int]] | None = None

    @property
    def partitions(self) -> Sequence[tuple[str, int]]:
        """Source partitions of this process."""
        if self._partitions is None:
            self._partitions = self.transport.partitions()
            for topic, partition in self._partitions:
                key = partition_key(topic, partition)
                self.ledgers[key] = PartitionLedger(topic, partition, tracked=self.layout.fans_out)
                self.control.expect(key)
        return self._partitions

    @cached_property
    def part_index(self) -> dict[str, int]:
        """Index of every process's partitions in the order of their keys."""
        keys = sorted(partition_key(*place) for place in self.transport.every_partition())
        return {key: index for index, key in enumerate(keys)}

    @property
    def partition_keys(self) -> list[str]:
        """Durable keys of the process's partitions."""
        return [partition_key(topic, partition) for topic, partition in self.partitions]

    def worker(self) -> Worker:
        """Return the calling thread's worker."""
        return self._own().worker

    def source_segment(self) -> SourceSegment:
        """Return the calling thread's source segment."""
        own = self._own()
        if own.source_segment is None:
            own.source_segment = SourceSegment(own.worker)
        return own.source_segment

    def exchange_segment(self, exchange: Exchange) -> ExchangeSegment:
        """Return the calling thread's segment behind *exchange*."""
        own = self._own()
        found = own.segments.get(exchange.index)
        if found is None:
            found = own.segments[exchange.index] = ExchangeSegment(own.worker, exchange)
        return found

    def keyed_step(self, exchange: Exchange) -> KeyedStep:
        """Return the calling thread's keyed step of *exchange*."""
        own = self._own()
        found = own.keyed_steps.get(exchange.index)
        if found is None:
            found = own.keyed_steps[exchange.index] = own.worker.keyed_step(exchange.node)
        return found

    def _own(self) -> _OfThread:
        thread = get_ident()
        found = self._of_thread.get(thread)
        if found is None:
            with self._lock:
                found = self._of_thread[thread] = _OfThread(Worker(self.surroundings))
                self.workers.append(found.worker)
        return found

    def partition_closed(self, key: str, epoch: int, row: LedgerRow, *, ended: bool) -> None:
        """Take one partition's row at an epoch barrier; report when all rows are there."""
        with self._lock:
            self._rows[key] = row
            self._last_epoch = max(self._last_epoch, epoch)
            self._closed_epochs[key] = inf if ended else epoch
            report = None
            if len(self._closed_epochs) == len(self.ledgers):
                # A partition that sleeps over an epoch's end says so with a later one.
                complete = min(self._closed_epochs.values())
                if complete > self._reported_epoch:
                    self._reported_epoch = complete
                    report = self._report(epoch)
        if report is not None:
            for listener in self.listeners:
                listener(report)

    def commit_completed(self) -> None:
        """Commit, for every partition, what the epochs before the one under way have written."""
        for commit in self.committers:
            commit(self.completed_epoch)

    def last_report(self) -> LedgerReport:
        """Return the newest row of every partition."""
        with self._lock:
            return self._report(self._last_epoch)

    def statistics(self) -> dict[NodePath, NodeStatistics]:
        """Return every node's counters, summed over workers."""
        with self._lock:
            workers = list(self.workers)
        paths = {path for worker in workers for path in list(worker.statistics)}
        return {
            path: merged(w.statistics[path] for w in workers if path in w.statistics)
            for path in sorted(paths)
        }

    def sample(self, path: NodePath, sampler: Sampler | None) -> None:
        """Have *sampler* see what the node at *path* takes and gives, on every worker there is
        now."""
        with self._lock:
            workers = list(self.workers)
        for worker in workers:
            if path in worker.statistics:
                worker.statistics[path].sampler = sampler

    def close(self) -> None:
        """Close the workers' dependencies and the transport."""
        for worker in self.workers:
            worker.close()
        self.transport.close()

    def _report(self, epoch: int) -> LedgerReport:
        return LedgerReport(
            flow=self.layout.plan.name,
            epoch=epoch,
            partitions=tuple(row for _, row in sorted(self._rows.items(), key=_by_partition)),
        )


def _by_partition(item: tuple[str, LedgerRow]) -> tuple[str, int]:
    return item[1].topic, item[1].partition
