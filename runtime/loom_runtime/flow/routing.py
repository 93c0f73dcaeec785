"""Nodes that choose or copy: Router, Fork, Broadcast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, runtime_checkable

from typing_extensions import TypeVar

from loom_runtime.declaration import Declared
from loom_runtime.expressions import ExpressionNode, PathReference
from loom_runtime.flow.boundary import IntoTopic
from loom_runtime.message import Message
from loom_runtime.model import LoomFrozenStruct, LoomStruct

if TYPE_CHECKING:
    from loom_runtime.flow.process import Process

PayloadT_contra = TypeVar(
    "PayloadT_contra", bound=LoomStruct | LoomFrozenStruct, contravariant=True
)
InT = TypeVar("InT", bound=LoomStruct | LoomFrozenStruct, default=Any)
OutT = TypeVar("OutT", bound=LoomStruct | LoomFrozenStruct, default=Any)


@runtime_checkable
class Selector(Protocol[PayloadT_contra]):
    """Hand-written choice of a route key."""

    def select(self, message: Message[PayloadT_contra]) -> object:
        """Return the route key of *message*."""
        ...


@runtime_checkable
class Predicate(Protocol[PayloadT_contra]):
    """Hand-written condition of a route."""

    def matches(self, message: Message[PayloadT_contra]) -> bool:
        """Return whether *message* takes the route."""
        ...


SelectorSpec = PathReference | Selector[Any]
PredicateSpec = ExpressionNode | Predicate[Any]


@dataclass(frozen=True, eq=False)
class Route(Declared, Generic[InT, OutT]):
    """One branch of :meth:`Router.when`.

    Attributes:
        when: Condition.
        process: What the record goes through when the condition holds.
    """

    when: PredicateSpec
    process: Process[InT, OutT]


@dataclass(frozen=True, eq=False)
class ForkRoute(Declared, Generic[InT]):
    """One branch of :meth:`Fork.when`.

    Attributes:
        when: Condition.
        process: Full process that ends in a terminal.
    """

    when: PredicateSpec
    process: Process[InT, Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class Router(Declared, Generic[InT, OutT]):
    """In-place choice: one branch per record, and records go on after it in order.

    Declare with :meth:`by` or :meth:`when`.

    Attributes:
        selector: What chooses among *routes*; ``None`` for :meth:`when`.
        routes: Branches by key.
        predicate_routes: Branches by condition, the first that holds wins.
        default: Branch of records that no other claims. Without one such a record goes on after the
            Router as it is; where nothing follows, it is a ``routing`` error.
    """

    selector: SelectorSpec | None = None
    routes: Mapping[Any, Process[InT, OutT]]
    predicate_routes: tuple[Route[InT, OutT], ...] = ()
    default: Process[InT, OutT] | None = None

    @classmethod
    def by(
        cls,
        selector: SelectorSpec,
        routes: Mapping[Any, Process[InT, OutT]],
        *,
        default: Process[InT, OutT] | None = None,
    ) -> Router[InT, OutT]:
        """Choose by key.

        Raises:
            ValueError: When *routes* is empty.
        """
        if not routes:
            raise ValueError("Router.by needs at least one route")
        return cls(selector=selector, routes=dict(routes), default=default)

    @classmethod
    def when(
        cls,
        routes: Sequence[Route[InT, OutT]],
        *,
        default: Process[InT, OutT] | None = None,
    ) -> Router[InT, OutT]:
        """Choose the first branch whose condition holds.

        Raises:
            ValueError: When *routes* is empty.
        """
        if not routes:
            raise ValueError("Router.when needs at least one route")
        return cls(routes={}, predicate_routes=tuple(routes), default=default)


@dataclass(frozen=True, eq=False, kw_only=True)
class Fork(Declared, Generic[InT]):
    """Terminal split: each branch is a full process of its own.

    Declare with :meth:`by` or :meth:`when`. Attributes as in :class:`Router`, but without a default
    a record that no branch claims ends here, counted as filtered; only flows that deliver at most
    once may do that.
    """

    selector: SelectorSpec | None = None
    routes: Mapping[Any, Process[InT, Any]]
    predicate_routes: tuple[ForkRoute[InT], ...] = ()
    default: Process[InT, Any] | None = None

    @classmethod
    def by(
        cls,
        selector: SelectorSpec,
        routes: Mapping[Any, Process[InT, Any]],
        *,
        default: Process[InT, Any] | None = None,
    ) -> Fork[InT]:
        """Split by key.

        Raises:
            ValueError: When *routes* is empty.
        """
        if not routes:
            raise ValueError("Fork.by needs at least one route")
        return cls(selector=selector, routes=dict(routes), default=default)

    @classmethod
    def when(
        cls,
        routes: Sequence[ForkRoute[InT]],
        *,
        default: Process[InT, Any] | None = None,
    ) -> Fork[InT]:
        """Split by the first condition that holds.

        Raises:
            ValueError: When *routes* is empty.
        """
        if not routes:
            raise ValueError("Fork.when needs at least one route")
        return cls(routes={}, predicate_routes=tuple(routes), default=default)


@dataclass(frozen=True, eq=False)
class BroadcastRoute(Declared, Generic[InT, OutT]):
    """One branch of a :class:`Broadcast`.

    Attributes:
        process: What every record goes through on this branch.
        output: Where its results are written; without one the process ends itself or its results
            are dropped.
    """

    process: Process[InT, OutT]
    output: IntoTopic[OutT] | None = None


class Broadcast(Declared, Generic[InT]):
    """Terminal copy: every branch gets every record.

    Attributes:
        routes: The branches, in order.

    Raises:
        ValueError: When no route is given.
    """

    routes: tuple[BroadcastRoute[InT, Any], ...]

    def __init__(self, *routes: BroadcastRoute[InT, Any]) -> None:
        if not routes:
            raise ValueError("Broadcast needs at least one BroadcastRoute")
        self.routes = routes
