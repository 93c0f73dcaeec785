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


@runtime_checkable
class ReplaysFork(Protocol):
    """The replay."""

    def take_fork(self, name: str) -> None:
        """Be about the fork *name*."""
        ...


@runtime_checkable
class BeginsAtEpoch(Protocol):
    """The comparison."""

    def take_epoch(self, number: int) -> None:
        """Begin at the epoch *number*."""
        ...


@runtime_checkable
class HalvesEpochs(Protocol):
    """The bisection."""

    def take_good(self, number: int) -> None:
        """Begin at the epoch *number*, at which all is well."""
        ...

    def take_bad(self, number: int) -> None:
        """End at the epoch *number*, at which all is not well."""
        ...
