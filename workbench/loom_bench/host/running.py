"""Runs the loaded flow on the main thread and tells the bench how it goes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from loom_bench.host.configuration import read_configuration
from loom_bench.host.import_failures import raised_diagnosis
from loom_bench.host.loading import local_files
from loom_bench.host.outbox import Outbox
from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.protocol.frames import (
    BenchFrame,
    Drain,
    Finish,
    Finished,
    FinishWhenIdle,
    Pause,
    Resume,
    Start,
    Started,
    Stop,
)
from loom_bench.protocol.replaying import SteerReplay
from loom_bench.protocol.steering import StepBatch, WatchNode
from loom_bench.protocol.tracing import SetBreakpoint
from loom_bench.revision_name import revision_name
from loom_runtime.config.context import ConfigContext
from loom_runtime.config.runtime import BytewaxRecoverySettings, BytewaxRuntimeConfig
from loom_runtime.engine_control import StopMode
from loom_runtime.failures import RunAbandonedError, RunError
from loom_runtime.flow.process import StreamFlow
from loom_runtime.observability import ObservabilityConfig, ObservabilityRuntime
from loom_runtime.runner import StreamingRunner
from loom_runtime.tracing.masking import Masking, TracingConfig

if TYPE_CHECKING:
    from loom_bench.host.pulse import Pulse
    from loom_bench.host.replaying import ReplaySide
    from loom_bench.host.stopping import LiveStops
    from loom_runtime.tracing.tracer import Tracer

_DEFAULT_EPOCH_MS = BytewaxRuntimeConfig().epoch_interval_ms
_EPOCH_MS = 50
"""A reload waits for the end of an epoch; epochs this short cost nothing that could be measured."""

_STORE_FILES = 2
"""A bench holds thousands of keys, not hundreds of thousands, and a reload opens every file."""


class RunnableFlow:
    """A compiled flow with everything that it needs to run.

    Args:
        flow: The flow.
        config: Its configuration.
        path: File of its module.
        config_file: Its configuration file; ``None`` when there is none.

    Raises:
        CompilationError: When the flow cannot run.
        ConfigError: When the configuration cannot be used.
    """

    def __init__(
        self,
        flow: StreamFlow[Any, Any],
        config: ConfigContext,
        path: Path,
        config_file: Path | None = None,
    ) -> None:
        self._flow, self._path, self._config_file = flow, path, config_file
        self._tracer: Tracer | None
        self._configure(config)

    def move_to(self, bootstrap: str, *, plaintext: bool) -> None:
        """Compile again for other brokers; raises as the class does."""
        self.observability.close()
        self._configure(
            read_configuration(self._flow, self._config_file, bootstrap, plaintext=plaintext)
        )

    def _configure(self, config: ConfigContext) -> None:
        self.observability = (
            ObservabilityRuntime.from_config(config.section("observability", ObservabilityConfig))
            if config.has("observability")
            else ObservabilityRuntime.noop()
        )
        self.runner = StreamingRunner.from_context(
            self._flow, config=config, observability_runtime=self.observability
        )
        files = list(map(Path, local_files(self._path)))
        if self._config_file is not None:
            files.append(self._config_file)
        self.revision = self.runner.revision = revision_name(self._path, files)
        self.masking, self._tracer = _masking(config), None

    def tracer(self) -> Tracer:
        """Return what traces records through the flow; the same one each time."""
        if self._tracer is None:
            from loom_runtime.tracing.tracer import Tracer  # noqa: PLC0415 - only to trace

            self._tracer = Tracer(
                self.runner.plan,
                runtime=self.runner.runtime,
                revision=self.runner.revision,
                masking=self.masking,
            )
        return self._tracer

    @property
    def configured_store(self) -> str | None:
        """Folder of the recovery store that the configuration names; ``None`` for none."""
        recovery = self.runner.runtime.recovery
        return None if recovery is None else str(Path(recovery.db_dir).absolute())

    @staticmethod
    def warm_up() -> None:
        """Import the engine and what measures it, which takes a moment, before it is needed."""
        import loom_bench.host.pulse  # noqa: PLC0415
        import loom_bench.host.stopping  # noqa: PLC0415
        import loom_bench.host.telemetry  # noqa: F401, PLC0415
        import loom_runtime.engine.prepared  # noqa: F401, PLC0415


class RunJob:
    """One run of a flow.

    Args:
        flow: The flow.
        command: Its limits.
    """

    def __init__(self, flow: RunnableFlow, command: Start) -> None:
        self._failure: Diagnosis | None = None
        if command.bootstrap is not None:
            try:
                flow.move_to(command.bootstrap, plaintext=command.plaintext)
            except Exception as error:  # noqa: BLE001 - steps are built: user code may raise anything
                self._failure = _failure(error)
        self._runner = flow.runner
        self._observability = flow.observability
        self._runtime = self._runner.runtime
        if command.live or command.store is not None:
            self._runtime = run_alone(self._runtime, command.store)
        control = self._runner.control
        control.until_idle_ms = command.until_idle_ms
        control.max_records = command.max_records
        if command.paused:
            control.pause()
        self._watched: str | None = None
        self._pulse: Pulse | None = None
        self._stops: LiveStops | None = None
        if command.live:
            from loom_bench.host.stopping import LiveStops  # noqa: PLC0415 - see warm_up

            self._stops = LiveStops(self._runner.plan, flow.masking)
            self._runner.gate = self._stops.gate
        self._replay: ReplaySide | None = None
        if command.replay is not None and self._failure is None:
            from loom_bench.host.replaying import ReplaySide  # noqa: PLC0415 - for replays only

            control.resume()
            try:
                self._replay = ReplaySide(self._runner, command.replay, paused=command.paused)
            except OSError as error:
                self._failure = _failure(error)
            self._stand_before(command.replay.breakpoint)

    def run(self, outbox: Outbox) -> None:
        """Run until the end; tells Started, everything in between, and Finished."""
        if self._failure is not None:
            outbox.answer(Finished(outcome="failed", failure=self._failure))
            return
        # The plan is told before these are imported: see warm_up.
        from loom_bench.host.pulse import Pulse  # noqa: PLC0415
        from loom_bench.host.telemetry import Telemetry  # noqa: PLC0415

        self._pulse = Pulse(self._runner, outbox)
        self._pulse.watch(self._watched)
        self._observability.add_observer(Telemetry(outbox).observe)
        self._runner.on_report(outbox.ledger)
        outbox.answer(Started())
        failure: Diagnosis | None = None
        self._pulse.start()
        if self._replay is not None:
            self._replay.start(outbox)
        if self._stops is not None:
            self._stops.begin(outbox)
        try:
            self._runner.run(runtime=self._runtime)
        except RunAbandonedError:
            pass  # as it was asked to: what it stood at is read again
        except Exception as error:  # noqa: BLE001 - whatever ended the run is told to the bench
            failure = _failure(error)
        finally:
            self._pulse.stop()
            if self._replay is not None:
                self._replay.stop()
            self._observability.close()
        report = self._runner.last_report()
        if report is not None:
            outbox.ledger(report)
        outbox.answer(Finished(outcome=self._outcome(failure), failure=failure))

    def steer(self, command: BenchFrame) -> None:
        """Pass a command on to the run; from any thread."""
        control = self._runner.control
        match command:
            case Drain() | Stop():
                control.drain()
            case Finish():
                control.finish()
            case Pause():
                (self._replay or control).pause()
            case Resume():
                (self._replay or control).resume()
            case SteerReplay() if self._replay is not None:
                self._replay.steer(command)
            case StepBatch():
                control.step()
            case WatchNode():
                self._watched = command.node
                if self._pulse is not None:
                    self._pulse.watch(command.node)
            case FinishWhenIdle():
                if not control.paused:
                    control.resume()  # counts idleness from now
                control.until_idle_ms = command.until_idle_ms
            case _ if self._stops is not None:
                self._stops.steer(command)

    def _stand_before(self, breakpoint_: SetBreakpoint | None) -> None:
        if breakpoint_ is None or self._stops is None:
            return
        problem = self._stops.stand_before(breakpoint_)
        if problem is not None:
            self._failure = Diagnosis(
                code="no_breakpoint",
                message=f"the replay cannot stop there: {problem}",
                component=breakpoint_.node,
                hint="Name a node of the flow, and a condition in the words of its routes.",
            )

    def _outcome(self, failure: Diagnosis | None) -> Literal["finished", "drained", "failed"]:
        if failure is not None:
            return "failed"
        return "drained" if self._runner.control.stop is StopMode.DRAIN else "finished"


def _masking(config: ConfigContext) -> Masking:
    section = config.section_or_default("tracing", TracingConfig, TracingConfig())
    try:
        return Masking(section.mask)
    except ValueError as error:
        raise config.error_at("tracing.mask", str(error), "Give regular expressions.") from error


def run_alone(runtime: BytewaxRuntimeConfig, store: str | None) -> BytewaxRuntimeConfig:
    """Return how a live session runs a flow: in one process, in short epochs, its state in the
    folder *store* when there is one.

    The engine keeps all history there, which costs it nothing; the bench thins it out."""
    recovery = runtime.recovery
    if store is not None:
        recovery = BytewaxRecoverySettings(db_dir=store, partitions=_STORE_FILES)
    epoch_ms = runtime.epoch_interval_ms
    return msgspec.structs.replace(
        runtime,
        recovery=recovery,
        addresses=None,
        process_id=None,
        epoch_interval_ms=_EPOCH_MS if epoch_ms == _DEFAULT_EPOCH_MS else epoch_ms,
    )


def _failure(error: Exception) -> Diagnosis:
    if isinstance(error, RunError):
        return Diagnosis(
            code="run_failed", message=error.what, component=error.where, hint=error.what_next
        )
    return raised_diagnosis(error, code="run_failed", component="the run")
