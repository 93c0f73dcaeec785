"""Where in the user's source a node was declared."""

from __future__ import annotations

import sys
from types import FrameType

from loom_runtime.model import LoomFrozenStruct


class SourceLocation(LoomFrozenStruct, frozen=True):
    """A place in a source file.

    Attributes:
        file: Path of the file as Python knows it.
        line: Line number, from 1.
    """

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def calling_location() -> SourceLocation | None:
    """Return the innermost frame that is not this package's own, or ``None``."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module != "loom_runtime" and not module.startswith("loom_runtime."):
            return SourceLocation(frame.f_code.co_filename, frame.f_lineno)
        frame = frame.f_back
    return None


class Declared:
    """Base of every declaration: remembers where the user's source made it.

    Attributes:
        declared_at: That place; ``None`` when no user frame was on the stack.
    """

    declared_at: SourceLocation | None

    def __new__(cls, *_args: object, **_kwargs: object) -> Declared:
        """Create the declaration and note its place."""
        self = super().__new__(cls)
        object.__setattr__(self, "declared_at", calling_location())
        return self
