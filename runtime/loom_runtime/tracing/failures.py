"""Puts failures down: the user's frames with source and locals, causes, the fingerprint."""

from __future__ import annotations

import linecache
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final

from loom_runtime.errors import ErrorEnvelope
from loom_runtime.execution.reasons import reason_of
from loom_runtime.execution.user_traceback import chain_of, user_frames
from loom_runtime.tracing.failure import (
    CauseRelation,
    LocalVariable,
    TracedCause,
    TracedFailure,
    TracedFrame,
)
from loom_runtime.tracing.fingerprint import envelope_fingerprint
from loom_runtime.tracing.masking import Masking
from loom_runtime.tracing.putting_down import VariableNotes
from loom_runtime.wire.error_text import clean_text

_LINES_ROUND: Final = 6
"""Source lines before and after the one that ran."""

_LINE_CHARS: Final = 300
_MAX_LOCALS: Final = 40
_REASON_CHARS: Final = 10_000


class FailureNotes:
    """Puts failures down.

    Args:
        masking: Says which names are secret.
    """

    def __init__(self, masking: Masking) -> None:
        self._masking = masking
        self._variables = VariableNotes(masking)

    def failure(
        self, envelope: ErrorEnvelope[Any], error: BaseException, taken: int | None = None
    ) -> TracedFailure:
        """Put down why a record became *envelope*.

        Args:
            envelope: The envelope.
            error: The exception.
            taken: Index of what failed in what its node took.
        """
        chain = chain_of(error)
        _, first = next(chain)
        return TracedFailure(
            kind=envelope.kind,
            node=envelope.node or "",
            exception_type=envelope.exception_type or "",
            reason=self._masking.cleaned(envelope.reason[:_REASON_CHARS]),
            fingerprint=envelope_fingerprint(envelope),
            taken=taken,
            frames=self._frames(first.__traceback__),
            causes=tuple(
                TracedCause(
                    relation=CauseRelation(relation),
                    exception_type=f"{type(each).__module__}.{type(each).__qualname__}",
                    reason=self._masking.cleaned(reason_of(each)[:_REASON_CHARS]),
                    frames=self._frames(each.__traceback__),
                )
                for relation, each in chain
            ),
        )

    def _frames(self, traceback: TracebackType | None) -> tuple[TracedFrame, ...]:
        return tuple(self._frame(each) for each in user_frames(traceback)[0])

    def _frame(self, entry: TracebackType) -> TracedFrame:
        frame, line = entry.tb_frame, entry.tb_lineno
        file = frame.f_code.co_filename
        first, source = _source_round(file, line)
        variables = [each for each in frame.f_locals.items() if not each[0].startswith("__")]
        return TracedFrame(
            file=clean_text(file),
            line=line,
            function=clean_text(frame.f_code.co_qualname),
            first_line=first,
            source=source,
            locals=tuple(self._locals(variables[:_MAX_LOCALS])),
            locals_left_out=max(0, len(variables) - _MAX_LOCALS),
        )

    def _locals(self, variables: list[tuple[str, object]]) -> Iterator[LocalVariable]:
        for name, value in variables:
            hidden = self._masking.hides(name)
            yield LocalVariable(
                name=clean_text(name),
                value=self._variables.masked(value) if hidden else self._variables.value(value),
                masked=hidden,
            )


def _source_round(file: str, line: int) -> tuple[int, tuple[str, ...]]:
    first = max(1, line - _LINES_ROUND)
    lines = linecache.getlines(file)[first - 1 : line + _LINES_ROUND]
    return (first, tuple(clean_text(each.rstrip()[:_LINE_CHARS]) for each in lines))
