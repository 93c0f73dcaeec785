"""Runs a flow on a thread of the test's own process, which is quicker than a child."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from loom_runtime import StreamFlow, StreamingRunner
from loom_runtime.config.context import ConfigContext
from loom_runtime.engine_control import RunControl
from loom_runtime.errors import ErrorKind
from loom_runtime.ledger import LedgerReport
from loom_runtime.observability import LifecycleObserver, ObservabilityRuntime
from loom_runtime.sinks import ErrorSink
from loom_runtime.tracing.gate import Gate
from tests.delivery.reports import TIMEOUT_S, Reports


class Run:
    """One run of a flow.

    Args:
        flow: The flow.
        config: Its configuration.
        until_idle_ms: When it finishes by itself; ``None`` for never.
        max_records: How many records it reads at most.
        error_sinks: Sinks of error kinds.
        observers: Told of its events.
        drain_at: It is drained when the ledger says that so many records were read.
        gate: What may stop it at a record.
    """

    def __init__(
        self,
        flow: StreamFlow[Any, Any],
        config: Mapping[str, Any],
        *,
        until_idle_ms: int | None = None,
        max_records: int | None = None,
        error_sinks: Mapping[ErrorKind, ErrorSink] | None = None,
        observers: Iterable[LifecycleObserver] = (),
        drain_at: int | None = None,
        gate: Gate | None = None,
    ) -> None:
        self.runner = StreamingRunner.from_context(
            flow,
            config=ConfigContext.from_dict(config),
            observability_runtime=ObservabilityRuntime(observers),
        )
        self.runner.control.until_idle_ms = until_idle_ms
        self.runner.control.max_records = max_records
        self.runner.gate = gate
        self.reports = Reports()
        self.runner.on_report(self.reports)
        self._drain_at = drain_at
        self.runner.on_report(self._drain_in_time)
        self._error_sinks = error_sinks
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def control(self) -> RunControl:
        """Commands to it."""
        return self.runner.control

    @property
    def last(self) -> LedgerReport:
        """Its newest ledger."""
        report = self.runner.last_report()
        assert report is not None
        return report

    def wait(self) -> LedgerReport:
        """Wait until it has ended well and return its last ledger.

        Raises:
            Exception: What ended it otherwise.
        """
        self._thread.join(TIMEOUT_S)
        assert not self._thread.is_alive(), f"the run has not ended; {self.reports.all()[-1:]}"
        if self._error is not None:
            raise self._error
        return self.last

    def drain(self) -> LedgerReport:
        """Drain it."""
        self.control.drain()
        return self.wait()

    def finish(self) -> LedgerReport:
        """Have it finish."""
        self.control.finish()
        return self.wait()

    def _drain_in_time(self, report: LedgerReport) -> None:
        if self._drain_at is not None and report.total("consumed") >= self._drain_at:
            self.control.drain()

    def _run(self) -> None:
        try:
            self.runner.run(error_sinks=self._error_sinks)
        except Exception as error:  # noqa: BLE001 - raised again by wait
            self._error = error
        finally:
            self.reports.end()


@contextmanager
def running(flow: StreamFlow[Any, Any], config: Mapping[str, Any], **options: Any) -> Iterator[Run]:
    """Run a flow until the context is left."""
    run = Run(flow, config, **options)
    try:
        yield run
    finally:
        run.control.drain()
        run._thread.join(TIMEOUT_S)


def run_to_end(flow: StreamFlow[Any, Any], config: Mapping[str, Any], **options: Any) -> Run:
    """Run a flow until everything that is there was read and handed on."""
    with running(flow, config, **{"until_idle_ms": 100, **options}) as run:
        run.wait()
    return run
