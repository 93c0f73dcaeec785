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
    try:
        return _value(blob)
    except (ValueError, IndexError, OverflowError, MemoryError) as error:
        if isinstance(error, NotPlainError):
            raise
        raise NotPlainError(f"not a whole pickle: {error}") from error


def _value(blob: bytes) -> bytes | None:
    made: list[bytes | None] = []
    for opcode, argument, position in pickletools.genops(blob):
        if opcode.name in _SILENT_OPCODES:
            continue
        if opcode.name == "STOP":
            if len(made) != 1 or position != len(blob) - 1:
                raise NotPlainError("a pickle with nothing in it, or with something behind its end")
            return made[0]
        if made or not (opcode.name in _BYTES_OPCODES or opcode.name == "NONE"):
            raise NotPlainError(f"a pickle with the opcode {opcode.name}, not of one bytes object")
        made.append(argument)
    raise NotPlainError("a pickle without an end")
