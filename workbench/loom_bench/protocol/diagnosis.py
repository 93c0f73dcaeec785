"""Something wrong with a user's flow, module or configuration, told so that it can be mended."""

from __future__ import annotations

import msgspec


class CodeFrame(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a user's code on the way to a failure.

    Attributes:
        file: Path of the file.
        line: Line in it, from 1.
        function: Function that it belongs to.
        source: The line's text; ``None`` when it cannot be read.
    """

    file: str
    line: int
    function: str
    source: str | None = None


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong.

    Attributes:
        code: Stable name of what is wrong.
        message: What is wrong, one clause.
        component: Node, source, sink, flow or module that it is about.
        field: Configuration field that it is about.
        file: File that has to be mended.
        line: Line in that file, from 1.
        column: Column in that line, from 1.
        source: That line's text.
        hint: What to do next.
        frames: The user's own code on the way there, outermost first.
    """

    code: str
    message: str
    component: str = ""
    field: str | None = None
    file: str | None = None
    line: int | None = None
    column: int | None = None
    source: str | None = None
    hint: str | None = None
    frames: tuple[CodeFrame, ...] = ()

    @property
    def place(self) -> str:
        """``file:line:column``, or as much of it as is known."""
        parts = [self.file, self.line, self.column]
        known = parts[: parts.index(None)] if None in parts else parts
        return ":".join(str(part) for part in known)
