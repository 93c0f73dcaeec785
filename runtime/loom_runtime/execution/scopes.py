"""Stages of the dependency scopes: opening contexts for a worker or a batch."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack
from typing import Any

from loom_runtime.async_bridge import AsyncBridge
from loom_runtime.compiler.plan import CompiledNode
from loom_runtime.execution.boundary import CAUGHT, ErrorBoundary, reason_of
from loom_runtime.execution.outcome import Messages, Offsets, Outcome, Pair
from loom_runtime.execution.stages import EMPTY, Dependencies, Stage, run_path
from loom_runtime.execution.statistics import NodeStatistics
from loom_runtime.failures import ResourceError
from loom_runtime.flow.scopes import ResourceScope


class SyncScope:
    """Opens the contexts of a ``With`` and puts what they give where its steps look.

    Args:
        node: The compiled scope.
        dependencies: Where steps look; holds what enclosing scopes gave.
        outer: What enclosing scopes give.
    """

    def __init__(self, node: CompiledNode, dependencies: Dependencies, outer: Dependencies) -> None:
        self._node = node
        self._declaration = node.node
        self._dependencies = dependencies
        self._outer = outer
        self._stack = ExitStack()
        self._opened: dict[str, Any] | None = None

    @property
    def per_batch(self) -> bool:
        """Whether contexts are opened for each batch."""
        return self._declaration.scope is ResourceScope.BATCH

    def open_for_worker(self) -> None:
        """Open what lives as long as the worker; does nothing the second time.

        Raises:
            ResourceError: When a context manager does not open.
        """
        if self._opened is None:
            opened = dict(self._declaration.values)
            if not self.per_batch:
                try:
                    opened |= self._enter(self._stack)
                except CAUGHT as error:
                    raise resource_error(self._node, error) from error
            self._opened = opened
        self._dependencies.current = {**self._outer.current, **self._opened}

    def open_for_batch(self, stack: ExitStack) -> None:
        """Open what lives as long as one batch; *stack* closes it."""
        opened = self._enter(stack)
        self._dependencies.current = {**self._dependencies.current, **opened}

    def close(self) -> None:
        """Close what lives as long as the worker."""
        self._stack.close()

    def _enter(self, stack: ExitStack) -> dict[str, Any]:
        declaration = self._declaration
        contexts = dict(declaration.contexts)
        contexts |= {name: factory.create() for name, factory in declaration.factories.items()}
        return {name: stack.enter_context(context) for name, context in contexts.items()}


class AsyncScope:
    """Opens the contexts of a ``WithAsync`` on the event loop; else as :class:`SyncScope`."""

    def __init__(
        self,
        node: CompiledNode,
        dependencies: Dependencies,
        outer: Dependencies,
        bridge: AsyncBridge,
    ) -> None:
        self._node = node
        self._declaration = node.node
        self._dependencies = dependencies
        self._outer = outer
        self._bridge = bridge
        self._stack: AsyncExitStack | None = None
        self._opened: dict[str, Any] | None = None

    @property
    def per_batch(self) -> bool:
        """Whether contexts are opened for each batch."""
        return self._declaration.scope is ResourceScope.BATCH

    def open_for_worker(self) -> None:
        """Open what lives as long as the worker; does nothing the second time.

        Raises:
            ResourceError: When a context manager does not open.
        """
        if self._opened is None:
            opened = dict(self._declaration.values)
            if not self.per_batch:
                self._stack = AsyncExitStack()
                try:
                    opened |= self._bridge.run(self.enter(self._stack))
                except CAUGHT as error:
                    raise resource_error(self._node, error) from error
            self._opened = opened
        self._dependencies.current = {**self._outer.current, **self._opened}

    async def enter(self, stack: AsyncExitStack) -> dict[str, Any]:
        """Open the contexts on *stack* and return what they give, by name."""
        declaration = self._declaration
        contexts = dict(declaration.contexts)
        contexts |= {name: factory.create() for name, factory in declaration.factories.items()}
        return {name: await stack.enter_async_context(c) for name, c in contexts.items()}

    def close(self) -> None:
        """Close what lives as long as the worker."""
        if self._stack is not None:
            stack, self._stack = self._stack, None
            self._bridge.run(stack.aclose())


class ScopeStage(Stage):
    """A ``With``: its inner process runs with the scope open."""

    __slots__ = ("_path", "_scope")

    def __init__(
        self,
        scope: SyncScope,
        path: Sequence[Stage],
        statistics: NodeStatistics,
        boundary: ErrorBoundary,
    ) -> None:
        super().__init__(statistics, boundary)
        self._scope = scope
        self._path = path

    def process(self, offsets: Offsets, messages: Messages, out: Outcome) -> Pair:
        """Run the inner process; when the batch's contexts don't open its records failed."""
        self._scope.open_for_worker()
        if not self._scope.per_batch:
            return run_path(self._path, offsets, messages, out)
        with ExitStack() as stack:
            try:
                self._scope.open_for_batch(stack)
            except CAUGHT as error:
                for offset, message in zip(offsets, messages, strict=True):
                    self.boundary.fail(offset, message, error, out)
                return EMPTY
            return run_path(self._path, offsets, messages, out)


def resource_error(node: CompiledNode, error: BaseException) -> ResourceError:
    """Return the error of a worker's context that did not open."""
    place = f" ({node.location})" if node.location else ""
    return ResourceError(
        f"a dependency of {node.name} could not be opened: "
        f"{type(error).__qualname__}: {reason_of(error)}",
        where=f"{node.name}{place}: {', '.join([*node.node.contexts, *node.node.factories])}",
        what_next="make the dependency reachable, or open it per batch (scope=ResourceScope.BATCH) "
        "so that a failure costs one batch",
    )
