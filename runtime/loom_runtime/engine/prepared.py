"""One prepared run: context, dataflow, recovery store, observers; all that it has to release."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from bytewax.dataflow import Dataflow

from loom_runtime.compiler.plan import CompiledNode, CompiledPlan, CompiledSource, NodeKind
from loom_runtime.config.runtime import BytewaxRuntimeConfig
from loom_runtime.engine.context import EngineContext
from loom_runtime.engine.dataflow import build_dataflow
from loom_runtime.engine.execute import execute, initialise_store
from loom_runtime.engine.observation import Observation
from loom_runtime.engine.registered import RoutingWriter
from loom_runtime.engine_control import RunControl
from loom_runtime.errors import ErrorKind
from loom_runtime.execution.layout import Layout, lay_out
from loom_runtime.execution.process_bridge import BridgeOfProcess
from loom_runtime.execution.terminal import EnvelopeWriterEncoder, RecordEncoder
from loom_runtime.execution.topic_encoders import envelope_encoder, topic_encoder
from loom_runtime.execution.worker import Surroundings
from loom_runtime.kafka.transport import KafkaTransport
from loom_runtime.lazy_log import LazyLog
from loom_runtime.ledger import LedgerReport
from loom_runtime.observability import ObservabilityRuntime
from loom_runtime.recovery.identity import identity_of
from loom_runtime.recovery.store import backup_interval, prepare_store
from loom_runtime.replay.transport import ReplayRun
from loom_runtime.sinks import ErrorSink
from loom_runtime.transport import OutputWriter, PartitionReader, Transport

if TYPE_CHECKING:
    from loom_runtime.tracing.gate import Gate

_log = LazyLog(__name__)


@dataclass
class PreparedRun:
    """A run that is ready.

    Attributes:
        context: What its workers share.
        dataflow: What Bytewax runs.
        runtime: How it runs.
        bridge: The process's event loop.
        resources: What is released at the end.
        epoch_every_batch: Whether an epoch ends after every batch.
    """

    context: EngineContext
    runtime: BytewaxRuntimeConfig
    bridge: BridgeOfProcess
    resources: ExitStack = field(default_factory=ExitStack)
    epoch_every_batch: bool = False
    _closed: bool = False

    @cached_property
    def dataflow(self) -> Dataflow:
        """The dataflow."""
        return build_dataflow(self.context)

    def execute(self) -> None:
        """Run until the end.

        Raises:
            RunError: When the run fails, or its recovery store cannot be used.
        """
        settings = self.runtime.recovery
        _ = self.context.partitions
        if settings is None:
            self._warn_of_state()
            execute(self.dataflow, self.runtime, None)
            return
        # The store is kept until the run's clients are closed too: they are what writes.
        with prepare_store(
            Path(settings.db_dir),
            identity_of(self.context.layout.plan),
            partitions=settings.partitions,
            initialise=initialise_store,
            addresses=self.runtime.addresses,
            process_id=self.runtime.process_id,
        ):
            try:
                execute(
                    self.dataflow,
                    self.runtime,
                    backup_interval(settings),
                    every_batch=self.epoch_every_batch,
                )
            finally:
                self.close()

    def _warn_of_state(self) -> None:
        nodes = [each.node for each in self.context.layout.exchanges]
        keyed = [node.name for node in nodes if node.kind is NodeKind.STATEFUL_STEP]
        if keyed:
            _log.warning(
                "keyed state is kept in memory only and ends with the run, while committed offsets "
                "stay: set streaming.runtime.recovery.db_dir to keep it",
                nodes=keyed,
            )

    def close(self) -> None:
        """Release everything. Does nothing the second time."""
        if self._closed:
            return
        self._closed = True
        with self.resources:
            self.context.close()
            self.bridge.shutdown()


@dataclass
class _WithRegisteredSinks:
    """A transport whose writer also serves registered sinks."""

    topics: Transport
    make_writer: Callable[[OutputWriter], OutputWriter]

    def partitions(self) -> Sequence[tuple[str, int]]:
        return self.topics.partitions()

    def every_partition(self) -> Sequence[tuple[str, int]]:
        return self.topics.every_partition()

    def open_reader(
        self, topic: str, partition: int, snapshot_offset: int | None
    ) -> PartitionReader:
        return self.topics.open_reader(topic, partition, snapshot_offset)

    def writer(self) -> OutputWriter:
        return self._writer

    def close(self) -> None:
        with ExitStack() as resources:
            resources.callback(self.topics.close)
            if "_writer" in vars(self):
                self._writer.close()

    @cached_property
    def _writer(self) -> OutputWriter:
        return self.make_writer(self.topics.writer())


def prepare(
    plan: CompiledPlan,
    runtime: BytewaxRuntimeConfig,
    *,
    control: RunControl,
    observability: ObservabilityRuntime,
    error_sinks: Mapping[ErrorKind, ErrorSink],
    revision: str | None,
    listeners: list[Callable[[LedgerReport], None]],
    replay: ReplayRun | None = None,
    gate: Gate | None = None,
) -> PreparedRun:
    """Return a run of *plan* on Kafka; with *replay* it reads again and commits nothing."""
    layout = lay_out(plan, error_sinks)
    process_id = runtime.process_id or 0
    process_count = len(runtime.addresses or ("",))
    observation = Observation(plan, observability)
    topics = KafkaTransport(
        plan.source if replay is None else _uncommitted(plan.source),
        layout.ports,
        process_id=process_id,
        process_count=process_count,
        on_commit=observation.committed,
    )

    def with_registered(writer: OutputWriter) -> OutputWriter:
        sinks = {layout.error_ports[kind]: sink for kind, sink in error_sinks.items()}
        return RoutingWriter(
            writer,
            layout.ports,
            sinks,
            step_id="error_sinks",
            worker_index=process_id,
            worker_count=process_count,
        )

    transport: Transport = topics
    if error_sinks:
        transport = _WithRegisteredSinks(topics, with_registered)
    if replay is not None:
        transport = replay.around(transport if replay.real_topics else topics, layout.ports)
    prepared = assemble(
        layout,
        runtime,
        transport,
        control=control,
        record_encoder=lambda port: topic_encoder(layout, port),
        envelope_encoder=lambda kind: envelope_encoder(layout, kind),
        observation=observation,
        revision=revision,
        gate=gate,
    )
    prepared.context.listeners += listeners
    if replay is not None:
        _take_down(prepared, replay)
    return prepared


def _uncommitted(source: CompiledSource) -> CompiledSource:
    """Return *source* read so that the client commits nothing by itself."""
    settings = msgspec.structs.replace(source.settings, delivery="at_least_once")
    return dataclasses.replace(source, settings=settings)


def _take_down(prepared: PreparedRun, replay: ReplayRun) -> None:
    """Have outputs and failures captured."""
    context, capture = prepared.context, replay.capture
    context.capture = capture
    also = context.surroundings.listener

    def failed(
        envelope: Any, message: Any, node: CompiledNode | None, error: BaseException
    ) -> None:
        capture.failed(envelope, message, node)
        if also is not None:
            also(envelope, message, node, error)

    prepared.epoch_every_batch = replay.steering.record_by_record
    replay.steering.count_epochs(lambda: context.completed_epoch)
    context.surroundings = dataclasses.replace(context.surroundings, listener=failed)
    prepared.resources.callback(capture.close)


def assemble(
    layout: Layout,
    runtime: BytewaxRuntimeConfig,
    transport: Transport,
    *,
    control: RunControl,
    record_encoder: Callable[[int], RecordEncoder],
    envelope_encoder: Callable[[ErrorKind], tuple[int, EnvelopeWriterEncoder] | None],
    observation: Observation,
    revision: str | None = None,
    gate: Gate | None = None,
) -> PreparedRun:
    """Return a run of *layout* on any transport."""
    listener = observation.failure_listener
    if gate is not None:
        listener = gate.listening(listener)
    bridge = BridgeOfProcess(runtime)
    context = EngineContext(
        layout=layout,
        surroundings=Surroundings(
            layout=layout,
            record_encoder=record_encoder,
            envelope_encoder=envelope_encoder,
            bridge=bridge,
            revision=revision,
            listener=listener,
            overseer=gate,
        ),
        transport=transport,
        control=control,
        persistent=runtime.recovery is not None,
        revision=revision,
        listeners=[observation.reported],
        gate=gate,
    )
    if gate is not None:
        gate.attach(layout, control, context.commit_completed, revision)
    prepared = PreparedRun(context=context, runtime=runtime, bridge=bridge)
    prepared.resources.callback(observation.attach(context))
    return prepared
