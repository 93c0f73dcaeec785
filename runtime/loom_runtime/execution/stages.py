"""A stage runs one node over one batch. This module has the base and the step stages."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter
from typing import Any

from loom_runtime.execution.boundary import CAUGHT, ErrorBoundary
from loom_runtime.execution.outcome import Messages, Offsets, Outcome, Pair
from loom_runtime.execution.outputs import (
    as_message,
    as_messages,
    expanded_rows,
    lists_each,
    one_each,
)
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
        """Run the node over a batch that is not empty."""
        watcher = self.statistics.watcher
        if watcher is not None:
            return watcher.run(self, offsets, messages, out)
        return self.measured(offsets, messages, out)

    def measured(self, offsets: Offsets, messages: Messages, out: Outcome) -> Pair:
        """Run, time and count the node over a batch that is not empty."""
        sampler = self.statistics.sampler
        taking = None if sampler is None else sampler.taken(offsets, messages)
        started = perf_counter()
        result = self.process(offsets, messages, out)
        self.statistics.ran(len(offsets), len(result[0]), perf_counter() - started)
        if taking is not None:
            taking.give(*result)
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

    __slots__ = ("_dependencies", "_execute", "_names", "_taken")

    _names: set[str] | None
    _taken: frozenset[str]

    def __init__(self, execute: Callable[..., Any], dependencies: Dependencies, given: int) -> None:
        self._execute = execute
        self._dependencies = dependencies
        try:
            parameters = list(inspect.signature(execute).parameters.values())
        except (TypeError, ValueError):  # a builtin or an extension's function
            self._names, self._taken = None, frozenset()
            return
        self._taken = frozenset(p.name for p in parameters[:given])
        takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters)
        self._names = None if takes_all else {p.name for p in parameters[given:]}

    def bound(self) -> Callable[..., Any]:
        """Return the function to call now, dependencies filled in."""
        current = self._dependencies.current
        if not current or (self._names is not None and not self._names):
            return self._execute
        names, taken = self._names, self._taken
        wanted = {
            k: v for k, v in current.items() if k not in taken and (names is None or k in names)
        }
        return partial(self._execute, **wanted) if wanted else self._execute


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
        wrap = Message
        payload_classes: set[type] = set()
        for index, message in enumerate(messages):
            try:
                value = execute(message)
                # Asking whether an object is a struct costs as much as the rest of this loop.
                if value.__class__ in payload_classes:
                    append(wrap(payload=value, meta=message.meta))
                    continue
                append(as_message(value, message))
                if not isinstance(value, wrap):
                    payload_classes.add(value.__class__)
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
                values = as_messages(execute(message), message)
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
            results = one_each(self._call.bound()(list(messages)), messages)
        except CAUGHT as error:
            self.boundary.fail_all(offsets, messages, error, out)
            return EMPTY
        return offsets, results


class BatchExpandStage(StepStage):
    """A :class:`~loom_runtime.flow.steps.BatchExpandStep` on the whole batch."""

    __slots__ = ()

    def process(self, offsets: Offsets, messages: Messages, out: Outcome) -> Pair:
        """Call the step once; a record whose list is empty is filtered."""
        try:
            expanded = lists_each(self._call.bound()(list(messages)), messages)
        except CAUGHT as error:
            self.boundary.fail_all(offsets, messages, error, out)
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
                rows = [row for _, row in expanded_rows(self._expand, message)]
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
