"""Records as they lie on a topic, before they are decoded and after they are encoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from loom_runtime.errors import ErrorEnvelope

RawRecord = tuple[int, bytes | None, bytes | None, list[tuple[str, bytes | None]] | None, int]
"""A record as it was read: ``(offset, key, value, headers, timestamp_ms)``.

``timestamp_ms`` is milliseconds since the Unix epoch; -1 or 0 when the broker knows none.
"""

OutputRecord = tuple[bytes | None, bytes | None, list[tuple[str, bytes]] | None]
"""A record to be written: ``(key, value, headers)``; without any, ``headers`` is ``None``."""


@dataclass(slots=True)
class WireFailure:
    """A record that did not decode.

    Attributes:
        offset: Its offset.
        envelope: What is written to the topic for wire errors.
        error: Why it did not.
    """

    offset: int
    envelope: ErrorEnvelope[Any]
    error: BaseException
