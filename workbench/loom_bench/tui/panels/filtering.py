"""The filter of a list: words that must occur, and ``field:word`` for one field only."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

_LOOKED_AT = 20_000
"""Characters of a text that are searched: a payload may be of any size."""


@dataclass(frozen=True)
class Filter:
    """A filter; every part must be found.

    Attributes:
        text: As it was typed.
        parts: Field, or ``None`` for any, and what to find in it, case aside.
    """

    text: str
    parts: tuple[tuple[str | None, re.Pattern[str]], ...]

    def matches(self, fields: Mapping[str, str]) -> bool:
        """Return whether the item with these fields is to be shown."""
        return all(self._found(name, pattern, fields) for name, pattern in self.parts)

    @staticmethod
    def _found(name: str | None, pattern: re.Pattern[str], fields: Mapping[str, str]) -> bool:
        if name is not None:
            return pattern.search(fields.get(name, ""), 0, _LOOKED_AT) is not None
        return any(pattern.search(text, 0, _LOOKED_AT) for text in fields.values())

    def over(self, fields: Callable[[T], Mapping[str, str]]) -> Callable[[T], bool]:
        """Return the test of one item."""
        return lambda item: self.matches(fields(item))


def parse_filter(text: str, names: frozenset[str]) -> Filter | None:
    """Return the filter that *text* asks for; ``None`` when it asks for nothing.

    Args:
        text: Words, some of them ``field:word``. What stands before a colon and is no field of
            the list belongs to the word: ``12:30:01`` finds a time.
        names: The fields there are.
    """
    parts: list[tuple[str | None, re.Pattern[str]]] = []
    for word in text.split():
        name, colon, rest = word.partition(":")
        if colon and name in names:
            if rest:
                parts.append((name, re.compile(re.escape(rest), re.IGNORECASE)))
        else:
            parts.append((None, re.compile(re.escape(word), re.IGNORECASE)))
    return Filter(text.strip(), tuple(parts)) if parts else None
