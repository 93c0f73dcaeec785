"""StreamingRunner: from a flow and its configuration to a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from loom_runtime.compiler.compile import compile_flow
from loom_runtime.compiler.plan import CompiledPlan
from loom_runtime.config.context import ConfigContext
from loom_runtime.config.runtime import BytewaxRuntimeConfig
from loom_runtime.engine_control import RunControl
from loom_runtime.errors import ErrorKind
from loom_runtime.flow.process import StreamFlow
from loom_runtime.lazy_log import LazyLog
from loom_runtime.ledger import LedgerReport
from loom_runtime.observability import ObservabilityConfig, ObservabilityRuntime, Scope
from loom_runtime.observability.poll_cycle import poll_cycle
from loom_runtime.sinks import ErrorSink, SinkRegistry

if TYPE_CHECKING:
    from bytewax.dataflow import Dataflow

    from loom_runtime.engine.context import EngineContext
    from loom_runtime.engine.prepared import PreparedRun
    from loom_runtime.execution.sampling import OutputSampler
    from loom_runtime.replay.transport import ReplayRun
    from loom_runtime.tracing.gate import Gate

_log = LazyLog(__name__)

Flow = StreamFlow[Any, Any]


class Shutdown(Protocol):
    """What :func:`shutdown_runner` takes."""

    def shutdown(self) -> None:
        """Release resources."""


class StreamingRunner:
    """Compiles a flow and runs it. Make one with :meth:`from_yaml`, :meth:`from_dict` or
    :meth:`from_context`.

    Attributes:
        control: Commands to the run: drain, finish, pause, limits.
        revision: Name of the flow's code version; stands in envelopes and snapshots.
        output_sampler: Who counts and samples what runs write; ``None`` for nobody.
        replay: What makes runs replays; ``None`` for nothing.
        gate: What may stop runs at a record; ``None`` for nothing.
    """

    def __init__(self) -> None:
        self.control = RunControl()
        self.revision: str | None = None
        self.output_sampler: OutputSampler | None = None
        self.replay: ReplayRun | None = None
        self.gate: Gate | None = None
        self._flow: Flow | None = None
        self._plan: CompiledPlan | None = None
        self._config: ConfigContext | None = None
        self._runtime = BytewaxRuntimeConfig()
        self._observability = ObservabilityRuntime.noop()
        self._own_observability = False
        self._sinks = SinkRegistry()
        self._prepared: PreparedRun | None = None
        self._ran = False
        self._report_listeners: list[Callable[[LedgerReport], None]] = []

    @classmethod
    def from_yaml(cls, flow: Flow, path: str) -> StreamingRunner:
        """Compile *flow* with the configuration in the file *path*.

        Raises:
            ConfigError: When the configuration cannot be used.
            CompilationError: When the flow cannot run.
        """
        return cls.from_context(flow, config=ConfigContext.from_yaml(path))

    @classmethod
    def from_dict(cls, flow: Flow, mapping: Mapping[str, Any]) -> StreamingRunner:
        """Compile *flow* with a configuration given as a mapping; raises as :meth:`from_yaml`."""
        return cls.from_context(flow, config=ConfigContext.from_dict(mapping))

    @classmethod
    def from_context(
        cls,
        flow: Flow,
        *,
        config: ConfigContext,
        observability_runtime: ObservabilityRuntime | None = None,
    ) -> StreamingRunner:
        """Compile *flow*; raises as :meth:`from_yaml`.

        Args:
            flow: The flow.
            config: Its configuration.
            observability_runtime: Who observes the run; made from the ``observability`` section
                when ``None``.
        """
        runner = cls()
        runner._compile(flow, config, observability_runtime)
        return runner

    @property
    def plan(self) -> CompiledPlan:
        """The compiled plan.

        Raises:
            RuntimeError: When the runner was not made from a flow.
        """
        if self._plan is None:
            raise RuntimeError(
                "this StreamingRunner has no flow: make one with StreamingRunner.from_yaml, "
                "StreamingRunner.from_dict or StreamingRunner.from_context"
            )
        return self._plan

    @property
    def runtime(self) -> BytewaxRuntimeConfig:
        """How the flow runs."""
        return self._runtime

    def register_sink(self, sink: type) -> None:
        """Make a sink class known, so that ``streaming.sinks.*`` can name its type."""
        self._sinks.register(sink)

    def on_report(self, listener: Callable[[LedgerReport], None]) -> None:
        """Call *listener* with the ledger at the end of every epoch."""
        self._report_listeners.append(listener)

    def build_dataflow(self) -> Dataflow:
        """Return the Bytewax dataflow, as :meth:`prepare_run` does."""
        return self.prepare_run()

    def prepare_run(self, error_sinks: Mapping[ErrorKind, ErrorSink] | None = None) -> Dataflow:
        """Build the dataflow and what it needs; what an earlier call built is released.

        Args:
            error_sinks: Sinks that win over registered ones, which win over the flow's routes.

        Raises:
            RuntimeError: When the runner was not made from a flow.
            RunError: When a sink or the recovery store cannot be used.
        """
        from loom_runtime.engine.prepared import prepare  # noqa: PLC0415 - Bytewax loads late

        plan = self.plan
        self._release()
        self._prepared = prepare(
            plan,
            self._runtime,
            control=self.control,
            observability=self._observability,
            error_sinks={**self._registered_error_sinks(), **(error_sinks or {})},
            revision=self.revision,
            listeners=list(self._report_listeners),
            replay=self.replay,
            gate=self.gate,
        )
        self._prepared.context.output_sampler = self.output_sampler
        return self._prepared.dataflow

    def run(
        self,
        flow: Flow | None = None,
        config: ConfigContext | Mapping[str, Any] | None = None,
        config_path: str | None = None,
        error_sinks: Mapping[ErrorKind, ErrorSink] | None = None,
        runtime: BytewaxRuntimeConfig | None = None,
    ) -> None:
        """Run the flow until it ends, is drained or fails; release everything whatever happened.

        Args:
            flow: Compile and run this flow instead.
            config: Configuration of *flow*, or a new one for the runner's own flow.
            config_path: File to read the configuration from.
            error_sinks: As in :meth:`prepare_run`.
            runtime: How to run; wins over the configuration's ``streaming.runtime``.

        Raises:
            RuntimeError: When there is no flow.
            RunError: When the run fails.
        """
        self._recompile(flow, config, config_path)
        if runtime is not None:
            self._runtime = runtime
        plan = self.plan
        observe = self._observability
        if self._ran:
            self.control.begin_again()
        self._ran = True
        try:
            with poll_cycle(observe, plan.name, node_count=len(plan.nodes)) as run_id:
                observe.start_scrape_server()
                self.prepare_run(error_sinks)
                prepared = self._prepared
                if prepared is not None:
                    with observe.span(Scope.FLOW, plan.name, trace_id=run_id, run_id=run_id):
                        prepared.execute()
        finally:
            self.shutdown()

    def last_report(self) -> LedgerReport | None:
        """Return the newest ledger; ``None`` before a run."""
        return None if self._prepared is None else self._prepared.context.last_report()

    def engine(self) -> EngineContext | None:
        """Return what the workers of the newest run share, to be measured; ``None`` before one."""
        return None if self._prepared is None else self._prepared.context

    def shutdown(self) -> None:
        """Release what runs hold. Does nothing the second time."""
        self._release()
        if self._own_observability:
            self._observability.close()

    def _release(self) -> None:
        if self._prepared is not None:
            self._prepared.close()

    def _compile(
        self,
        flow: Flow,
        config: ConfigContext,
        observability_runtime: ObservabilityRuntime | None = None,
    ) -> None:
        self._flow, self._config = flow, config
        self._plan = compile_flow(flow, config=config)
        self._runtime = config.section_or_default(
            "streaming.runtime", BytewaxRuntimeConfig, BytewaxRuntimeConfig()
        )
        if observability_runtime is not None:
            self._observability, self._own_observability = observability_runtime, False
        elif config.has("observability"):
            self._observability = ObservabilityRuntime.from_config(
                config.section("observability", ObservabilityConfig)
            )
            self._own_observability = True

    def _recompile(
        self,
        flow: Flow | None,
        config: ConfigContext | Mapping[str, Any] | None,
        config_path: str | None,
    ) -> None:
        if config_path is not None:
            config = ConfigContext.from_yaml(config_path)
        elif config is not None and not isinstance(config, ConfigContext):
            config = ConfigContext.from_dict(config)
        chosen = flow or self._flow
        if chosen is None or (flow is None and config is None):
            return
        chosen_config = config or self._config
        if chosen_config is None:
            raise RuntimeError(
                "run(flow=...) needs config= or config_path=; or make the runner with "
                "StreamingRunner.from_yaml, from_dict or from_context"
            )
        self._compile(chosen, chosen_config)

    def _registered_error_sinks(self) -> dict[ErrorKind, ErrorSink]:
        if self._config is None:
            return {}
        return {
            kind: binding.sink
            for binding in self._sinks.resolve(self._config)
            if binding.purpose == "errors"
            for kind in binding.kinds
        }


def shutdown_runner(runner: Shutdown) -> None:
    """Shut *runner* down; a failure is logged and never raised."""
    try:
        runner.shutdown()
    except Exception:  # noqa: BLE001 - shutting down must not hide why it was needed
        _log.exception("the runner did not shut down cleanly")
