"""What librdkafka says for itself goes to our log, not to standard error."""

from __future__ import annotations

from threading import Lock
from time import monotonic

from loom_runtime.lazy_log import LazyLog

LOGGER_NAME = "loom_runtime.kafka"
"""Logger of librdkafka's own lines."""

_REPEAT_AFTER_S = 10.0
_MOST_KNOWN = 200

_log = LazyLog(LOGGER_NAME)


class ClientLog:
    """Stands where a client expects a standard logger and hands its lines on.

    A client whose broker is gone says so at every attempt to connect: what it has said lately is
    counted and not handed on.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: dict[str, tuple[float, int]] = {}

    def log(self, level: int, template: str, *values: object) -> None:
        """Take one line: facility, name of the client and text, at a level of ``logging``."""
        text = template % values if values else template
        # Lines end with how long it took: "(after 3ms in state CONNECT)".
        essence = text.rpartition(" (after ")[0] or text
        now_s = monotonic()
        with self._lock:
            said_s, more = self._known.get(essence, (0.0, 0))
            if said_s and now_s - said_s < _REPEAT_AFTER_S:
                self._known[essence] = said_s, more + 1
                return
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[essence] = now_s, 0
        if more:
            _log.log(level, text, repeated=more)
        else:
            _log.log(level, text)


CLIENT_LOG = ClientLog()
"""What every client of the process gets as its ``logger``."""
