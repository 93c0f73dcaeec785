"""The error boundary of a node: an exception in, an envelope out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from loom_runtime.compiler.plan import CompiledNode
from loom_runtime.errors import DomainError, ErrorEnvelope, ErrorKind, message_for_envelope
from loom_runtime.execution.outcome import Messages, Offsets, Outcome
from loom_runtime.execution.reasons import reason_of
from loom_runtime.execution.statistics import NodeStatistics
from loom_runtime.execution.user_traceback import user_traceback
from loom_runtime.message import Message
from loom_runtime.model import message_type_of
from loom_runtime.wire.headers import attempt_number

CAUGHT = (Exception, SystemExit)
"""What a node's boundary turns into an envelope; a step that calls ``sys.exit`` ends one record."""

FailureListener = Callable[
    [ErrorEnvelope[Any], Message[Any] | None, CompiledNode | None, BaseException], None
]
"""Called with the envelope, the message (of a record that never decoded, ``None``), the node (at
the source, ``None``), and the exception."""


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

        Without *kind* a :class:`DomainError`, or a group of nothing else, is business and anything
        else is task.
        """
        if kind is None:
            kind = ErrorKind.BUSINESS if _is_business(error) else ErrorKind.TASK
        self._statistics.errors[kind.value] += 1
        envelope: ErrorEnvelope[Any] = ErrorEnvelope(
            kind=kind,
            reason=reason_of(error),
            payload_type=message_type_of(type(message.payload)),
            original_message=message_for_envelope(message),
            flow=self._flow,
            revision=self._revision,
            node=self._node.name,
            node_path=self._node.path,
            exception_type=f"{type(error).__module__}.{type(error).__qualname__}",
            traceback=user_traceback(error),
            attempt=_attempt(message),
        )
        if self._listener is not None:
            self._listener(envelope, message, self._node, error)
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

    def fail_all(
        self, offsets: Offsets, messages: Messages, error: BaseException, out: Outcome
    ) -> None:
        """Add the envelopes of a batch that failed as one to *out*."""
        for offset, message in zip(offsets, messages, strict=True):
            self.fail(offset, message, error, out)


def _is_business(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_is_business(each) for each in error.exceptions)
    return isinstance(error, DomainError)


def _attempt(message: Message[Any]) -> int:
    try:
        return attempt_number(message.meta.headers)
    except (AttributeError, TypeError, ValueError):  # a step may put anything into headers
        return 1
