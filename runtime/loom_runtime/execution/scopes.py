"""The dependency scopes: contexts opened for a worker or a batch, and the stage of ``With``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    ExitStack,
    contextmanager,
)
from types import TracebackType
from typing import Any

from loom_runtime.async_bridge import AsyncBridge
from loom_runtime.compiler.plan import CompiledNode
from loom_runtime.execution.boundary import CAUGHT, ErrorBoundary
from loom_runtime.execution.outcome import Messages, Offsets, Outcome, Pair
from loom_runtime.execution.reasons import problem_of
from loom_runtime.execution.shared_contexts import SharedContexts
from loom_runtime.execution.stages import EMPTY, Dependencies, Stage, run_path
from loom_runtime.execution.statistics import NodeStatistics
from loom_runtime.failures import ResourceError
from loom_runtime.flow.scopes import ResourceScope


class DependencyScope(ABC):
    """Opens the contexts of one scope node and puts what they give where its steps look.

    Args:
        node: The compiled scope.
        dependencies: Where steps look; holds what enclosing scopes gave.
        outer: What enclosing scopes give.
        shared: The process's contexts that workers share.
    """

    def __init__(
        self,
        node: CompiledNode,
        dependencies: Dependencies,
        outer: Dependencies,
        shared: SharedContexts,
    ) -> None:
        self._node = node
        self._declaration = node.node
        self._dependencies = dependencies
        self._outer = outer
        self._shared = shared
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
                    raise self._resource_error(error) from error
            self._opened = opened
        self._dependencies.current = {**self._outer.current, **self._opened}

    def open_for_batch(self, stack: ExitStack) -> None:
        """Open what lives as long as one batch; *stack* closes it."""
        opened = self._enter(stack)
        self._dependencies.current = {**self._dependencies.current, **opened}

    def close(self) -> None:
        """Close what lives as long as the worker, the last opened first."""
        self._opened = None
        self._stack.close()

    @abstractmethod
    def _context(self, name: str, context: Any) -> AbstractContextManager[Any]:
        """Return what opens *context* from this thread."""

    def _enter(self, stack: ExitStack) -> dict[str, Any]:
        declaration = self._declaration
        opened: dict[str, Any] = {}
        for name, instance in declaration.contexts.items():
            opened[name] = stack.enter_context(
                self._shared.hold(instance, _later(self._context, name, instance))
            )
        for name, factory in declaration.factories.items():
            opened[name] = stack.enter_context(self._context(name, factory.create()))
        return opened

    def _resource_error(self, error: BaseException) -> ResourceError:
        """Return the error of a worker's context that did not open."""
        node = self._node
        place = f" ({node.location})" if node.location else ""
        return ResourceError(
            f"a dependency of {node.name} could not be opened: {problem_of(error)}",
            where=f"{node.name}{place}: "
            + ", ".join([*self._declaration.contexts, *self._declaration.factories]),
            what_next="make the dependency reachable, or open it per batch "
            "(scope=ResourceScope.BATCH) so that a failure costs one batch; a context manager that "
            "opens only once, as those of @contextmanager, needs ContextFactory(…) to run again",
        )


class SyncScope(DependencyScope):
    """The scope of a ``With``."""

    def _context(self, name: str, context: Any) -> AbstractContextManager[Any]:  # noqa: ARG002
        """Return *context* itself, a sync context manager.

        Raises:
            TypeError: When a factory made something else.
        """
        if not isinstance(context, AbstractContextManager):
            raise TypeError(f"its factory made a {type(context).__qualname__}, no context manager")
        return context


