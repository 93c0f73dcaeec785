"""The error boundary of a node: an exception in, an envelope out."""

from __future__ import annotations

import linecache
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from loom_runtime.compiler.plan import CompiledNode
from loom_runtime.errors import DomainError, ErrorEnvelope, ErrorKind, message_for_envelope
from loom_runtime.execution.outcome import Outcome
from loom_runtime.execution.statistics import NodeStatistics
from loom_runtime.message import Message
from loom_runtime.model import message_type_of

ATTEMPT_HEADER = "x-loom-attempt"
"""Header that a redrive writes: how many times the record was tried before."""

CAUGHT = (Exception, SystemExit)
"""What a node's boundary turns into an envelope; a step that calls ``sys.exit`` ends one record."""

FailureListener = Callable[[ErrorEnvelope[Any], Message[Any] | None, CompiledNode | None], None]

_OWN_FRAMES = str(Path(__file__).resolve().parent.parent)
_TRACEBACK_FRAMES = 30


class ErrorBoundary:
    """Makes the envelopes of one node.

    Args:
        node: The node.
        statistics: Where failures are counted.
        flow: Name of the flow.
        revision: Revision of the flow's code.
        listener: Told of every envelope; ``None`` when nobody listens.
    """

    __slots__ = ("_flow", "_listener", "_node", "_revision", "_statistics")

    def __init__(
        self,
        node: CompiledNode,
        statistics: NodeStatistics,
        *,
        flow: str,
        revision: str | None,
        listener: FailureListener | None,
    ) -> None:
        self._node = node
        self._statistics = statistics
        self._flow = flow
        self._revision = revision
        self._listener = listener

    def envelope(
        self, message: Message[Any], error: BaseException, kind: ErrorKind | None = None
    ) -> ErrorEnvelope[Any]:
        """Return the envelope of *message*, which failed with *error*, and count it.

        Without *kind* a :class:`DomainError` is business and anything else is task.
        """
        if kind is None:
            kind = ErrorKind.BUSINESS if isinstance(error, DomainError) else ErrorKind.TASK
        self._statistics.errors[kind.value] += 1
        envelope = ErrorEnvelope(
            kind=kind,
            reason=reason_of(error),
            payload_type=message_type_of(type(message.payload)),
            original_message=message_for_envelope(message),
            flow=self._flow,
            revision=self._revision,
            node=self._node.name,
            node_path=self._node.path,
            exception_type=f"{type(error).__module__}.{type(error).__qualname__}",
            traceback=user_traceback(error.__traceback__),
            attempt=attempt_of(message),
        )
        if self._listener is not None:
            self._listener(envelope, message, self._node)
        return envelope

    def fail(
        self,
        offset: int,
        message: Message[Any],
        error: BaseException,
        out: Outcome,
        kind: ErrorKind | None = None,
    ) -> None:
        """Add the envelope of a failed record to *out*."""
        out.failures.append((offset, self.envelope(message, error, kind)))


def reason_of(error: BaseException) -> str:
    """Return the text of *error*, whatever its ``__str__`` does."""
    try:
        text = str(error)
    except Exception as broken:  # noqa: BLE001 - the text comes from user code
        return f"{type(error).__qualname__} (its text could not be made: {type(broken).__name__})"
    return text or type(error).__qualname__


def attempt_of(message: Message[Any]) -> int:
    """Return 1, or one more than the attempts that a redrive noted in the record's headers."""
    noted = message.meta.headers.get(ATTEMPT_HEADER)
    return int(noted) + 1 if noted is not None and noted.isdigit() else 1


def user_traceback(traceback: TracebackType | None) -> str | None:
    """Return the frames of *traceback* that are not this package's, innermost last."""
    lines: list[str] = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if not code.co_filename.startswith(_OWN_FRAMES):
            source = linecache.getline(code.co_filename, traceback.tb_lineno).strip()
            lines.append(
                f'  File "{code.co_filename}", line {traceback.tb_lineno}, in {code.co_qualname}'
                + (f"\n    {source}" if source else "")
            )
        traceback = traceback.tb_next
    if len(lines) > _TRACEBACK_FRAMES:
        half = _TRACEBACK_FRAMES // 2
        left_out = len(lines) - 2 * half
        lines[half:-half] = [f"  ... {left_out} frames left out ..."]
    return "\n".join(lines) or None
