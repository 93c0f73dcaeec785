"""A failure in a trace: the exception, the user's frames with source and locals, its causes."""

from __future__ import annotations

from enum import StrEnum

from loom_runtime.errors import ErrorKind
from loom_runtime.model import LoomFrozenStruct
from loom_runtime.tracing.shown import ShownValue


class LocalVariable(LoomFrozenStruct, frozen=True, kw_only=True):
    """A local variable of a frame.

    Attributes:
        name: Its name.
        value: Its value; a masked one says so and tells nothing else.
        masked: Whether its name looks like a secret's.
    """

    name: str
    value: ShownValue
    masked: bool = False


class TracedFrame(LoomFrozenStruct, frozen=True, kw_only=True):
    """One frame of the user's code, or of installed code where the user's has none.

    Attributes:
        file: Path of the file.
        line: Line that was running, from 1.
        function: Qualified name of the function.
        first_line: Line number of ``source[0]``.
        source: Lines round ``line``; empty when the file cannot be read.
        locals: Local variables by name; of very many the first.
        locals_left_out: How many there are besides.
    """

    file: str
    line: int
    function: str
    first_line: int = 0
    source: tuple[str, ...] = ()
    locals: tuple[LocalVariable, ...] = ()
    locals_left_out: int = 0


class CauseRelation(StrEnum):
    """How an exception belongs to the one before it.

    ``cause``: it was raised ``from`` this one. ``context``: it was raised while this one was
    handled. ``member``: it is a group, and this one is in it.
    """

    CAUSE = "cause"
    CONTEXT = "context"
    MEMBER = "member"


class TracedCause(LoomFrozenStruct, frozen=True, kw_only=True):
    """What led to a failure.

    Attributes:
        relation: How.
        exception_type: ``module.qualname`` of the exception.
        reason: Its text, of bounded length.
        frames: The user's frames, outermost first.
    """

    relation: CauseRelation
    exception_type: str
    reason: str
    frames: tuple[TracedFrame, ...] = ()


class TracedFailure(LoomFrozenStruct, frozen=True, kw_only=True):
    """Why a record became an envelope.

    Attributes:
        kind: Error kind of the envelope.
        node: Name of the failing node, as in the envelope; empty for the source.
        exception_type: ``module.qualname`` of the exception.
        reason: Text of the envelope.
        fingerprint: Identity of the group that it belongs to; see
            :mod:`loom_runtime.tracing.fingerprint`.
        taken: Index in the stop's ``takes`` of what failed; ``None`` when it is not there.
        frames: The user's frames, outermost first.
        causes: What led to it, the nearest first.
    """

    kind: ErrorKind
    node: str
    exception_type: str
    reason: str
    fingerprint: str
    taken: int | None = None
    frames: tuple[TracedFrame, ...] = ()
    causes: tuple[TracedCause, ...] = ()