class AsyncScope(DependencyScope):
    """The scope of a ``WithAsync``: contexts live on the event loop, each in one task.

    Args:
        node: As for every scope.
        dependencies: Likewise.
        outer: Likewise.
        shared: Likewise.
        bridge: Where the event loop runs.
    """

    def __init__(
        self,
        node: CompiledNode,
        dependencies: Dependencies,
        outer: Dependencies,
        shared: SharedContexts,
        bridge: AsyncBridge,
    ) -> None:
        super().__init__(node, dependencies, outer, shared)
        self._bridge = bridge
        self._ended: dict[str, BaseException | None] = {}

    def check_open(self) -> None:
        """Make sure that no context ended by itself.

        Raises:
            ResourceError: When one did, as when a background task in its task group failed.
        """
        for name, error in self._ended.items():
            node = self._node
            place = f" ({node.location})" if node.location else ""
            raise ResourceError(
                f"the dependency {name} of {node.name} ended while the flow ran"
                + (f": {problem_of(error)}" if error is not None else ""),
                where=f"{node.name}{place}",
                what_next="look at what it runs in the background: a task that fails in a task "
                "group ends the context round it",
            ) from error

    def _context(self, name: str, context: Any) -> AbstractContextManager[Any]:
        """Return what holds *context*, an async context manager, open on the event loop.

        Raises:
            TypeError: When a factory made something else.
        """
        if not isinstance(context, AbstractAsyncContextManager):
            raise TypeError(
                f"its factory made a {type(context).__qualname__}, no async context manager"
            )
        return self._held(name, context)

    @contextmanager
    def _held(self, name: str, context: AbstractAsyncContextManager[Any]) -> Iterator[Any]:
        watched = _Watched(context)
        with self._bridge.hold(watched) as value:
            watched.on_end = lambda error: self._ended.setdefault(name, error)
            try:
                yield value
            finally:
                watched.on_end = None
                self._ended.pop(name, None)


class _Watched(AbstractAsyncContextManager[Any]):
    """An async context manager whose end is told, when nobody asked for it."""

    def __init__(self, inner: AbstractAsyncContextManager[Any]) -> None:
        self._inner = inner
        self.on_end: Callable[[BaseException | None], object] | None = None

    async def __aenter__(self) -> Any:
        return await self._inner.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        asked = self.on_end is None
        cause: BaseException | None = None
        try:
            return await self._inner.__aexit__(kind, error, traceback)
        except BaseException as raised:
            cause = raised
            raise
        finally:
            if not asked and self.on_end is not None:
                self.on_end(cause)


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
        """Run the inner process, with the batch's contexts open round it."""

        def inner(within: Outcome) -> Pair:
            return run_path(self._path, offsets, messages, within)

        return run_in_scope(self._scope, inner, offsets, messages, out, self.boundary)


def run_in_scope(
    scope: DependencyScope,
    inner: Callable[[Outcome], Pair],
    offsets: Offsets,
    messages: Messages,
    out: Outcome,
    boundary: ErrorBoundary,
) -> Pair:
    """Return what *inner* gives with *scope* open.

    When a batch's contexts don't open, or don't close (a transaction that does not commit), its
    records failed, whatever their steps gave.

    Raises:
        ResourceError: When a worker's contexts don't open.
    """
    scope.open_for_worker()
    if not scope.per_batch:
        return inner(out)
    within = Outcome()
    result: Pair | None = None
    problem: BaseException | None = None
    stopped: BaseException | None = None
    try:
        with ExitStack() as stack:
            try:
                scope.open_for_batch(stack)
            except CAUGHT as error:
                problem = error
            else:
                try:
                    result = inner(within)
                except BaseException as error:
                    stopped = error
                    raise
    except CAUGHT as error:
        problem = problem or error
    if stopped is not None:  # the run's failure, none of a record; a context may not swallow it
        raise stopped
    if problem is not None or result is None:
        boundary.fail_all(offsets, messages, problem or RuntimeError("no result"), out)
        return EMPTY
    out.add(within)
    return result


def _later(
    function: Callable[[str, Any], AbstractContextManager[Any]], name: str, instance: Any
) -> Callable[[], AbstractContextManager[Any]]:
    return lambda: function(name, instance)
