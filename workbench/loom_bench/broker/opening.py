"""One attempt to open a broker: it tells how far it is, and is asked whether it is still wanted."""

import threading
from collections.abc import Callable
from typing import NamedTuple

from loom_bench.broker.contract import BrokerError


class OpeningStep(NamedTuple):
    """What is being done for a broker that is not there yet.

    Attributes:
        kind: Which broker is being opened.
        text: What is being done, for the screen.
        share: How much of it is done, 0 to 1; None when that cannot be told.
    """

    kind: str
    text: str
    share: float | None = None


class OpeningCancelledError(BrokerError):
    """Nobody wants the broker any more; everything that was begun for it is undone."""

    def __init__(self, where: str) -> None:
        super().__init__("the broker is not wanted any more", where, "Choose another broker.")


class Opening:
    """Passed to whoever opens a broker; `cancel` may be called from any thread.

    Args:
        told: called with every step, on the opener's thread.
    """

    def __init__(self, told: Callable[[OpeningStep], None] = lambda _: None) -> None:
        self.tell = told
        self._cancelled = threading.Event()

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the broker any more."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Call the attempt off; a no-op when it is over."""
        self._cancelled.set()
