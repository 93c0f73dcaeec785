"""The host processes of a live session: one that runs, one that loads, one that is kept warm."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Protocol

from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.protocol.frames import BenchFrame, Loaded
from loom_bench.session.endings import ended
from loom_bench.session.host_process import HostEnded, HostNews, HostProcess, StreamName

_LAST_LINES = 20

_MAX_WAITING = 2_000
"""Frames of one host that wait for the session; then it is read no further until some were taken,
so that a flow that floods its channel fills no memory but waits itself."""

_RETIRED_CHECK_S = 0.1

Post = Callable[[Callable[[], None]], None]
"""Has something done on the session's thread."""


class LineTaker(Protocol):
    """Takes the lines that a host's code prints."""

    def add(self, revision: int, stream: str, block: bytes) -> None:
        """Take a block of lines, as they came; from any thread."""
        ...


class NoLines:
    """Leaves the lines alone that a host's code prints."""

    def add(self, revision: int, stream: str, block: bytes) -> None:
        """Take lines and forget them."""


class LiveHost:
    """A host and what the session knows of it.

    Attributes:
        revision: Number of the revision that it was given; 0 for none yet.
        loaded: What it has loaded.
        loaded_for: Address of the broker that it was loaded for; ``None`` for none.
        on_news: Called on the session's thread with what it tells, printed lines apart.

    Raises:
        OSError: When it could not be started.
    """

    def __init__(self, post: Post, logs: LineTaker) -> None:
        self.revision = 0
        self.loaded: Loaded | None = None
        self.loaded_for: str | None = None
        self.on_news: Callable[[LiveHost, HostNews], None] = _ignore
        self._post = post
        self._logs = logs
        self._last_lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._room = threading.Semaphore(_MAX_WAITING)
        self._process = HostProcess(self._take, self._take_lines)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether its process has ended."""
        return self._process.ended

    def send(self, command: BenchFrame) -> None:
        """Send a command."""
        self._process.send(command)

    def kill(self) -> None:
        """End it now; blocks until it has ended."""
        self._process.kill()

    def close(self) -> None:
        """End it and release what was held for it; blocks."""
        self._process.close()

    def stack_dump(self) -> str:
        """Return the stacks that it dumped when it hung or crashed."""
        return self._process.stack_dump()

    def ending(self, target: str, news: HostEnded) -> Diagnosis:
        """Return what its end means."""
        return ended(target, news, self.stack_dump(), list(self._last_lines))

    def _take(self, news: HostNews) -> None:
        """Take news on a thread of the process's."""
        if isinstance(news, HostEnded):
            self._post(partial(self._tell, news))
        else:
            while not self._room.acquire(timeout=_RETIRED_CHECK_S):
                if self.on_news is _ignore:  # and the session may be waiting for its end
                    return
            self._post(partial(self._tell_and_make_room, news))

    def _take_lines(self, stream: StreamName, block: bytes) -> None:
        """Take lines on a thread of the process's; they may be a flood, so they stay there."""
        self._logs.add(self.revision, stream, block)
        if stream == "stderr":
            newest = block.removesuffix(b"\n").rsplit(b"\n", _LAST_LINES)[-_LAST_LINES:]
            self._last_lines.extend(line.decode("utf-8", "backslashreplace") for line in newest)

    def _tell(self, news: HostNews) -> None:
        self.on_news(self, news)

    def _tell_and_make_room(self, news: HostNews) -> None:
        self._room.release()
        self._tell(news)


class Hosts:
    """Starts hosts and makes sure that each is ended.

    Args:
        post: Has something done on the session's thread.
        logs: Where printed lines go.
    """

    def __init__(self, post: Post, logs: LineTaker) -> None:
        self._post = post
        self._logs = logs
        self._open: set[LiveHost] = set()
        self._closing: dict[LiveHost, threading.Thread] = {}

    def spawn(self, lines: LineTaker | None = None, *, nice: int = 0) -> LiveHost:
        """Start one.

        Args:
            lines: Who takes what it prints; ``None`` for the session's log.
            nice: By how much it stands behind other processes for a processor, 0 to 19.

        Raises:
            OSError: When it could not be started.
        """
        host = LiveHost(self._post, lines or self._logs)
        self._open.add(host)
        if nice:
            with contextlib.suppress(OSError):  # it has ended already, and will tell so
                os.setpriority(os.PRIO_PROCESS, host.pid, nice)
        return host

    def retire(self, host: LiveHost) -> None:
        """End *host* in the background; nothing that it tells matters any more."""
        host.on_news = _ignore
        if host not in self._open:
            return
        self._open.discard(host)
        thread = threading.Thread(
            target=self._close, args=(host,), name=f"close-host-{host.pid}", daemon=True
        )
        self._closing[host] = thread
        thread.start()

    def close(self) -> None:
        """End all of them; returns when they have ended."""
        for host in list(self._open):
            self.retire(host)
        for thread in list(self._closing.values()):
            thread.join()

    def _close(self, host: LiveHost) -> None:
        host.close()
        self._post(partial(self._forget, host))

    def _forget(self, host: LiveHost) -> None:
        self._closing.pop(host, None)


def _ignore(_host: LiveHost, _news: HostNews) -> None:
    """Leave news alone."""
