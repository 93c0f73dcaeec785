"""What came of commands, to be told once."""

from __future__ import annotations

from collections import deque
from typing import Final

from loom_bench.session.envelopes.value import InboxNotice, ProofTally

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


def told_cancelled(proof: ProofTally) -> str:
    """Return what a proof that was cancelled found, and what it did not come to."""
    failing = proof.same_error + proof.different_error
    return (
        f"the proof in r{proof.revision} is cancelled: {proof.passes:,} pass, {failing:,} fail, "
        f"{proof.untried + proof.waiting:,} not proved and as before"
    )
