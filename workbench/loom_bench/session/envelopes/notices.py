"""What came of commands, to be told once."""

from __future__ import annotations

from collections import deque
from typing import Final

from loom_bench.session.envelopes.value import InboxNotice

_KEPT: Final = 50


class Notices:
    """The newest notices."""

    def __init__(self) -> None:
        self._kept: deque[InboxNotice] = deque(maxlen=_KEPT)
        self._told = 0

    def tell(self, text: str, severity: str = "information", path: str | None = None) -> None:
        """Tell something once."""
        self._told += 1
        self._kept.append(InboxNotice(number=self._told, text=text, severity=severity, path=path))

    def shown(self) -> tuple[InboxNotice, ...]:
        """Return them, newest last."""
        return tuple(self._kept)
