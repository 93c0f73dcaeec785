"""A host that has loaded the code on disk, runs no flow, and does one thing at a time for us."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.protocol.frames import BenchFrame, Load, Loaded, LoadFailed
from loom_bench.session.endings import ended, hung
from loom_bench.session.host_process import HostEnded, HostNews
from loom_bench.session.live.hosts import Hosts, LiveHost
from loom_bench.session.load_deadline import Deadline
from loom_bench.session.stack_dump import main_thread_frames
from loom_bench.session.tracing.printed import Printed


class CodeHost:
    """Owns one host process, which is replaced when it is lost or its code is old.

    Attributes:
        printed: What the code printed since :meth:`Printed.begin`.
        loaded: What was loaded; ``None`` before.

    Args:
        hosts: Starts and ends hosts.
        on_ready: Called when the code is loaded.
        on_news: Called with what it answers.
        on_lost: Called with why there is no host any more: the code does not load, what it did
            took too long, or its process ended.
        nice: By how much it stands behind other processes for a processor, 0 to 19.
    """

    def __init__(
        self,
        hosts: Hosts,
        on_ready: Callable[[], None],
        on_news: Callable[[HostNews], None],
        on_lost: Callable[[Diagnosis], None],
        *,
        nice: int = 0,
    ) -> None:
        self.printed = Printed()
        self.loaded: Loaded | None = None
        self._hosts = hosts
        self._on_ready = on_ready
        self._on_news = on_news
        self._on_lost = on_lost
        self._nice = nice
        self._host: LiveHost | None = None
        self._target = ""
        self._deadline: Deadline | None = None

    @property
    def there(self) -> bool:
        """Whether there is a host, loaded or loading."""
        return self._host is not None

    def begin(self, command: Load) -> None:
        """Start a host and load code in it.

        Raises:
            OSError: When no process can be started.
        """
        self.drop()
        host = self._hosts.spawn(self.printed, nice=self._nice)
        host.on_news = self._take
        self._host, self._target = host, command.target
        self.printed.begin()
        self.send(command, command.time_limit_ms)

    def send(self, command: BenchFrame, time_limit_ms: int | None = None) -> None:
        """Have something done.

        Args:
            command: What.
            time_limit_ms: How long its answer may take; ``None`` leaves the limit as it is.
        """
        if self._host is not None:
            if time_limit_ms is not None:
                self._deadline = Deadline(time_limit_ms, self._host.stack_dump)
            self._host.send(command)

    def extend(self) -> None:
        """Begin the time limit again: it has told how far it is."""
        if self._deadline is not None and self._host is not None:
            self._deadline = Deadline(self._deadline.time_limit_ms, self._host.stack_dump)

    def rest(self) -> None:
        """Take in that what was sent is done."""
        self._deadline = None

    def drop(self) -> None:
        """End the host, whatever it does; nobody is told."""
        host, self._host, self.loaded, self._deadline = self._host, None, None, None
        if host is not None:
            self._hosts.retire(host)

    def tick(self) -> None:
        """Give up on what takes too long; a few times a second."""
        deadline = self._deadline
        dump = None if deadline is None else deadline.dumped()
        if deadline is None or dump is None:
            return
        if self.loaded is None:
            self._lose(hung(self._target, deadline.time_limit_ms, dump))
        else:
            self._lose(_cut_off(deadline.time_limit_ms, dump))

    def _take(self, host: LiveHost, news: HostNews) -> None:
        if host is not self._host:
            return
        match news:
            case Loaded():
                self.loaded = news
                self.rest()
                self._on_ready()
            case LoadFailed():
                self._lose(news.diagnoses[0])
            case HostEnded():
                problem = ended(self._target, news, host.stack_dump(), self.printed.last_errors())
                self._lose(problem)
            case _:
                self._on_news(news)

    def _lose(self, problem: Diagnosis) -> None:
        self.drop()
        self._on_lost(problem)


def _cut_off(time_limit_ms: int, dump: str) -> Diagnosis:
    frames = main_thread_frames(dump)
    problem = Diagnosis(
        code="trace_timed_out",
        message=f"it did not come back within {time_limit_ms / 1000:g} s and was cut off",
        hint="See where it waits or turns in a circle. Only its process was ended.",
        frames=frames,
    )
    if not frames:
        return problem
    last = frames[-1]
    return msgspec.structs.replace(problem, file=last.file, line=last.line, source=last.source)
