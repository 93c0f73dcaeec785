"""What one screen over a store asks of another."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class GoesToEpoch(Protocol):
    """The timeline."""

    def go_to(self, number: int) -> None:
        """Choose the epoch *number*."""
        ...


@runtime_checkable
class LooksAtKey(Protocol):
    """The history of a key."""

    def look_at(self, step_id: str, key: str) -> None:
        """Show the key."""
        ...
