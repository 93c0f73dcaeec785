"""Runs the loaded flow on the main thread and tells the bench how it goes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal

from loom_bench.host.import_failures import raised_diagnosis
from loom_bench.host.outbox import Outbox
from loom_bench.host.telemetry import Telemetry
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
from loom_runtime.config.context import ConfigContext
from loom_runtime.engine_control import StopMode
from loom_runtime.failures import RunError
from loom_runtime.flow.process import StreamFlow
from loom_runtime.observability import ObservabilityConfig, ObservabilityRuntime
from loom_runtime.runner import StreamingRunner

_REVISION_CHARACTERS = 12


class RunnableFlow:
    """A compiled flow with everything that it needs to run.

    Args:
        flow: The flow.
        config: Its configuration.
        path: File of its module.

    Raises:
        CompilationError: When the flow cannot run.
        ConfigError: When the configuration cannot be used.
    """

    def __init__(self, flow: StreamFlow[Any, Any], config: ConfigContext, path: Path) -> None:
        self.observability = (
            ObservabilityRuntime.from_config(config.section("observability", ObservabilityConfig))
            if config.has("observability")
            else ObservabilityRuntime.noop()
        )
        self.runner = StreamingRunner.from_context(
            flow, config=config, observability_runtime=self.observability
        )
        self.runner.revision = hashlib.sha256(path.read_bytes()).hexdigest()[:_REVISION_CHARACTERS]

    def warm_up(self) -> None:
        """Import the engine, which takes a moment, before it is needed."""
        import loom_runtime.engine.prepared  # noqa: F401, PLC0415


class RunJob:
    """One run of a flow.

    Args:
        flow: The flow.
        command: Its limits.
    """

    def __init__(self, flow: RunnableFlow, command: Start) -> None:
        self._runner = flow.runner
        self._observability = flow.observability
        self._runner.control.until_idle_ms = command.until_idle_ms
        self._runner.control.max_records = command.max_records

    def run(self, outbox: Outbox) -> None:
        """Run until the end; tells Started, everything in between, and Finished."""
        self._observability.add_observer(Telemetry(outbox).observe)
        self._runner.on_report(outbox.ledger)
        outbox.answer(Started())
        failure: Diagnosis | None = None
        try:
            self._runner.run()
        except Exception as error:  # noqa: BLE001 - whatever ended the run is told to the bench
            failure = _failure(error)
        finally:
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
                control.pause()
            case Resume():
                control.resume()
            case FinishWhenIdle():
                if not control.paused:
                    control.resume()  # counts idleness from now
                control.until_idle_ms = command.until_idle_ms

    def _outcome(self, failure: Diagnosis | None) -> Literal["finished", "drained", "failed"]:
        if failure is not None:
            return "failed"
        return "drained" if self._runner.control.stop is StopMode.DRAIN else "finished"


def _failure(error: Exception) -> Diagnosis:
    if isinstance(error, RunError):
        return Diagnosis(
            code="run_failed", message=error.what, component=error.where, hint=error.what_next
        )
    return raised_diagnosis(error, code="run_failed", component="the run")
