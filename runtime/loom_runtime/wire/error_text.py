"""The text of errors and odd values, whatever their own code does, fit to be written."""

from __future__ import annotations

import unicodedata
from typing import Final

HEADER_TEXT_LIMIT_BYTES: Final = 512
"""Longest error text in a header: enough to read, and small beside Kafka's 1 MB record limit."""

SHOWN_VALUE_CHARS: Final = 2_000
"""Most that is shown of a value that cannot be written."""


def reason_text(error: BaseException) -> str:
    """Return what *error* says of a value that was decoded or encoded."""
    if isinstance(error, RecursionError):
        return "nested too deeply, or it contains itself"
    return own_text(error)


def own_text(error: BaseException) -> str:
    """Return the text of *error*, or its name when it has none."""
    try:
        text = str(error)
    except (Exception, SystemExit) as broken:  # noqa: BLE001 - the error may be the user's
        return f"{type(error).__qualname__} (its text could not be made: {type(broken).__name__})"
    return clean_text(text) or type(error).__qualname__


def problem_text(error: BaseException) -> str:
    """Return the name and the text of *error*."""
    return f"{type(error).__qualname__}: {reason_text(error)}"


def shown_value(value: object) -> str:
    """Return the repr of *value*, cut when it is long."""
    try:
        shown = repr(value)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a payload's repr is user code
        shown = f"<{type(value).__qualname__} whose repr raised {type(error).__qualname__}>"
    return clean_text(cut_text(shown, SHOWN_VALUE_CHARS))


def clean_text(text: str) -> str:
    """Return *text* with what UTF-8 cannot say escaped."""
    return text.encode("utf-8", "backslashreplace").decode()


def cut_text(text: str, limit_chars: int) -> str:
    """Cut from the middle: a reason's beginning says what happened, its end holds the notes."""
    if len(text) <= limit_chars:
        return text
    half = limit_chars // 2
    return f"{text[:half]} … {text[-half:]}"


def header_text(text: str) -> bytes:
    """Return *text* fit for a header: one line, no control characters, bounded, always UTF-8."""
    head = text[:HEADER_TEXT_LIMIT_BYTES]
    line = "".join(" " if unicodedata.category(char) in _BREAKING else char for char in head)
    encoded = " ".join(line.split()).encode("utf-8", "backslashreplace")
    if len(encoded) <= HEADER_TEXT_LIMIT_BYTES and len(head) == len(text):
        return encoded
    kept = encoded[: HEADER_TEXT_LIMIT_BYTES - 3].decode("utf-8", "ignore")
    return f"{kept}…".encode()


_BREAKING: Final = ("Cc", "Zl", "Zp")
"""Unicode categories of control characters and line breaks."""
