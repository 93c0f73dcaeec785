"""Stages of the nodes that choose or copy: Router, Fork, Broadcast, ExpandRoutes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import lt
from typing import Any

from loom_runtime.compiler.plan import CompiledBranch, CompiledNode
from loom_runtime.errors import ErrorKind
from loom_runtime.execution.boundary import CAUGHT, ErrorBoundary
from loom_runtime.execution.outcome import Messages, Offsets, Outcome, Pair
from loom_runtime.execution.stages import EMPTY, Stage, expanded_rows, run_path
from loom_runtime.execution.statistics import NodeStatistics
from loom_runtime.expressions import ExpressionNode
from loom_runtime.message import Message

Choose = Callable[[Message[Any]], int]
"""Returns the index of a message's branch; raises for one that none takes."""

Path = Sequence[Stage]


class NoRouteError(LookupError):
    """No branch takes the record and there is no default."""


def chooser(node: CompiledNode) -> Choose:
    """Return the function that chooses a branch of a Router or Fork."""
    declaration = node.node
    default = next((branch.index for branch in node.branches if branch.is_default), None)
    if declaration.selector is not None:
        return _by_key(declaration.selector, node.branches, default)
    conditions = [
        (branch.index, _condition(branch.when)) for branch in node.branches if not branch.is_default
    ]

    def first_match(message: Message[Any]) -> int:
        for index, condition in conditions:
            if condition(message):
                return index
        if default is None:
            raise NoRouteError(f"no condition of {node.name} holds and it has no default")
        return default

    return first_match


def _by_key(selector: Any, branches: Sequence[CompiledBranch], default: int | None) -> Choose:
    select = selector.compiled() if isinstance(selector, ExpressionNode) else selector.select
    indexes = {branch.key: branch.index for branch in branches if not branch.is_default}

    def by_key(message: Message[Any]) -> int:
        key = select(message)
        index = indexes.get(key, default)
        if index is None:
            known = ", ".join(map(repr, indexes))
            raise NoRouteError(f"no route for {key!r}; the routes are {known}")
        return index

    return by_key


def _condition(when: Any) -> Callable[[Message[Any]], Any]:
    if isinstance(when, ExpressionNode):
        return when.compiled()
    matches: Callable[[Message[Any]], Any] = when.matches
    return matches


class RouterStage(Stage):
    """A Router (records go on after it) or a Fork (they don't)."""

    __slots__ = ("_choose", "_paths")

    def __init__(
        self,
        choose: Choose,
        paths: Sequence[Path],
        statistics: NodeStatistics,
        boundary: ErrorBoundary,
    ) -> None:
        super().__init__(statistics, boundary)
        self._choose = choose
        self._paths = paths

    def process(self, offsets: Offsets, messages: Messages, out: Outcome) -> Pair:
        """Run each record through its branch; what leaves the branches keeps its order."""
        choices = self._choices(offsets, messages, out)
        if all(map(lt, offsets, offsets[1:])):
            return self._by_branch(choices, out)
        return self._by_run(choices, out)

    def _choices(
        self, offsets: Offsets, messages: Messages, out: Outcome
    ) -> list[tuple[int, int, Message[Any]]]:
        choose = self._choose
        choices = []
        for offset, message in zip(offsets, messages, strict=True):
            try:
                choices.append((choose(message), offset, message))
            except CAUGHT as error:
                self.boundary.fail(offset, message, error, out, ErrorKind.ROUTING)
        return choices

    def _by_branch(self, choices: list[tuple[int, int, Message[Any]]], out: Outcome) -> Pair:
        """One run a branch. Offsets ascend, so they tell the order of what comes out."""
        parts: dict[int, Pair] = {}
        for index, offset, message in choices:
            part = parts.get(index)
            if part is None:
                part = parts[index] = ([], [])
            part[0].append(offset)
            part[1].append(message)
        results = [run_path(self._paths[i], *part, out) for i, part in sorted(parts.items())]
        results = [result for result in results if result[0]]
        if not results:
            return EMPTY
        if len(results) == 1:
            return results[0]
        merged = [
            pair for offsets, messages in results for pair in zip(offsets, messages, strict=True)
        ]
        merged.sort(key=_first)
        return [offset for offset, _ in merged], [message for _, message in merged]

    def _by_run(self, choices: list[tuple[int, int, Message[Any]]], out: Outcome) -> Pair:
        """One run for each stretch of records on one branch: exact where an offset repeats."""
        kept: Offsets = []
        results: Messages = []
        start = 0
        while start < len(choices):
            index = choices[start][0]
            end = start
            while end < len(choices) and choices[end][0] == index:
                end += 1
            stretch = choices[start:end]
            part_offsets, part_messages = run_path(
                self._paths[index], [c[1] for c in stretch], [c[2] for c in stretch], out
            )
            kept += part_offsets
            results += part_messages
            start = end
        return kept, results


class BroadcastStage(Stage):
    """A Broadcast: every branch gets every record."""

    __slots__ = ("_paths",)

    def __init__(
        self, paths: Sequence[Path], statistics: NodeStatistics, boundary: ErrorBoundary
    ) -> None:
        super().__init__(statistics, boundary)
        self._paths = paths

    def process(self, offsets: Offsets, messages: Messages, out: Outcome) -> Pair:
        """Run the batch through every branch."""
        for path in self._paths:
            run_path(path, offsets, messages, out)
        return EMPTY


class ExpandRoutesStage(Stage):
    """An ExpandRoutes: each row type to its own process."""

    __slots__ = ("_default", "_expand", "_indexes", "_paths")

    def __init__(
        self,
        node: CompiledNode,
        paths: Sequence[Path],
        statistics: NodeStatistics,
        boundary: ErrorBoundary,
    ) -> None:
        super().__init__(statistics, boundary)
        self._expand = node.node.expander.expand
        self._paths = paths
        self._indexes = {b.key: b.index for b in node.branches if not b.is_default}
        self._default = next((b.index for b in node.branches if b.is_default), None)

    def process(self, offsets: Offsets, messages: Messages, out: Outcome) -> Pair:
        """Expand each event once and run the rows of each type through their branch."""
        parts: dict[int, Pair] = {}
        for offset, message in zip(offsets, messages, strict=True):
            try:
                rows = expanded_rows(self._expand, message)
            except CAUGHT as error:
                self.boundary.fail(offset, message, error, out)
                continue
            if not rows:
                out.filtered.append(offset)
                self.statistics.filtered += 1
            for row in rows:
                index = self._indexes.get(type(row.payload), self._default)
                if index is None:
                    name = type(row.payload).__qualname__
                    no_route = NoRouteError(f"no route for rows of {name} and no default")
                    self.boundary.fail(offset, row, no_route, out, ErrorKind.ROUTING)
                    continue
                part = parts.setdefault(index, ([], []))
                part[0].append(offset)
                part[1].append(row)
        for index, part in sorted(parts.items()):
            run_path(self._paths[index], *part, out)
        return EMPTY


def _first(pair: tuple[int, Message[Any]]) -> int:
    return pair[0]
