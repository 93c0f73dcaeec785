"""Dependencies of steps and how long they live: With, WithAsync, ContextFactory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, cast

from typing_extensions import TypeVar

from loom_runtime.configurable import Configurable
from loom_runtime.declaration import Declared
from loom_runtime.model import LoomFrozenStruct, LoomStruct

if TYPE_CHECKING:
    from loom_runtime.flow.process import Process

InT = TypeVar("InT", bound=LoomStruct | LoomFrozenStruct, default=Any)
OutT = TypeVar("OutT", bound=LoomStruct | LoomFrozenStruct, default=Any)

AnyContext = AbstractContextManager[Any] | AbstractAsyncContextManager[Any]


class ResourceScope(StrEnum):
    """How long a context-managed dependency is open: the worker's life or one batch's.

    A worker's context that does not open ends the run. A batch's context that does not open, or
    does not close, makes every record of its batch a ``task`` error, whatever its steps gave.
    """

    WORKER = "worker"
    BATCH = "batch"


class ContextFactory(Configurable):
    """Makes a fresh context manager for each scope.

    Args:
        factory: Called without arguments; returns a context manager, sync for :class:`With`,
            async for :class:`WithAsync`.
    """

    def __init__(self, factory: Callable[[], AnyContext]) -> None:
        self._factory = factory

    def create(self) -> AnyContext:
        """Return a fresh context manager."""
        return self._factory()


class _Scoped(Declared, Generic[InT, OutT]):
    """What both scopes share.

    Attributes:
        process: The nodes that see the dependencies.
        scope: How long context managers stay open.
        contexts: Context managers given as they are, by name.
        factories: Context factories, by name.
        values: Every other dependency, by name.
    """

    process: Process[InT, OutT]
    scope: ResourceScope
    contexts: Mapping[str, AnyContext]
    factories: Mapping[str, ContextFactory]
    values: Mapping[str, object]

    def _sort(self, dependencies: Mapping[str, object], accepted: type, refused: type) -> None:
        contexts: dict[str, AnyContext] = {}
        factories: dict[str, ContextFactory] = {}
        values: dict[str, object] = {}
        wrong = []
        for name, dependency in dependencies.items():
            if isinstance(dependency, ContextFactory):
                factories[name] = dependency
            elif isinstance(dependency, accepted):
                contexts[name] = cast("AnyContext", dependency)
            elif isinstance(dependency, refused):
                wrong.append(name)
            else:
                values[name] = dependency
        if wrong:
            mine, other = type(self).__name__, "With" if accepted is _ASYNC else "WithAsync"
            kind = "a sync" if accepted is _ASYNC else "an async"
            raise TypeError(
                f"{mine} cannot open {kind} context manager ({', '.join(wrong)}): use {other}"
            )
        self.contexts, self.factories, self.values = contexts, factories, values


_SYNC: type = AbstractContextManager
_ASYNC: type = AbstractAsyncContextManager


class With(_Scoped[InT, OutT]):
    """Gives the steps of an inner process sync dependencies, as keyword arguments by name.

    A context manager given as an instance is opened once and shared by the workers of a process;
    a :class:`ContextFactory` makes one for each. A worker's contexts are opened before its first
    batch and closed when the run has ended, the last opened first, on the thread that runs the
    flow.

    Args:
        scope: How long context managers stay open.
        process: Inner process.
        **dependencies: Context managers, :class:`ContextFactory` instances and plain values.

    Raises:
        TypeError: When an async context manager is passed.
    """

    def __init__(
        self,
        scope: ResourceScope = ResourceScope.WORKER,
        *,
        process: Process[InT, OutT],
        **dependencies: object,
    ) -> None:
        self.scope, self.process = scope, process
        self._sort(dependencies, _SYNC, _ASYNC)


class WithAsync(_Scoped[InT, OutT]):
    """Runs an inner process concurrently, one task per record; ``execute`` may be a coroutine.

    Outputs keep the order of their records. Each async context manager is entered and left in one
    task of its own, so that it may hold cancel scopes and task groups.

    A record past its deadline is cancelled. What its steps do regardless, shielded from
    cancellation or in threads, is waited for one second and then left behind: the record is a
    ``task`` error and a late result is nobody's. Shutdown waits for it as long as
    ``streaming.runtime.force_shutdown_timeout_ms`` says.

    Attributes:
        max_concurrency: Records in flight at once.
        task_timeout_ms: Deadline of one record, milliseconds; ``None`` for none.

    Args:
        scope: How long context managers stay open.
        max_concurrency: Records in flight at once.
        task_timeout_ms: Deadline of one record, milliseconds; past it the record is a ``task``
            error.
        process: Inner process.
        **dependencies: Async context managers, :class:`ContextFactory` instances, plain values.

    Raises:
        TypeError: When a sync context manager is passed.
        ValueError: When a number is not positive.
    """

    max_concurrency: int
    task_timeout_ms: int | None

    def __init__(
        self,
        scope: ResourceScope = ResourceScope.WORKER,
        max_concurrency: int = 10,
        task_timeout_ms: int | None = None,
        *,
        process: Process[InT, OutT],
        **dependencies: object,
    ) -> None:
        if max_concurrency < 1:
            raise ValueError(f"WithAsync.max_concurrency is {max_concurrency}; the least is 1")
        if task_timeout_ms is not None and task_timeout_ms < 1:
            raise ValueError(f"WithAsync.task_timeout_ms is {task_timeout_ms}; the least is 1")
        self.scope, self.process = scope, process
        self.max_concurrency, self.task_timeout_ms = max_concurrency, task_timeout_ms
        self._sort(dependencies, _ASYNC, _SYNC)
