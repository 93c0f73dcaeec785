"""Reads what Bytewax pickled, bytes or nothing, without running what a pickle may ask for."""

from __future__ import annotations

import pickletools
from typing import Final

from loom_runtime.recovery.errors import NotPlainError

_BYTES_OPCODES: Final = frozenset({"SHORT_BINBYTES", "BINBYTES", "BINBYTES8"})
_SILENT_OPCODES: Final = frozenset({"PROTO", "FRAME", "MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"})
"""Opcodes that leave the value on top of the stack as it is."""


def read_pickled(blob: bytes) -> bytes | None:
    """Return the bytes object or ``None`` that *blob* is the pickle of.

    Opcodes are only told apart, never executed.

    Raises:
        NotPlainError: When the pickle makes anything else, or is no whole pickle.
    """
    value: bytes | None = None
    made = False
    end: int | None = None
    try:
        for opcode, argument, position in pickletools.genops(blob):
            name = opcode.name
            if name in _SILENT_OPCODES:
                continue
            if name == "STOP":
                end = position + 1
                break
            if made or not (name in _BYTES_OPCODES or name == "NONE"):
                raise NotPlainError(f"a pickle with the opcode {name}, not of one bytes object")
            value, made = argument, True
    except NotPlainError:
        raise
    except (ValueError, IndexError, OverflowError, MemoryError) as error:
        raise NotPlainError(f"not a whole pickle: {error}") from error
    if not made or end != len(blob):
        raise NotPlainError("a pickle with nothing in it, or with something behind its end")
    return value
