"""Notices that are to be told once: those that came since the last look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar


class Numbered(Protocol):
    """A notice; its number ascends."""

    @property
    def number(self) -> int:
        """Its number."""
        ...


N = TypeVar("N", bound=Numbered)


class News:
    """Remembers what was told."""

    def __init__(self) -> None:
        self._told = 0

    def since(self, notices: Sequence[N], at_most: int) -> Sequence[N]:
        """Return the notices that were not told yet, the newest *at_most* of them."""
        fresh = [notice for notice in notices if notice.number > self._told]
        if fresh:
            self._told = fresh[-1].number
        return fresh[-at_most:]
