"""A stage runs one node over one batch. This module has the base and the step stages."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from time import perf_counter
from typing import Any

import msgspec

from loom_runtime.execution.boundary import CAUGHT, ErrorBoundary
from loom_runtime.execution.outcome import Messages, Offsets, Outcome, Pair
from loom_runtime.execution.statistics import NodeStatistics
from loom_runtime.message import Message

EMPTY: Pair = ([], [])


class Stage(ABC):
    """One node on one worker."""

    __slots__ = ("boundary", "statistics")

    def __init__(self, statistics: NodeStatistics, boundary: ErrorBoundary) -> None:
        self.statistics = statistics
        self.boundary = boundary

    @abstractmethod
    def process(self, offsets: Offsets, messages: Messages, out: Outcome) -> Pair:
        """Run the node over a batch and return what goes on."""

    def run(self, offsets: Offsets, messages: Messages, out: Outcome) -> Pair:
        """Run, time and count the node over a batch that is not empty."""
        started = perf_counter()
        result = self.process(offsets, messages, out)
        self.statistics.ran(len(offsets), len(result[0]), perf_counter() - started)
        return result


def run_path(path: Sequence[Stage], offsets: Offsets, messages: Messages, out: Outcome) -> Pair:
    """Run a batch through *path* and return what leaves it."""
    for stage in path:
        if not offsets:
            break
        offsets, messages = stage.run(offsets, messages, out)
    return offsets, messages


class Dependencies:
    """What an enclosing scope gives to the steps inside it, by name."""

    __slots__ = ("current",)

    def __init__(self) -> None:
        self.current: dict[str, Any] = {}


NO_DEPENDENCIES = Dependencies()


class StepCall:
    """A step's ``execute`` with the dependencies that its signature names."""

    __slots__ = ("_dependencies", "_execute", "_names")

    def __init__(self, execute: Callable[..., Any], dependencies: Dependencies, given: int) -> None:
        self._execute = execute
        self._dependencies = dependencies
        parameters = list(inspect.signature(execute).parameters.values())[given:]
        takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters)
        self._names = None if takes_all else {p.name for p in parameters}

    def bound(self) -> Callable[..., Any]:
        """Return the function to call now, dependencies filled in."""
        current = self._dependencies.current
        if not current or (self._names is not None and not self._names):
            return self._execute
        names = self._names
        wanted = {k: v for k, v in current.items() if names is None or k in names}
        return partial(self._execute, **wanted) if wanted else self._execute


def as_message(value: Any, source: Message[Any]) -> Message[Any]:
    """Return what a step gave as a message that keeps *source*'s metadata.

    Raises:
        TypeError: When the value is no payload.
    """
    if isinstance(value, Message):
        return value
    if not isinstance(value, msgspec.Struct):
        given = "None" if value is None else f"a {type(value).__qualname__}"
        raise TypeError(f"the step returned {given}; it must return a LoomStruct or a Message")
    return Message(payload=value, meta=source.meta)


class StepStage(Stage):
    """Base of the stages that call a user's step."""

    __slots__ = ("_call", "step")

    def __init__(
        self,
        step: Any,
        statistics: NodeStatistics,
        boundary: ErrorBoundary,
        dependencies: Dependencies = NO_DEPENDENCIES,
    ) -> None:
        super().__init__(statistics, boundary)
        self.step = step
        self._call = StepCall(step.execute, dependencies, given=1)


class RecordStage(StepStage):
    """A :class:`~loom_runtime.flow.steps.RecordStep`."""

    __slots__ = ()

    def process(self, offsets: Offsets, messages: Messages, out: Outcome) -> Pair:
        """Call the step for each record."""
        execute = self._call.bound()
        results: Messages = []
        append = results.append
        failed: set[int] = set()
        struct, wrap = msgspec.Struct, Message
        for index, message in enumerate(messages):
            try:
                value = execute(message)
                if isinstance(value, struct) and value.__class__ is not wrap:
                    append(wrap(payload=value, meta=message.meta))
                else:
                    append(as_message(value, message))
            except CAUGHT as error:
                failed.add(index)
                self.boundary.fail(offsets[index], message, error, out)
        if failed:
            offsets = [offset for index, offset in enumerate(offsets) if index not in failed]
        return offsets, results


class ExpandStage(StepStage):
    """An :class:`~loom_runtime.flow.steps.ExpandStep`."""

    __slots__ = ()

    def process(self, offsets: Offsets, messages: Messages, out: Outcome) -> Pair:
        """Call the step for each record; one that gives nothing is filtered."""
        execute = self._call.bound()
        kept: Offsets = []
        results: Messages = []
        for offset, message in zip(offsets, messages, strict=True):
            try:
                values = [as_message(value, message) for value in execute(message)]
            except CAUGHT as error:
                self.boundary.fail(offset, message, error, out)
                continue
            results += values
            if values:
                kept += [offset] * len(values)
            else:
                out.filtered.append(offset)
                self.statistics.filtered += 1
        return kept, results


