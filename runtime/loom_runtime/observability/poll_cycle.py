"""The events round a run: its start, and its end whatever happened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from loom_runtime.observability.events import EventKind, LifecycleEvent, LifecycleStatus, Scope
from loom_runtime.observability.runtime import ObservabilityRuntime
from loom_runtime.trace_ids import generate_trace_id
from loom_runtime.wire.error_text import problem_text


@contextmanager
def poll_cycle(observe: ObservabilityRuntime, flow: str, *, node_count: int) -> Iterator[str]:
    """Tell that a run of *flow* begins, and that it ends, with success or failure.

    Yields:
        The run's id, which is its trace id too.
    """
    run_id = generate_trace_id()
    meta = {"run_id": run_id, "node_count": node_count}
    started_s = perf_counter()
    error: str | None = None
    observe.emit(
        LifecycleEvent.start(
            scope=Scope.POLL_CYCLE, name=flow, trace_id=run_id, id=run_id[:16], meta=meta
        )
    )
    try:
        yield run_id
    except BaseException as problem:
        error = problem_text(problem)
        raise
    finally:
        observe.emit(
            LifecycleEvent(
                scope=Scope.POLL_CYCLE,
                name=flow,
                kind=EventKind.END,
                trace_id=run_id,
                id=run_id[:16],
                duration_ms=(perf_counter() - started_s) * 1000,
                status=LifecycleStatus.SUCCESS if error is None else LifecycleStatus.FAILURE,
                error=error,
                meta=dict(meta),
            )
        )
