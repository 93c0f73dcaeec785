"""Runs a flow of :mod:`tests.snapshots.random_flows` as processes that can be killed."""

from __future__ import annotations

import multiprocessing
import socket
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from typing import Any

from loom_runtime import StreamingRunner
from loom_runtime.engine_control import StopMode
from loom_runtime.ledger import LedgerReport
from tests.snapshots.random_flows import Shape, build

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.snapshots.random_run", "loom_runtime.engine.prepared"])
_IDLE_MS = 150
_LIMIT_S = 40.0


def run(shape: Shape, config: dict[str, Any], told: Connection) -> None:
    """Run until everything was read, and drain: what is held stays held."""
    runner = StreamingRunner.from_dict(build(shape), config)
    runner.control.until_idle_ms = _IDLE_MS
    runner.control.at_limit = StopMode.DRAIN
    runner.revision = "r1"

    def tell(report: LedgerReport) -> None:
        told.send(report.total("consumed"))

    runner.on_report(tell)
    runner.run()


def run_cluster(
    shape: Shape, config: dict[str, Any], processes: int, *, kill_at: int | None = None
) -> None:
    """Run to the end, or kill every process when the first says that it has read so much."""
    runtime = config["streaming"]["runtime"]
    addresses = _addresses(processes) if processes > 1 else None
    with ExitStack() as stack:
        started: list[tuple[ForkServerProcess, Connection]] = []
        for index in range(processes):
            place = {"addresses": addresses, "process_id": index} if addresses else {}
            of_process = {**config, "streaming": {"runtime": {**runtime, **place}}}
            ours, theirs = _CONTEXT.Pipe(duplex=False)
            process = _CONTEXT.Process(target=run, args=(shape, of_process, theirs), daemon=True)
            process.start()
            theirs.close()
            stack.callback(_end, process, ours)
            started.append((process, ours))
        if kill_at is not None and _has_read(started, kill_at):
            return
        for process, ours in started:
            _drain(ours)
            process.join(_LIMIT_S)
            assert process.exitcode == 0, f"a run ended with {process.exitcode}"


def _has_read(started: list[tuple[ForkServerProcess, Connection]], records: int) -> bool:
    left = [ours for _, ours in started]
    while left:
        heard = wait(left, _LIMIT_S)
        assert heard, "a run says nothing and does not end"
        for ours in heard:
            assert isinstance(ours, Connection)
            try:
                if ours.recv() >= records:
                    return True
            except EOFError:
                left.remove(ours)
    return False


def _drain(ours: Connection) -> None:
    with suppress(EOFError):
        while ours.poll(_LIMIT_S):
            ours.recv()


def _end(process: ForkServerProcess, ours: Connection) -> None:
    process.kill()
    process.join()
    ours.close()


def _addresses(count: int) -> list[str]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
