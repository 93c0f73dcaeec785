"""A host's life: greet, do what the bench asks, end with the bench."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Protocol

from loom_bench.host.compiling import check, load, rehearse
from loom_bench.host.dumping import dumped_after
from loom_bench.host.outbox import Outbox
from loom_bench.protocol.channel import Channel
from loom_bench.protocol.codec import ProtocolError
from loom_bench.protocol.decoding import DecodePickles
from loom_bench.protocol.feeding import Feed
from loom_bench.protocol.frames import PROTOCOL_VERSION, BenchFrame, Check, Hello, Load, Start, Stop
from loom_bench.protocol.steering import WarmUp, WriteRecord
from loom_bench.protocol.tracing import ProveRecords, TraceRecord

if TYPE_CHECKING:
    from loom_bench.host.running import RunnableFlow

_CLOSE_TIMEOUT_S = 5.0

_TO_DO = (
    Check,
    Load,
    Start,
    Feed,
    WarmUp,
    WriteRecord,
    TraceRecord,
    ProveRecords,
    DecodePickles,
)
"""Commands that the main thread does, one after the other; the others go to what it does."""


class Job(Protocol):
    """Something that runs until it ends or is told to."""

    def run(self, outbox: Outbox) -> None:
        """Run on the main thread; tells its end."""

    def steer(self, command: BenchFrame) -> None:
        """Take a command from another thread."""


class Server:
    """Serves one bench, user code on the main thread.

    Args:
        connection: Socket to the bench.
        dump_fd: File that stack dumps go to.
    """

    def __init__(self, connection: socket.socket, dump_fd: int) -> None:
        self._channel: Channel[BenchFrame] = Channel(connection, BenchFrame)
        self._dump_fd = dump_fd
        self._commands: SimpleQueue[BenchFrame] = SimpleQueue()
        self._loaded: RunnableFlow | None = None
        self._job: Job | None = None
        self._job_changes = threading.Lock()
        self._early: list[BenchFrame] = []

    def serve(self) -> None:
        """Greet, then do what is asked until told to stop or the bench is gone."""
        self._channel.send(Hello(PROTOCOL_VERSION, os.getpid()))
        threading.Thread(target=self._listen, name="bench-commands", daemon=True).start()
        outbox = Outbox(self._channel, end_hard)
        while not isinstance(command := self._commands.get(), Stop):
            self._do(command, outbox)
        outbox.close(_CLOSE_TIMEOUT_S)

    def _do(self, command: BenchFrame, outbox: Outbox) -> None:
        match command:
            case Check():
                with dumped_after(command.time_limit_ms, self._dump_fd):
                    outbox.answer(check(command))
            case Load():
                if command.replay:
                    os.environ["LOOM_REPLAY"] = "1"
                with dumped_after(command.time_limit_ms, self._dump_fd):
                    answer, self._loaded = load(command)
                outbox.answer(answer)
                if self._loaded is not None:
                    self._loaded.warm_up()
            case WarmUp():
                from loom_bench.host.running import RunnableFlow  # noqa: PLC0415 - takes a while

                RunnableFlow.warm_up()
                rehearse()
            case WriteRecord():
                from loom_bench.host.writing import write_record  # noqa: PLC0415 - only to write

                outbox.answer(write_record(command))
            case Start() if self._loaded is not None:
                from loom_bench.host.running import RunJob  # noqa: PLC0415 - imported by load

                self._run(RunJob(self._loaded, command), outbox)
            case TraceRecord() if self._loaded is not None:
                from loom_bench.host.tracing import TraceJob  # noqa: PLC0415 - only to trace

                self._run(TraceJob(self._loaded.tracer, command, self._dump_fd), outbox)
            case ProveRecords() if self._loaded is not None:
                from loom_bench.host.tracing import ProofJob  # noqa: PLC0415 - only to prove

                self._run(ProofJob(self._loaded.tracer, command, self._dump_fd), outbox)
            case DecodePickles():
                from loom_bench.host.decoding import decode_pickles  # noqa: PLC0415 - when asked for

                outbox.answer(decode_pickles(command))
            case Feed():
                from loom_bench.host.feeding import FeedJob  # noqa: PLC0415 - only to feed

                self._run(FeedJob(command), outbox)
            case _:
                raise ProtocolError(f"a {type(command).__name__} frame that nothing waits for")

    def _run(self, job: Job, outbox: Outbox) -> None:
        with self._job_changes:
            self._job, early, self._early = job, self._early, []
        for command in early:
            job.steer(command)
        try:
            job.run(outbox)
        finally:
            with self._job_changes:
                self._job = None

    def _steer(self, command: BenchFrame) -> None:
        """Pass a command on to what runs; one that comes before it waits for it."""
        with self._job_changes:
            job = self._job
            if job is None:
                self._early.append(command)
                return
        job.steer(command)

    def _listen(self) -> None:
        try:
            for command in self._channel.receive():
                if not isinstance(command, _TO_DO):
                    self._steer(command)
                if isinstance(command, (*_TO_DO, Stop)):
                    self._commands.put(command)
        except ProtocolError as error:
            print(f"loom-bench host: {error}", file=sys.stderr)
        finally:
            end_hard()


def end_hard() -> None:
    """End this process and whatever it started, now: the bench is gone."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
