"""Nodes that turn one event into typed rows: Explode and ExpandRoutes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol

from typing_extensions import TypeVar

from loom_runtime.declaration import Declared
from loom_runtime.model import LoomFrozenStruct, LoomStruct

if TYPE_CHECKING:
    from loom_runtime.flow.process import Process

InT = TypeVar("InT", bound=LoomStruct | LoomFrozenStruct, default=Any)
PayloadT_contra = TypeVar(
    "PayloadT_contra", bound=LoomStruct | LoomFrozenStruct, contravariant=True
)


class PayloadExpander(Protocol[PayloadT_contra]):
    """Turns one event into rows, grouped by their type.

    Attributes:
        outputs: The row types, so that the compiler can check that each has its branch.
    """

    outputs: ClassVar[tuple[type, ...]]

    @classmethod
    def expand(cls, event: PayloadT_contra) -> dict[type, list[Any]]:
        """Return the rows of *event* by type."""
        ...


@dataclass(frozen=True, eq=False)
class Explode(Declared, Generic[InT]):
    """One event to its typed rows; a Router that dispatches on their type follows.

    Attributes:
        expander: Class that makes the rows.
    """

    expander: type[PayloadExpander[InT]]


@dataclass(frozen=True, eq=False, kw_only=True)
class ExpandRoutes(Declared, Generic[InT]):
    """One event to its typed rows, each type to its own process. Terminal.

    Attributes:
        expander: Class that makes the rows; called once per event.
        routes: Process of each row type.
        default: Process of row types that *routes* doesn't name; without one such a row is a
            ``routing`` error.

    Raises:
        ValueError: When neither a route nor a default is given.
    """

    expander: type[PayloadExpander[InT]]
    routes: Mapping[type, Process[Any, Any]]
    default: Process[Any, Any] | None = None

    def __post_init__(self) -> None:
        """Refuse a node that leads nowhere."""
        object.__setattr__(self, "routes", dict(self.routes))
        if not self.routes and self.default is None:
            raise ValueError("ExpandRoutes needs at least one route or a default")
