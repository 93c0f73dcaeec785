"""Stages of the nodes that choose or copy: Router, Fork, Broadcast, ExpandRoutes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import lt
from typing import Any

from loom_runtime.compiler.plan import CompiledBranch, CompiledNode, NodeKind
from loom_runtime.errors import ErrorKind
from loom_runtime.execution.boundary import CAUGHT, ErrorBoundary
from loom_runtime.execution.outcome import Messages, Offsets, Outcome, Pair
from loom_runtime.execution.outputs import expanded_rows
from loom_runtime.execution.stages import EMPTY, Stage, run_path
from loom_runtime.execution.statistics import NodeStatistics
from loom_runtime.expressions import ExpressionNode
from loom_runtime.flow.shapes import StreamShape
from loom_runtime.message import Message

Choose = Callable[[Message[Any]], int]
"""Returns the index of a message's branch, :data:`UNCLAIMED` for one that none takes, or raises."""

UNCLAIMED = -1

Path = Sequence[Stage]


class NoRouteError(LookupError):
    """No branch takes the record and there is no default."""


def chooser(node: CompiledNode) -> Choose:
    """Return the function that chooses a branch of a Router or Fork.

    A record that no branch claims goes on after a Router, and ends at a Fork. Where nothing follows
    a Router it would be lost without a word, so there it is an error.
    """
    declaration = node.node
    default = next((branch.index for branch in node.branches if branch.is_default), None)
    if declaration.selector is not None:
        choose = _by_key(declaration.selector, node.branches, default)
    else:
        choose = _by_condition(node.branches, default)
    leads_on = node.kind is NodeKind.FORK or node.output_shape is not StreamShape.NONE
    if leads_on or default is not None:
        return choose

    def claimed(message: Message[Any]) -> int:
        index = choose(message)
        if index == UNCLAIMED:
            routes = ", ".join(branch.label for branch in node.branches)
            raise NoRouteError(
                f"no route of {node.name} takes the record, it has no default and nothing follows "
                f"it; the routes are {routes}"
            )
        return index

    return claimed


def _by_condition(branches: Sequence[CompiledBranch], default: int | None) -> Choose:
    conditions = [(each.index, _condition(each.when)) for each in branches if not each.is_default]
    otherwise = UNCLAIMED if default is None else default

    def first_match(message: Message[Any]) -> int:
        for index, condition in conditions:
            if condition(message):
                return index
        return otherwise

    return first_match


def _by_key(selector: Any, branches: Sequence[CompiledBranch], default: int | None) -> Choose:
    select = selector.compiled() if isinstance(selector, ExpressionNode) else selector.select
    indexes = {branch.key: branch.index for branch in branches if not branch.is_default}
    otherwise = UNCLAIMED if default is None else default

    def by_key(message: Message[Any]) -> int:
        return indexes.get(select(message), otherwise)

    return by_key


def _condition(when: Any) -> Callable[[Message[Any]], Any]:
    if isinstance(when, ExpressionNode):
        return when.compiled()
    matches: Callable[[Message[Any]], Any] = when.matches
    return matches


class RouterStage(Stage):
    """A Router (records go on after it) or a Fork (they don't).

    Args:
        choose: Chooses a branch.
        paths: The branches, by index.
        unclaimed: Path of records that no branch takes.
        statistics: Counters of the node.
        boundary: Error boundary of the node.
    """

    __slots__ = ("_choose", "_paths")

    def __init__(
        self,
        choose: Choose,
        paths: Sequence[Path],
        unclaimed: Path,
        statistics: NodeStatistics,
        boundary: ErrorBoundary,
    ) -> None:
        super().__init__(statistics, boundary)
        self._choose = choose
        self._paths = {**dict(enumerate(paths)), UNCLAIMED: unclaimed}

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
            for row_type, row in rows:
                index = self._indexes.get(row_type, self._default)
                if index is None:
                    name = row_type.__qualname__
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
