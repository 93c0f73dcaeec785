"""The next revision: loaded in a warm host while the one before runs."""

from __future__ import annotations

from collections.abc import Callable

from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.protocol.frames import Load, Loaded, LoadFailed
from loom_bench.protocol.steering import WarmUp
from loom_bench.session.host_process import HostEnded, HostNews
from loom_bench.session.live.hosts import Hosts, LiveHost
from loom_bench.session.load_deadline import LoadDeadline

_MAX_DEATHS = 3

OnLoaded = Callable[[LiveHost, Loaded], None]
OnRefused = Callable[[int, tuple[Diagnosis, ...], "LoadFailed | None"], None]


class LoadSide:
    """Owns the host that loads, and the standby: Python, the runtime and the engine imported, idle.

    Args:
        hosts: Starts and ends hosts.
        on_loaded: Called when a revision is loaded.
        on_refused: Called with a revision's number and what is wrong with it, and what the host
            said when it said anything.
    """

    def __init__(self, hosts: Hosts, on_loaded: OnLoaded, on_refused: OnRefused) -> None:
        self._hosts = hosts
        self._on_loaded = on_loaded
        self._on_refused = on_refused
        self._standby: LiveHost | None = None
        self._deaths = 0
        self._candidate: LiveHost | None = None
        self._target = ""
        self._deadline: LoadDeadline | None = None

    @property
    def candidate(self) -> LiveHost | None:
        """The host that loads or has loaded the next revision."""
        return self._candidate

    def keep_warm(self) -> None:
        """Have a standby; none after several have died of themselves."""
        if self._standby is not None and self._standby.ended:
            self._hosts.retire(self._standby)
            self._standby = None
            self._deaths += 1
        if self._standby is None and self._deaths < _MAX_DEATHS:
            self._standby = self._spawn()

    def _spawn(self) -> LiveHost:
        host = self._hosts.spawn()
        host.send(WarmUp())
        return host

    def load(self, revision: int, command: Load) -> None:
        """Load a revision; what was loading is given up.

        Raises:
            OSError: When no process can be started.
        """
        self.drop()
        self.keep_warm()
        host, self._standby = self._standby or self._spawn(), None
        host.revision, host.loaded_for = revision, command.bootstrap
        host.on_news = self._take
        self._candidate, self._target = host, command.target
        self._deadline = LoadDeadline(command.target, command.time_limit_ms, host.stack_dump)
        host.send(command)

    def take_over(self) -> LiveHost | None:
        """Hand the loaded host over to whoever runs it."""
        host, self._candidate = self._candidate, None
        return host

    def drop(self) -> None:
        """Give up what is loading or waits."""
        if self._candidate is not None:
            self._hosts.retire(self._candidate)
            self._candidate = None
        self._deadline = None

    def tick(self) -> None:
        """Give up on a module that hangs; a few times a second."""
        diagnosis = None if self._deadline is None else self._deadline.passed()
        if diagnosis is not None and self._candidate is not None:
            self._refuse(self._candidate, (diagnosis,))

    def _take(self, host: LiveHost, news: HostNews) -> None:
        if host is not self._candidate:
            return
        if isinstance(news, Loaded):
            self._deadline = None
            host.loaded = news
            self._on_loaded(host, news)
        elif isinstance(news, LoadFailed):
            self._refuse(host, news.diagnoses, news)
        elif isinstance(news, HostEnded):
            self._refuse(host, (host.ending(self._target, news),))

    def _refuse(
        self, host: LiveHost, diagnoses: tuple[Diagnosis, ...], said: LoadFailed | None = None
    ) -> None:
        self.drop()
        self._on_refused(host.revision, diagnoses, said)
