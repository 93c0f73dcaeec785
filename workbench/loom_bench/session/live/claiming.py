"""Says that a session has a flow open, so that the next bench on it can tell."""

from __future__ import annotations

from loom_bench.session.claim import Claim


class Claiming:
    """Holds the claim of one session on the flow that it has open."""

    def __init__(self) -> None:
        self._claim: Claim | None = None

    def claim(self, target: str, broker: str) -> None:
        """Claim *target*, run on *broker*; what was claimed before is released."""
        self.release()
        try:
            self._claim = Claim(target, broker)
        except OSError:  # no folder for it: others are not told, and nothing else is lost
            self._claim = None

    def release(self) -> None:
        """Claim nothing."""
        if self._claim is not None:
            self._claim.release()
            self._claim = None
