"""What librdkafka says for itself goes to our log, not to standard error."""

from __future__ import annotations

import structlog

LOGGER_NAME = "loom_runtime.kafka"
"""Logger of librdkafka's own lines."""

_log = structlog.get_logger(LOGGER_NAME)


class ClientLog:
    """Stands where a client expects a standard logger and hands its lines on."""

    def log(self, level: int, template: str, *values: object) -> None:
        """Take one line: facility, name of the client and text, at a level of ``logging``."""
        text = template % values if values else template
        _log.log(level, text)


CLIENT_LOG = ClientLog()
"""What every client of the process gets as its ``logger``."""
