"""Where everything that concerns a session arrives, from threads and signal handlers."""

from __future__ import annotations

from enum import Enum
from queue import Empty, SimpleQueue
from typing import Literal, NamedTuple

from loom_bench.broker.contract import Broker, BrokerError
from loom_bench.broker.opening import OpeningStep
from loom_bench.session.host_process import HostNews, OutputLine

MAX_WAITING_LINES = 10_000
"""Printed lines that wait for the session; more are counted only."""


class Origin(Enum):
    """Whose news it is."""

    FLOW = "flow"
    FEED = "feed"


class FromHost(NamedTuple):
    """News of a host.

    Attributes:
        origin: Which host.
        news: What it tells.
        lines_left_out: Printed lines of either host that were left out so far.
    """

    origin: Origin
    news: HostNews
    lines_left_out: int


class BrokerOpened(NamedTuple):
    """A broker was opened, or could not be."""

    result: Broker | BrokerError


class StopRequest(NamedTuple):
    """The user asks the session to end: once to drain, again to kill."""

    how: Literal["drain", "kill"] | None = None


Mail = FromHost | BrokerOpened | OpeningStep | StopRequest
"""Everything that arrives."""


class Mailbox:
    """A queue that stays small however fast the flow prints.

    ``put`` may be called in a signal handler: SimpleQueue's is reentrant.
    """

    def __init__(self) -> None:
        self._queue: SimpleQueue[Mail] = SimpleQueue()
        self._lines_left_out = 0

    def put(self, mail: BrokerOpened | OpeningStep | StopRequest) -> None:
        """Add something."""
        self._queue.put(mail)

    def put_news(self, origin: Origin, news: HostNews) -> None:
        """Add a host's news; a printed line is left out when too many wait."""
        if isinstance(news, OutputLine) and self._queue.qsize() > MAX_WAITING_LINES:
            self._lines_left_out += 1
            return
        self._queue.put(FromHost(origin, news, self._lines_left_out))

    def get(self, timeout_s: float) -> Mail | None:
        """Return the oldest thing, or ``None`` when nothing came in time."""
        try:
            return self._queue.get(timeout=max(0.0, timeout_s))
        except Empty:
            return None
