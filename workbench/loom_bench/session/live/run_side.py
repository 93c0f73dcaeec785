"""The run under way: started, steered, drained, and its end told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, Literal, NamedTuple

from loom_bench.broker.child import memory_bytes
from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.protocol.frames import (
    BenchFrame,
    Drain,
    Finish,
    Finished,
    Ledger,
    Pause,
    Resume,
    Start,
    Started,
)
from loom_bench.protocol.steering import StepBatch, WatchNode
from loom_bench.protocol.tracing import StopEnded
from loom_bench.session.host_process import HostEnded, HostNews
from loom_bench.session.live.board import Board
from loom_bench.session.live.hosts import Hosts, LiveHost
from loom_bench.session.tracing.stops import Stops
from loom_bench.session.value import Phase

DRAIN_LIMIT_S: Final = 10.0
"""How long a drain may take before the process is ended: an epoch takes a tenth of a second, and a
step that takes longer than this hangs."""


class RunEnd(NamedTuple):
    """How a run ended.

    Attributes:
        outcome: ``drained`` and ``finished`` committed everything; ``killed`` was asked for.
        failure: Why it failed.
    """

    outcome: Literal["finished", "drained", "failed", "killed"]
    failure: Diagnosis | None = None


class RunSide:
    """Owns the host that runs the flow.

    Attributes:
        paused: Whether reading is paused; a run that takes over begins as the one before was.
        stops: Where the run is to stop, and where it has.

    Args:
        hosts: Ends hosts.
        board: Where the run is shown.
        on_started: Called when a run has begun.
        on_settled: Called when it has closed its first epoch.
        on_end: Called when a run that nobody waits for has ended.
    """

    def __init__(
        self,
        hosts: Hosts,
        board: Board,
        on_started: Callable[[LiveHost], None],
        on_settled: Callable[[], None],
        on_end: Callable[[RunEnd], None],
    ) -> None:
        self.paused = False
        self.stops = Stops(self._tell)
        self._hosts = hosts
        self._board = board
        self._on_started = on_started
        self._on_settled = on_settled
        self._on_end = on_end
        self._host: LiveHost | None = None
        self._settled = False
        self._watched: str | None = None
        self._waiting: Callable[[RunEnd], None] | None = None
        self._killed = False
        self._deadline_s: float | None = None

    @property
    def host(self) -> LiveHost | None:
        """The host that runs, from Start to the run's end."""
        return self._host

    @property
    def ending(self) -> bool:
        """Whether the run was asked to end."""
        return self._deadline_s is not None or self._killed

    def start(self, host: LiveHost, command: Start) -> None:
        """Run what *host* has loaded."""
        self._host, self._settled = host, False
        self._killed, self._deadline_s = False, None
        host.on_news = self._take
        self._board.gauges.begin(host.revision)  # its first frames may come before its Started
        if self._watched is not None:
            host.send(WatchNode(self._watched))
        for asked in self.stops.begin(host.revision):
            host.send(asked)
        host.send(command)

    def pause(self) -> None:
        """Stop reading."""
        self.paused = True
        self._steer(Pause(), Phase.PAUSED)

    def resume(self) -> None:
        """Go on reading."""
        self.paused = False
        self._steer(Resume(), Phase.RUNNING)

    def step(self) -> None:
        """While paused: read one batch of every partition."""
        if self.paused and self._host is not None:
            self._host.send(StepBatch())

    def watch(self, node: str | None) -> None:
        """Sample one node."""
        self._watched = node
        self._board.gauges.nodes.watch(node)
        if self._host is not None:
            self._host.send(WatchNode(node))

    def end(self, command: Drain | Finish, then: Callable[[RunEnd], None] | None = None) -> None:
        """Have the run end; *then* is called when it has, at once when nothing runs."""
        if self._host is None:
            if then is not None:
                then(RunEnd("drained"))
            return
        if then is not None:
            self._waiting = then
        if self._deadline_s is None:
            self._board.phase = Phase.DRAINING
            self._deadline_s = time.monotonic() + DRAIN_LIMIT_S
            self._host.send(command)

    def kill(self) -> None:
        """End the process now."""
        if self._host is not None:
            self._killed = True
            threading.Thread(target=self._host.kill, name="kill-host", daemon=True).start()

    def drop(self) -> None:
        """End the process now and forget it; nobody is told."""
        host, self._host, self._waiting = self._host, None, None
        if host is not None:
            self._hosts.retire(host)
        self.stops.end()
        self._board.gauges.stand_still()
        self._board.host_memory_bytes = None

    def tick(self) -> None:
        """Give up on a drain that takes too long; once a second at least."""
        if self._host is None:
            return
        self._board.host_memory_bytes = memory_bytes(self._host.pid)
        if self._deadline_s is not None and time.monotonic() >= self._deadline_s:
            self._deadline_s = None
            self._board.notice(
                f"the run did not end within {DRAIN_LIMIT_S:g} s and was killed; its last epoch "
                "is repeated",
                "warning",
            )
            self.kill()

    def _take(self, host: LiveHost, news: HostNews) -> None:
        match news:
            case Started():
                if self._deadline_s is None:
                    self._board.phase = Phase.PAUSED if self.paused else Phase.RUNNING
                self._board.host_memory_bytes = memory_bytes(host.pid)
                self._on_started(host)
            case Finished():
                self._ended(RunEnd(news.outcome, news.failure))
            case HostEnded() if self._killed:
                self._ended(RunEnd("killed"))
            case HostEnded():
                self._ended(RunEnd("failed", host.ending(self._board.target, news)))
            case _ if self.stops.take(news):
                if isinstance(news, StopEnded) and news.action is None and news.problem is None:
                    self._board.notice("the run left the record that it stood at to the next one")
            case _:
                self._board.gauges.take(news)
                if isinstance(news, Ledger) and not self._settled:
                    self._settled = True
                    self._on_settled()

    def _ended(self, end: RunEnd) -> None:
        waiting = self._waiting
        self.drop()
        self._deadline_s = None
        (waiting or self._on_end)(end)

    def _tell(self, command: BenchFrame) -> None:
        if self._host is not None:
            self._host.send(command)

    def _steer(self, command: BenchFrame, phase: Phase) -> None:
        if self._host is not None:
            self._host.send(command)
            if self._board.phase in (Phase.RUNNING, Phase.PAUSED):
                self._board.phase = phase
