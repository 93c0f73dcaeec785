"""Rows as plain JSON values, comparable as multisets and by key."""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

Row = dict[str, Any]


def row_of(payload: Any) -> Row:
    """A payload as it lies in a JSON topic."""
    row: Row = json.loads(msgspec.json.encode(payload))
    return row


def multiset(rows: Iterable[Row]) -> Counter[str]:
    """Rows without their order."""
    return Counter(json.dumps(row, sort_keys=True) for row in rows)


def by_key(rows: Iterable[Row], key: Callable[[Row], str]) -> dict[str, list[Row]]:
    """Rows of each key in their order."""
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(key(row), []).append(row)
    return grouped
