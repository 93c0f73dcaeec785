"""Reading envelopes gives way to the screen: both share one interpreter."""

from __future__ import annotations

import threading
import time
from typing import Final

_GIVEN_S: Final = 0.1
"""What a screen needs to paint what a key asked for, and some more."""


class Way:
    """Who needs it asks for it; who is in the way waits. From any thread."""

    def __init__(self) -> None:
        self._until_s = 0.0

    def ask(self) -> None:
        """Have it free for a moment, from now on."""
        self._until_s = time.monotonic() + _GIVEN_S

    def wait(self, closing: threading.Event) -> None:
        """Return when nobody needs it, or *closing* is set."""
        while (left_s := self._until_s - time.monotonic()) > 0 and not closing.is_set():
            closing.wait(left_s)
