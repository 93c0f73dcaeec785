"""Prints for programs (JSON lines) and words for people."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import msgspec


def print_json(fields: Mapping[str, Any], struct: msgspec.Struct | None = None) -> None:
    """Print one JSON line at once: *fields*, then those of *struct*."""
    line = {**fields, **(msgspec.to_builtins(struct) if struct is not None else {})}
    # Lone surrogates, which file names may hold, have no UTF-8 form.
    text = msgspec.json.encode(line, enc_hook=str).decode()
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def counted(count: int, noun: str) -> str:
    """Return ``1 file``, ``2 files``, ``27,004 records``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
