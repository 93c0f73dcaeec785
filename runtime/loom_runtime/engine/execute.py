"""Runs a dataflow on Bytewax and tells its failures apart from ours."""

from __future__ import annotations

import gc
from datetime import timedelta
from pathlib import Path
from threading import Lock

from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from loom_runtime.config.runtime import BytewaxRuntimeConfig
from loom_runtime.engine.panics import quiet_panics
from loom_runtime.failures import EngineError, RunError
from loom_runtime.wire.error_text import problem_text


def initialise_store(db_dir: Path, partitions: int) -> None:
    """Create the files of an empty recovery store."""
    init_db_dir(db_dir, partitions)  # type: ignore[no-untyped-call]


class _RareCollections:
    """Makes the cycle collector look rarely: a batch is thousands of objects and makes no cycles.

    With the interpreter's thresholds the collector took a third of the time of a simple flow. Of
    several runs in one process the last to end restores them.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._runs = 0
        self._thresholds: tuple[int, int, int] = (0, 0, 0)

    def __enter__(self) -> None:
        with self._lock:
            self._runs += 1
            if self._runs == 1:
                self._thresholds = gc.get_threshold()
                gc.freeze()
                gc.set_threshold(*_COLLECTOR_THRESHOLDS)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._runs -= 1
            if self._runs == 0:
                gc.set_threshold(*self._thresholds)
                gc.unfreeze()


_COLLECTOR_THRESHOLDS = (100_000, 20, 100)
_RARE_COLLECTIONS = _RareCollections()


def execute(
    flow: Dataflow,
    runtime: BytewaxRuntimeConfig,
    backup_interval: timedelta | None,
    *,
    every_batch: bool = False,
) -> None:
    """Run *flow* until it ends.

    Args:
        flow: The dataflow.
        runtime: Workers, cluster, epochs and recovery.
        backup_interval: How long superseded snapshots are kept; used with recovery only.
        every_batch: Whether an epoch ends after every batch, whatever its length is to be.

    Raises:
        RunError: When the run fails.
        KeyboardInterrupt: When it was interrupted.
    """
    recovery = None
    if runtime.recovery is not None:
        recovery = RecoveryConfig(runtime.recovery.db_dir, backup_interval)  # type: ignore[no-untyped-call]
    addresses = None if runtime.addresses is None else list(runtime.addresses)
    try:
        with _RARE_COLLECTIONS, quiet_panics():
            cli_main(  # type: ignore[no-untyped-call]
                flow,
                workers_per_process=runtime.workers_per_process,
                process_id=runtime.process_id,
                addresses=addresses,
                epoch_interval=timedelta(
                    milliseconds=0 if every_batch else runtime.epoch_interval_ms
                ),
                recovery_config=recovery,
            )
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        ours = _cause(error)
        if isinstance(ours, RunError | KeyboardInterrupt):
            raise ours from None
        if len(addresses or ()) > 1 and type(ours).__qualname__ == _PANIC:
            raise _peer_lost(flow, ours) from error
        raise EngineError(
            problem_text(ours),
            where=f"flow {flow.flow_id}",
            what_next="the traceback above this error's cause says where; offsets are committed "
            "up to the last whole epoch, so the flow may be started again",
        ) from error


_PANIC = "PanicException"
"""What a panic of Bytewax's threads is in Python; its class cannot be imported."""


def _peer_lost(flow: Dataflow, panic: BaseException) -> EngineError:
    return EngineError(
        "another process of the cluster has ended, or cannot be reached any more "
        f"(Bytewax: {panic})",
        where=f"flow {flow.flow_id}",
        what_next="see why the other process ended, then start every process of the cluster again; "
        "offsets are committed up to the last whole epoch",
    )


def _cause(error: BaseException) -> BaseException:
    """Return the innermost cause: Bytewax wraps what an operator raised."""
    seen = {id(error)}
    while True:
        inner = error.__cause__ or error.__context__
        if inner is None or id(inner) in seen or isinstance(error, RunError):
            return error
        seen.add(id(inner))
        error = inner
