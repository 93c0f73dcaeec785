"""The text of a failure as envelopes tell it: with its notes, and with what a group holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from loom_runtime.wire.error_text import clean_text, cut_text, own_text

REASON_LIMIT_CHARS = 10_000
"""Longest reason. An exception's text may hold a whole response body; an envelope that grows too
large loses its payload first, and the payload is what a redrive needs."""


def reason_of(error: BaseException) -> str:
    """Return the text of *error*, cut from the middle when it is long."""
    text = own_text(error)
    notes = getattr(error, "__notes__", None)
    if isinstance(notes, list | tuple):
        text = "\n".join([text, *(clean_text(note) for note in notes if isinstance(note, str))])
    if isinstance(error, BaseExceptionGroup):
        leaves = (f"{type(leaf).__qualname__}: {own_text(leaf)}" for leaf in _leaves(error))
        text += ": " + "; ".join(leaves)
    return cut_text(text, REASON_LIMIT_CHARS)


def problem_of(error: BaseException) -> str:
    """Return the name and the text of *error*."""
    return f"{type(error).__qualname__}: {reason_of(error)}"


def _leaves(group: BaseExceptionGroup[Any]) -> Iterator[BaseException]:
    for each in group.exceptions:
        if isinstance(each, BaseExceptionGroup):
            yield from _leaves(each)
        else:
            yield each
