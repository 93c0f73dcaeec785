"""What a node changed: two values compared leaf by leaf, or line by line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from enum import StrEnum
from typing import Any, Final

MAX_LEAVES: Final = 2_000
"""Leaves of a value that are told apart; the rest is left out."""

_MAX_COMPARED_LINES: Final = 600
"""Lines that are compared; the time goes with their square at worst."""

Path = tuple[str | int, ...]
"""Where a leaf stands in its value: the keys and indices that lead to it."""


class Change(StrEnum):
    """How a leaf or a line differs from what stands on the other side.

    ``same``: it stands there too. ``changed``: another value stands at its place. ``new``: it
    stands in the output only. ``gone``: it stands in the input only.
    """

    SAME = "same"
    CHANGED = "changed"
    NEW = "new"
    GONE = "gone"


MARKS: Final = {Change.SAME: " ", Change.CHANGED: "~", Change.NEW: "+", Change.GONE: "-"}
"""What tells it where there are no colours."""


@dataclass(frozen=True)
class Difference:
    """How two values differ.

    Attributes:
        before: Change of each leaf of the input that is not the same.
        after: Likewise of the output.
    """

    before: Mapping[Path, Change] = field(default_factory=dict)
    after: Mapping[Path, Change] = field(default_factory=dict)


def difference(before: Any, after: Any) -> Difference:
    """Compare two values as JSON has them.

    Where the output holds the whole input, or the input the whole output, what they share is the
    same wherever it stands.
    """
    old, new = dict(leaves(before)), dict(leaves(after))
    if before == after:
        return Difference()
    if (inner := _place_in(after, before)) is not None:
        return Difference(after={path: Change.NEW for path in new if path[: len(inner)] != inner})
    if (inner := _place_in(before, after)) is not None:
        return Difference(before={path: Change.GONE for path in old if path[: len(inner)] != inner})
    if old and new and not old.keys() & new.keys():
        return Difference()  # two things of different kinds: that all differs tells nothing
    return Difference(
        before={
            path: Change.CHANGED if path in new else Change.GONE
            for path, leaf in old.items()
            if path not in new or not _alike(new[path], leaf)
        },
        after={
            path: Change.CHANGED if path in old else Change.NEW
            for path, leaf in new.items()
            if path not in old or not _alike(old[path], leaf)
        },
    )


def leaves(value: Any) -> Iterator[tuple[Path, Any]]:
    """Yield path and value of each leaf, in order, of very many the first; an empty container is
    a leaf."""
    waiting: list[tuple[Path, Any]] = [((), value)]
    count = 0
    while waiting and count < MAX_LEAVES:
        path, inner = waiting.pop()
        children = _children(inner)
        if children:
            waiting.extend(((*path, name), child) for name, child in reversed(children))
        else:
            yield path, inner
            count += 1


def line_changes(
    before: Sequence[str], after: Sequence[str]
) -> tuple[Sequence[Change], Sequence[Change]]:
    """Return the change of every line on either side."""
    old = [Change.SAME] * len(before)
    new = [Change.SAME] * len(after)
    if max(len(before), len(after)) > _MAX_COMPARED_LINES:
        return old, new
    blocks = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    for what, old_from, old_to, new_from, new_to in blocks:
        if what == "equal":
            continue
        replaced = what == "replace"
        for index in range(old_from, old_to):
            old[index] = Change.CHANGED if replaced else Change.GONE
        for index in range(new_from, new_to):
            new[index] = Change.CHANGED if replaced else Change.NEW
    return old, new


def _children(value: Any) -> Sequence[tuple[str | int, Any]]:
    if isinstance(value, dict):
        return list(value.items())[:MAX_LEAVES]
    if isinstance(value, list):
        return list(enumerate(value[:MAX_LEAVES]))
    return ()


def _alike(one: Any, other: Any) -> bool:
    """Whether two leaves are the same: JSON tells 1 from true, and Python does not."""
    return type(one) is type(other) and bool(one == other)


def _place_in(whole: Any, part: Any) -> Path | None:
    """Return where *part*, a container with something in it, stands inside *whole*."""
    if not _children(part):
        return None
    waiting: list[tuple[Path, Any]] = [((), whole)]
    looked = 0
    while waiting and looked < MAX_LEAVES:
        path, value = waiting.pop()
        looked += 1
        if path and value == part:
            return path
        waiting.extend(((*path, name), child) for name, child in reversed(_children(value)))
    return None
