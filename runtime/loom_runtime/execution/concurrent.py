"""The stage of WithAsync: the inner process of each record is a task of its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from inspect import isawaitable
from math import inf
from time import perf_counter
from typing import Any

import anyio

from loom_runtime.async_bridge import AsyncBridge
from loom_runtime.errors import ErrorKind
from loom_runtime.execution.boundary import CAUGHT, ErrorBoundary
from loom_runtime.execution.deadlines import Deadlines
from loom_runtime.execution.outcome import Messages, Offsets, Outcome, Pair
from loom_runtime.execution.outputs import as_message, as_messages
from loom_runtime.execution.routing import UNCLAIMED, Choose
from loom_runtime.execution.scopes import AsyncScope, run_in_scope
from loom_runtime.execution.stages import Dependencies, Stage, StepCall, run_path
from loom_runtime.execution.statistics import NodeStatistics
from loom_runtime.failures import EngineError, RunError
from loom_runtime.message import Message
from loom_runtime.wire.error_text import problem_text

FILTERED = -1
"""Where a record goes that an expand step gave no output for."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A record that failed at an inner node."""

    boundary: ErrorBoundary
    message: Message[Any]
    error: BaseException
    kind: ErrorKind | None = None


Arrival = tuple[int, Message[Any]] | Failure
"""A record at the end of its way: ``(end, message)``, or its failure."""


class AsyncNode:
    """One inner node: takes a message, gives messages for the node after it."""

    __slots__ = ("boundary", "statistics")

    def __init__(self, statistics: NodeStatistics, boundary: ErrorBoundary) -> None:
        self.statistics = statistics
        self.boundary = boundary

    async def step(self, message: Message[Any], arrivals: list[Arrival]) -> list[Message[Any]]:
        """Return what goes on to the next node; add what is at its end to *arrivals*."""
        raise NotImplementedError

    def branch(self, index: int) -> Sequence[AsyncNode]:
        """Return the nodes of one of its branches.

        Raises:
            LookupError: When it has none.
        """
        raise LookupError(index)


class AsyncStep(AsyncNode):
    """A record step or expand step whose ``execute`` may be a coroutine function."""

    __slots__ = ("_call", "_expands")

    def __init__(
        self,
        step: Any,
        statistics: NodeStatistics,
        boundary: ErrorBoundary,
        dependencies: Dependencies,
        *,
        expands: bool,
    ) -> None:
        super().__init__(statistics, boundary)
        self._call = StepCall(step.execute, dependencies, given=1)
        self._expands = expands

    async def step(self, message: Message[Any], arrivals: list[Arrival]) -> list[Message[Any]]:
        """Call the step."""
        sampler, watcher = self.statistics.sampler, self.statistics.watcher
        taking = None if sampler is None else sampler.taken((0,), (message,))
        ended = None if watcher is None else watcher.began(message)
        started = perf_counter()
        values: list[Message[Any]] = []
        try:
            values = await self._values(message)
        except CAUGHT as error:
            arrivals.append(Failure(self.boundary, message, error))
        except BaseExceptionGroup as group:
            if group.split(CAUGHT)[1] is not None:
                raise
            arrivals.append(Failure(self.boundary, message, group))
        except anyio.get_cancelled_exc_class() as error:
            if anyio.current_effective_deadline() == -inf:
                raise
            # Nobody asked for it: the step awaited something that was cancelled.
            cancelled = RuntimeError("something that the step awaited was cancelled")
            cancelled.__cause__ = error
            arrivals.append(Failure(self.boundary, message, cancelled))
        else:
            if not values:
                arrivals.append((FILTERED, message))
                self.statistics.filtered += 1
        self.statistics.ran(1, len(values), perf_counter() - started)
        if taking is not None:
            taking.give((0,) * len(values), values)
        if ended is not None:
            ended(values)
        return values

    async def _values(self, message: Message[Any]) -> list[Message[Any]]:
        value = self._call.bound()(message)
        if isawaitable(value):
            value = await value
        if not self._expands:
            return [as_message(value, message)]
        if not isinstance(value, AsyncIterable):
            return as_messages(value, message)
        async with AsyncExitStack() as stack:
            if isinstance(value, AsyncGenerator):
                await stack.enter_async_context(aclosing(value))
            return [as_message(item, message) async for item in value]


