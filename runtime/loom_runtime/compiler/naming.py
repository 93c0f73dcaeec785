"""Names that are unique in a plan."""

from __future__ import annotations

import re
from collections.abc import Iterable


class UniqueNames:
    """Hands out names; a name asked for again gets a number.

    Args:
        separator: What stands between a repeated name and its number.
        reserved: Names that are taken from the start.
    """

    def __init__(self, separator: str = "#", reserved: Iterable[str] = ()) -> None:
        self._separator = separator
        self._taken: set[str] = set(reserved)

    def claim(self, wanted: str) -> str:
        """Return *wanted*, or *wanted* with the first number from 2 on that is free."""
        name, number = wanted, 1
        while name in self._taken:
            number += 1
            name = f"{wanted}{self._separator}{number}"
        self._taken.add(name)
        return name


RESERVED_STEP_IDS = ("source", "sink")
"""The engine's own ids in the recovery store."""


def safe_step_id(name: str) -> str:
    """Return *name* as Bytewax accepts it for a step id, which may not contain a period."""
    return re.sub(r"[^A-Za-z0-9_#-]+", "_", name).strip("_") or "step"
