"""A bounded memory of what came last."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class Ring(Generic[T]):
    """The newest things of a kind. Used by one thread.

    Args:
        size: How many are kept.
    """

    def __init__(self, size: int) -> None:
        self._kept: deque[T] = deque(maxlen=size)
        self._shown: tuple[T, ...] | None = ()

    def extend(self, items: Iterable[T]) -> None:
        """Add *items*, the newest last."""
        self._kept.extend(items)
        self._shown = None

    def shown(self) -> tuple[T, ...]:
        """Return what is kept, the newest last."""
        if self._shown is None:
            self._shown = tuple(self._kept)
        return self._shown