class AsyncRoute(AsyncNode):
    """A Router inside the scope."""

    __slots__ = ("_branches", "_choose")

    def __init__(
        self,
        choose: Choose,
        branches: Sequence[Sequence[AsyncNode]],
        statistics: NodeStatistics,
        boundary: ErrorBoundary,
    ) -> None:
        super().__init__(statistics, boundary)
        self._choose = choose
        self._branches = branches

    def branch(self, index: int) -> Sequence[AsyncNode]:
        """Return the nodes of one of its branches."""
        return self._branches[index]

    async def step(self, message: Message[Any], arrivals: list[Arrival]) -> list[Message[Any]]:
        """Walk the record's branch."""
        watcher = self.statistics.watcher
        ended = None if watcher is None else watcher.began(message)
        started = perf_counter()
        try:
            index = self._choose(message)
        except CAUGHT as error:
            arrivals.append(Failure(self.boundary, message, error, ErrorKind.ROUTING))
            return []
        branch = () if index == UNCLAIMED else self._branches[index]
        results = await walk(branch, message, arrivals)
        self.statistics.ran(1, len(results), perf_counter() - started)
        if ended is not None:
            ended(results)
        return results


class AsyncEnd(AsyncNode):
    """A terminal: the record has arrived."""

    __slots__ = ("_end",)

    def __init__(self, end: int, statistics: NodeStatistics, boundary: ErrorBoundary) -> None:
        super().__init__(statistics, boundary)
        self._end = end

    async def step(self, message: Message[Any], arrivals: list[Arrival]) -> list[Message[Any]]:
        """Note the arrival; the terminal's own stage runs for the whole batch afterwards."""
        arrivals.append((self._end, message))
        return []


async def walk(
    nodes: Sequence[AsyncNode], message: Message[Any], arrivals: list[Arrival]
) -> list[Message[Any]]:
    """Take *message* through *nodes* and return what leaves the last of them."""
    messages = [message]
    for node in nodes:
        results: list[Message[Any]] = []
        for item in messages:
            results += await node.step(item, arrivals)
        messages = results
    return messages


async def walk_from(
    nodes: Sequence[AsyncNode],
    start: tuple[int, ...],
    message: Message[Any],
    arrivals: list[Arrival],
) -> list[Message[Any]]:
    """Do the same from the node at the address *start* on."""
    position, *within = start
    if not within:
        return await walk(nodes[position:], message, arrivals)
    branch = nodes[position].branch(within[0])
    results: list[Message[Any]] = []
    for each in await walk_from(branch, tuple(within[1:]), message, arrivals):
        results += await walk(nodes[position + 1 :], each, arrivals)
    return results