class BatchStage(StepStage):
    """A :class:`~loom_runtime.flow.steps.BatchStep` on the whole batch."""

    __slots__ = ()

    def process(self, offsets: Offsets, messages: Messages, out: Outcome) -> Pair:
        """Call the step once; when it fails every record of the batch failed."""
        try:
            values = as_sequence(self._call.bound()(messages), len(messages))
            results = [as_message(v, m) for v, m in zip(values, messages, strict=True)]
        except CAUGHT as error:
            for offset, message in zip(offsets, messages, strict=True):
                self.boundary.fail(offset, message, error, out)
            return EMPTY
        return offsets, results


class BatchExpandStage(StepStage):
    """A :class:`~loom_runtime.flow.steps.BatchExpandStep` on the whole batch."""

    __slots__ = ()

    def process(self, offsets: Offsets, messages: Messages, out: Outcome) -> Pair:
        """Call the step once; a record whose list is empty is filtered."""
        try:
            lists = as_sequence(self._call.bound()(messages), len(messages))
            expanded = [
                [_plain_payload(value, message) for value in _inner(values)]
                for values, message in zip(lists, messages, strict=True)
            ]
        except CAUGHT as error:
            for offset, message in zip(offsets, messages, strict=True):
                self.boundary.fail(offset, message, error, out)
            return EMPTY
        kept: Offsets = []
        results: Messages = []
        for offset, values in zip(offsets, expanded, strict=True):
            results += values
            if values:
                kept += [offset] * len(values)
            else:
                out.filtered.append(offset)
                self.statistics.filtered += 1
        return kept, results


class SingleStage(Stage):
    """A batch stage that sees batches of one: a batch step inside a Router branch."""

    __slots__ = ("_inner",)

    def __init__(self, inner: StepStage) -> None:
        super().__init__(inner.statistics, inner.boundary)
        self._inner = inner

    def process(self, offsets: Offsets, messages: Messages, out: Outcome) -> Pair:
        """Run the step once for each record."""
        kept: Offsets = []
        results: Messages = []
        for offset, message in zip(offsets, messages, strict=True):
            part_offsets, part_messages = self._inner.process([offset], [message], out)
            kept += part_offsets
            results += part_messages
        return kept, results


class ExplodeStage(Stage):
    """An :class:`~loom_runtime.flow.expansion.Explode`: rows in the order of their types."""

    __slots__ = ("_expand",)

    def __init__(self, expander: Any, statistics: NodeStatistics, boundary: ErrorBoundary) -> None:
        super().__init__(statistics, boundary)
        self._expand = expander.expand

    def process(self, offsets: Offsets, messages: Messages, out: Outcome) -> Pair:
        """Expand each event."""
        kept: Offsets = []
        results: Messages = []
        for offset, message in zip(offsets, messages, strict=True):
            try:
                rows = expanded_rows(self._expand, message)
            except CAUGHT as error:
                self.boundary.fail(offset, message, error, out)
                continue
            results += rows
            if rows:
                kept += [offset] * len(rows)
            else:
                out.filtered.append(offset)
                self.statistics.filtered += 1
        return kept, results


def expanded_rows(expand: Callable[[Any], Any], message: Message[Any]) -> Messages:
    """Return the rows that an expander makes of *message*.

    Raises:
        TypeError: When the expander gives no mapping of types to rows of that type.
    """
    by_type = expand(message.payload)
    if not isinstance(by_type, Mapping):
        raise TypeError(f"expand returned a {type(by_type).__qualname__}; it must return a dict")
    rows: Messages = []
    for row_type, values in by_type.items():
        for value in values:
            if not isinstance(value, row_type):
                raise TypeError(
                    f"expand gave a {type(value).__qualname__} under {row_type.__qualname__}"
                )
            rows.append(as_message(value, message))
    return rows


def as_sequence(values: Any, expected: int) -> Sequence[Any]:
    """Return *values* as a sequence of the expected length.

    Raises:
        TypeError: When they are none, or of another length.
    """
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise TypeError(
            f"the step returned a {type(values).__qualname__}; it must return a sequence"
        )
    listed = list(values)
    if len(listed) != expected:
        raise TypeError(f"the step returned {len(listed)} results for {expected} messages")
    return listed


def _inner(values: Any) -> Iterable[Any]:
    if isinstance(values, str | bytes | Mapping | msgspec.Struct) or not isinstance(
        values, Iterable
    ):
        raise TypeError(
            f"the step returned a {type(values).__qualname__} for a message; "
            "it must return one list per message"
        )
    return values


def _plain_payload(value: Any, source: Message[Any]) -> Message[Any]:
    if isinstance(value, Message):
        raise TypeError("a batch expansion returns payloads, not Messages")
    return as_message(value, source)
