"""A process is nodes in order; a flow is a source, a process and its sinks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Generic

from typing_extensions import TypeVar

from loom_runtime.configurable import ConfigBinding
from loom_runtime.declaration import Declared
from loom_runtime.errors import ErrorKind
from loom_runtime.flow.boundary import IntoTopic, Source
from loom_runtime.flow.expansion import ExpandRoutes, Explode
from loom_runtime.flow.routing import Broadcast, Fork, Router
from loom_runtime.flow.scopes import With, WithAsync
from loom_runtime.flow.shapes import CollectBatch, Drain, ForEach
from loom_runtime.flow.steps import Step
from loom_runtime.model import LoomFrozenStruct, LoomStruct

InT = TypeVar("InT", bound=LoomStruct | LoomFrozenStruct, default=Any)
OutT = TypeVar("OutT", bound=LoomStruct | LoomFrozenStruct, default=Any)

ProcessNode = (
    Step[Any, Any]
    | type[Step[Any, Any]]
    | ConfigBinding
    | CollectBatch
    | ForEach
    | Drain
    | IntoTopic[Any]
    | Router[Any, Any]
    | Fork[Any]
    | Broadcast[Any]
    | Explode[Any]
    | ExpandRoutes[Any]
    | With[Any, Any]
    | WithAsync[Any, Any]
)
"""What may stand in a process."""


class Process(Declared, Generic[InT, OutT]):
    """Nodes in the order that records go through them.

    Attributes:
        nodes: The nodes.

    Raises:
        ValueError: When there is none.
    """

    nodes: tuple[ProcessNode, ...]

    def __init__(self, *nodes: ProcessNode) -> None:
        if not nodes:
            raise ValueError("Process needs at least one node")
        self.nodes = nodes

    def __iter__(self) -> Iterator[ProcessNode]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)


@dataclass(frozen=True)
class ErrorRoute(Declared):
    """Where envelopes of some kinds go.

    Attributes:
        kinds: The error kinds.
        output: Their topic.
    """

    kinds: tuple[ErrorKind, ...]
    output: IntoTopic[Any]


ErrorRoutes = (
    IntoTopic[Any] | ErrorRoute | Sequence[ErrorRoute] | Mapping[ErrorKind, IntoTopic[Any]]
)
"""What ``StreamFlow.errors`` takes."""


class StreamFlow(Declared, Generic[InT, OutT]):
    """A whole flow.

    Attributes:
        name: Identity of the flow; part of the recovery store's identity.
        source: Where records come from.
        process: What they go through.
        output: Where they end up when the process does not say so itself.
        errors: Topic of each error kind that has one.

    Args:
        name: Identity of the flow.
        source: Where records come from.
        process: What they go through.
        output: Sink of what leaves the process.
        errors: One topic for all kinds, an :class:`ErrorRoute`, a sequence of them, or a mapping.

    Raises:
        ValueError: When the name is blank, or an error kind is claimed twice.
    """

    name: str
    source: Source
    process: Process[InT, OutT]
    output: IntoTopic[OutT] | None
    errors: Mapping[ErrorKind, IntoTopic[Any]]

    def __init__(
        self,
        name: str,
        source: Source,
        process: Process[InT, OutT],
        output: IntoTopic[OutT] | None = None,
        errors: ErrorRoutes | None = None,
    ) -> None:
        if not name.strip():
            raise ValueError("StreamFlow needs a name")
        self.name, self.source, self.process, self.output = name, source, process, output
        self.errors = MappingProxyType(_routes_by_kind(errors))


def _routes_by_kind(errors: ErrorRoutes | None) -> dict[ErrorKind, IntoTopic[Any]]:
    if errors is None:
        return {}
    if isinstance(errors, IntoTopic):
        return dict.fromkeys(ErrorKind, errors)
    if isinstance(errors, Mapping):
        return {ErrorKind(kind): output for kind, output in errors.items()}
    routes = (errors,) if isinstance(errors, ErrorRoute) else tuple(errors)
    by_kind: dict[ErrorKind, IntoTopic[Any]] = {}
    for route in routes:
        if not isinstance(route, ErrorRoute):
            raise TypeError(f"StreamFlow.errors takes IntoTopic or ErrorRoute, not {route!r}")
        for kind in route.kinds:
            if kind in by_kind:
                raise ValueError(f"error kind {ErrorKind(kind).value!r} is claimed by two routes")
            by_kind[ErrorKind(kind)] = route.output
    return by_kind