class ConcurrentStage(Stage):
    """A ``WithAsync``.

    Args:
        scope: Opens the dependencies.
        nodes: The inner nodes.
        ends: Path of each terminal; the index is the ``end`` of an arrival, from 1. End 0 is what
            leaves the scope.
        bridge: Where the event loop runs.
        statistics: Counters of the scope node.
        boundary: Error boundary of the scope node.
    """

    __slots__ = ("_bridge", "_deadline_s", "_ends", "_limit", "_nodes", "_scope")

    def __init__(
        self,
        scope: AsyncScope,
        declaration: Any,
        nodes: Sequence[AsyncNode],
        ends: Sequence[Sequence[Stage]],
        *,
        bridge: AsyncBridge,
        statistics: NodeStatistics,
        boundary: ErrorBoundary,
    ) -> None:
        super().__init__(statistics, boundary)
        self._scope = scope
        self._nodes = nodes
        self._ends = ends
        self._bridge = bridge
        self._limit: int = declaration.max_concurrency
        timeout_ms: int | None = declaration.task_timeout_ms
        self._deadline_s = None if timeout_ms is None else timeout_ms / 1000

    def process(self, offsets: Offsets, messages: Messages, out: Outcome) -> Pair:
        """Run every record's inner process, then write what arrived, in order."""
        return self._process(offsets, messages, out, ())

    def resume(
        self, start: tuple[int, ...], offsets: Offsets, messages: Messages, out: Outcome
    ) -> Pair:
        """Do the same from the inner node at the address *start* on: its position, then branch and
        position for each level down."""
        return self._process(offsets, messages, out, start)

    def _process(
        self, offsets: Offsets, messages: Messages, out: Outcome, start: tuple[int, ...]
    ) -> Pair:
        self._scope.check_open()

        def inner(within: Outcome) -> Pair:
            try:
                arrivals = self._bridge.run(self._run_all(messages, start))
            except CAUGHT as error:
                raise self._loop_ended(error) from error
            return self._arrived(offsets, arrivals, within)

        return run_in_scope(self._scope, inner, offsets, messages, out, self.boundary)

    def _arrived(self, offsets: Offsets, arrivals: list[list[Arrival]], out: Outcome) -> Pair:
        by_end: list[Pair] = [([], []) for _ in range(len(self._ends) + 1)]
        for offset, of_record in zip(offsets, arrivals, strict=True):
            for arrival in of_record:
                if isinstance(arrival, Failure):
                    arrival.boundary.fail(offset, arrival.message, arrival.error, out, arrival.kind)
                elif arrival[0] == FILTERED:
                    out.filtered.append(offset)
                else:
                    end = by_end[arrival[0]]
                    end[0].append(offset)
                    end[1].append(arrival[1])
        for path, (end_offsets, end_messages) in zip(self._ends, by_end[1:], strict=True):
            run_path(path, end_offsets, end_messages, out)
        return by_end[0]

    def _loop_ended(self, error: BaseException) -> RunError:
        return EngineError(
            f"the event loop of WithAsync ended: {problem_text(error)}",
            where="streaming.runtime.async_backend",
            what_next="look for code that stops the event loop, such as sys.exit() in a task that "
            "a step started; nothing was committed past the batch that was under way",
        )

    async def _run_all(self, messages: Messages, start: tuple[int, ...]) -> list[list[Arrival]]:
        if self._deadline_s is not None:
            return await self._run_by_deadline(messages, self._deadline_s, start)
        arrivals: list[list[Arrival]] = [[] for _ in messages]
        waiting = iter(range(len(messages)))

        async def runner() -> None:
            for index in waiting:
                arrivals[index] = await self._run_one(messages[index], start)

        async with anyio.create_task_group() as tasks:
            for _ in range(min(self._limit, len(messages))):
                tasks.start_soon(runner)
        return arrivals

    async def _run_by_deadline(
        self, messages: Messages, deadline_s: float, start: tuple[int, ...]
    ) -> list[list[Arrival]]:
        def late(index: int, left_behind: bool) -> list[Arrival]:
            more = " and does not heed its cancellation" if left_behind else ""
            error = TimeoutError(f"the record took longer than {deadline_s} s{more}")
            return [Failure(self.boundary, messages[index], error)]

        async def job(index: int) -> list[Arrival]:
            try:
                return await self._run_one(messages[index], start)
            except CAUGHT as error:  # what is left of a group that the cancellation was part of
                return [Failure(self.boundary, messages[index], error)]

        deadlines = Deadlines(job, late, deadline_s)
        return await deadlines.run(len(messages), self._limit, self._bridge)

    async def _run_one(self, message: Message[Any], start: tuple[int, ...]) -> list[Arrival]:
        arrivals: list[Arrival] = []
        if start:
            results = await walk_from(self._nodes, start, message, arrivals)
        else:
            results = await walk(self._nodes, message, arrivals)
        return arrivals + [(0, result) for result in results]
