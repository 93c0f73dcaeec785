"""How a plan is cut into segments: at every node whose records change hands between workers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from loom_runtime.compiler.plan import (
    CompiledNode,
    CompiledPlan,
    CompiledSink,
    NodeKind,
    NodePath,
)
from loom_runtime.errors import ErrorKind

EXCHANGED = frozenset({NodeKind.STATEFUL_STEP, NodeKind.COLLECT_BATCH})
"""Nodes whose records travel to the worker that owns their key."""

_FANS_OUT = frozenset(
    {
        NodeKind.EXPAND_STEP,
        NodeKind.BATCH_EXPAND_STEP,
        NodeKind.STATEFUL_STEP,
        NodeKind.BROADCAST,
        NodeKind.EXPLODE,
        NodeKind.EXPAND_ROUTES,
    }
)


class EndKind(StrEnum):
    """What happens to records that leave the last node of a path."""

    WRITE = "write"
    DROP = "drop"
    RETURN = "return"


@dataclass(frozen=True)
class PathEnd:
    """The end of a path; *port* is set when its records are written."""

    kind: EndKind
    port: int = -1


RETURN = PathEnd(EndKind.RETURN)
DROP = PathEnd(EndKind.DROP)


@dataclass(frozen=True)
class Port:
    """A sink of the flow, addressed by its index.

    Attributes:
        index: Address.
        sink: The topic; ``None`` for an error kind that only a registered sink serves.
        error_kind: Kind of the envelopes that go there; ``None`` for a port of records.
    """

    index: int
    sink: CompiledSink | None
    error_kind: ErrorKind | None = None


@dataclass(frozen=True)
class Exchange:
    """A node that ends a segment and begins the next.

    Attributes:
        index: Address.
        node: The node.
        level: How many holding nodes a record has met when it leaves this one.
        rest: Nodes that follow on the same path.
        end: End of that path.
        parent: Exchange whose segment leads here; ``None`` for the source's.
        late_port: Port of a window's late records; ``None`` without one.
    """

    index: int
    node: CompiledNode
    level: int
    rest: tuple[CompiledNode, ...]
    end: PathEnd
    parent: int | None
    late_port: int | None = None

    @property
    def step_id(self) -> str:
        """The node's id in the recovery store."""
        return self.node.state_id or f"exchange_{self.index}"


@dataclass(frozen=True)
class Layout:
    """A plan cut into segments.

    Attributes:
        plan: The plan.
        ports: Every sink, by index.
        exchanges: Every exchange, by index; a parent comes before its children.
        end: End of the flow's own process.
        port_of_path: Port of every path that ends in a sink.
        error_ports: Port of each error kind that has a route.
        exchange_of_path: Exchange of each exchanged node, by the node's path.
        fans_out: Whether one source record can become several.
        levels: Most holding nodes that one record can meet.
    """

    plan: CompiledPlan
    ports: tuple[Port, ...]
    exchanges: tuple[Exchange, ...]
    end: PathEnd
    port_of_path: Mapping[NodePath, int]
    error_ports: Mapping[ErrorKind, int]
    exchange_of_path: Mapping[NodePath, int]
    fans_out: bool
    levels: int


def lay_out(plan: CompiledPlan, registered: Iterable[ErrorKind] = ()) -> Layout:
    """Return the layout of *plan*; the same plan gives the same layout in every process.

    Args:
        plan: The plan.
        registered: Error kinds that a registered sink takes; it wins over the plan's route.
    """
    return _Surveyor(plan, frozenset(registered)).survey()


class _Surveyor:
    def __init__(self, plan: CompiledPlan, registered: frozenset[ErrorKind]) -> None:
        self._plan = plan
        self._registered = registered
        self._ports: list[Port] = []
        self._port_of_path: dict[NodePath, int] = {}
        self._exchanges: list[Exchange] = []

    def survey(self) -> Layout:
        plan = self._plan
        end = DROP
        if plan.output is not None:
            end = PathEnd(EndKind.WRITE, self._add_port(plan.output))
        self._walk(plan.process, end, parent=None, level=0)
        error_ports = {
            kind: self._add_port(
                None if kind in self._registered else plan.error_routes[kind], kind
            )
            for kind in sorted(self._registered | plan.error_routes.keys())
        }
        return Layout(
            plan=plan,
            ports=tuple(self._ports),
            exchanges=tuple(self._exchanges),
            end=end,
            port_of_path=self._port_of_path,
            error_ports=error_ports,
            exchange_of_path={e.node.path: e.index for e in self._exchanges},
            fans_out=any(node.kind in _FANS_OUT for node in plan.nodes),
            levels=max((e.level for e in self._exchanges), default=0),
        )

    def _add_port(self, sink: CompiledSink | None, kind: ErrorKind | None = None) -> int:
        self._ports.append(Port(len(self._ports), sink, kind))
        return len(self._ports) - 1

    def _walk(
        self, nodes: tuple[CompiledNode, ...], end: PathEnd, *, parent: int | None, level: int
    ) -> None:
        for position, node in enumerate(nodes):
            if node.kind in EXCHANGED:
                self._exchange(node, nodes[position + 1 :], end, parent=parent, level=level)
                return
            if node.kind is NodeKind.INTO_TOPIC and node.sink is not None:
                self._port_of_path[node.path] = self._add_port(node.sink)
            for branch in node.branches:
                branch_end = RETURN
                if branch.output is not None:
                    port = self._add_port(branch.output)
                    self._port_of_path[(*node.path, branch.index)] = port
                    branch_end = PathEnd(EndKind.WRITE, port)
                elif node.kind is NodeKind.BROADCAST:
                    branch_end = DROP
                self._walk(branch.nodes, branch_end, parent=parent, level=level)

    def _exchange(
        self,
        node: CompiledNode,
        rest: tuple[CompiledNode, ...],
        end: PathEnd,
        *,
        parent: int | None,
        level: int,
    ) -> None:
        holds = node.kind is NodeKind.COLLECT_BATCH
        late_port = self._add_port(node.sink) if node.sink is not None else None
        exchange = Exchange(
            index=len(self._exchanges),
            node=node,
            level=level + 1 if holds else level,
            rest=rest,
            end=end,
            parent=parent,
            late_port=late_port,
        )
        self._exchanges.append(exchange)
        self._walk(rest, end, parent=exchange.index, level=exchange.level)
