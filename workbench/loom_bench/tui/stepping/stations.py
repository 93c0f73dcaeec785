"""The stations of a record's way: every node in the order in which it meets them, and the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from loom_bench.tui.figures import millis_text
from loom_bench.tui.ink import Ink, Run
from loom_runtime.compiler.document_parts import EdgeKind, PlanDocument
from loom_runtime.compiler.plan import NodeKind, NodePath
from loom_runtime.tracing.trace import StopOutcome, Trace, TracedOutput, TraceStop

_CHOOSING: Final = frozenset({NodeKind.ROUTER, NodeKind.FORK, NodeKind.EXPAND_ROUTES})


class Unmet(StrEnum):
    """Why a record did not meet a node.

    ``ENDED``: its way has ended, or has not led there yet. ``BRANCH``: it took another branch.
    ``BEFORE``: the trace began behind it, with an edited value.
    """

    ENDED = "not reached"
    BRANCH = "not taken"
    BEFORE = "before the edit"


_WORDS: Final = {
    StopOutcome.RUNNING: ("running", Ink.WARN),
    StopOutcome.PASSED: ("passed", Ink.GOOD),
    StopOutcome.FILTERED: ("filtered", Ink.ACCENT),
    StopOutcome.WRITTEN: ("written", Ink.GOOD),
    StopOutcome.HELD: ("held", Ink.ACCENT),
    StopOutcome.LATE: ("late", Ink.WARN),
    StopOutcome.FAILED: ("failed", Ink.BAD),
    StopOutcome.CUT_OFF: ("cut off", Ink.BAD),
}


@dataclass(frozen=True)
class Station:
    """A node on the way, or beside it.

    Attributes:
        node: Its id in the plan document.
        name: Its name.
        stop: What happened there; ``None`` when the record did not meet it.
        unmet: Why it did not.
        inside: Whether what failed there is a node that it holds.
    """

    node: str
    name: str
    stop: TraceStop | None = None
    unmet: Unmet = Unmet.ENDED
    inside: bool = False

    @property
    def word(self) -> Run:
        """What became of the record there, in a word or two."""
        if self.stop is None:
            return (self.unmet.value, Ink.DIM)
        word, ink = _WORDS[self.stop.outcome]
        if self.inside:
            return ("failed inside", Ink.WARN)
        failure = self.stop.failure
        if self.stop.outcome is StopOutcome.FAILED and failure is not None:
            return (f"x {failure.exception_type.rpartition('.')[2] or failure.kind.value}", ink)
        if self.stop.duration_ms is not None and self.stop.kind is not None:
            return (f"{word} {millis_text(self.stop.duration_ms)}", ink)
        return (word, ink)


def stations_of(trace: Trace, plan: PlanDocument | None) -> Sequence[Station]:
    """Return the stops of *trace* in their order, nodes that were not met where the plan has them.

    Args:
        trace: The trace.
        plan: The plan, when it is known; its nodes may be those of another revision.
    """
    if plan is None:
        return tuple(
            Station(stop.node, stop.name, stop, inside=_is_inside(stop, trace))
            for stop in trace.stops
        )
    return tuple(_merged(trace, plan))


def ending(stations: Sequence[Station]) -> int:
    """Return the station where the way ends: where it failed, or the last that was met."""
    for index, station in enumerate(stations):
        if _failed(station.stop) and not station.inside:
            return index
    met = [index for index, station in enumerate(stations) if station.stop is not None]
    return met[-1] if met else 0


def outputs_at(station: Station, trace: Trace, plan: PlanDocument | None) -> Sequence[TracedOutput]:
    """Return what was written at *station*: a topic, or a node that writes to one."""
    edges = plan.edges if plan is not None else ()
    sinks = {
        edge.target for edge in edges if edge.origin == station.node and edge.kind is EdgeKind.WRITE
    }
    return tuple(each for each in trace.outputs if each.sink in {station.node, *sinks})


def _failed(stop: TraceStop | None) -> bool:
    return stop is not None and stop.outcome is StopOutcome.FAILED


def _is_inside(stop: TraceStop, trace: Trace) -> bool:
    """Whether it failed in a node that it holds."""
    depth = len(stop.path)
    return _failed(stop) and any(
        _failed(other) and len(other.path) > depth > 0 and other.path[:depth] == stop.path
        for other in trace.stops
    )


def _merged(trace: Trace, plan: PlanDocument) -> Iterator[Station]:
    order = {node: index for index, (node, _) in enumerate(_planned(plan))}
    waiting = list(_unmet(trace, plan))
    for stop in trace.stops:
        here = order.get(stop.node, -1)
        while waiting and order[waiting[0].node] < here:
            yield waiting.pop(0)
        yield Station(stop.node, stop.name, stop, inside=_is_inside(stop, trace))
    yield from waiting


def _planned(plan: PlanDocument) -> Iterator[tuple[str, str]]:
    """Yield id and name of the source, of every node, and of topics that no node of their own
    writes to, each behind the node that does."""
    written = {edge.target: edge.origin for edge in plan.edges if edge.kind is EdgeKind.WRITE}
    into_topics = {node.id for node in plan.nodes if node.kind is NodeKind.INTO_TOPIC}
    yield plan.source.id, plan.source.name
    for node in plan.nodes:
        yield node.id, node.name
        for sink in plan.sinks:
            if written.get(sink.id) == node.id and node.id not in into_topics:
                yield sink.id, sink.name


def _unmet(trace: Trace, plan: PlanDocument) -> Iterator[Station]:
    met = {stop.node: stop for stop in trace.stops}
    paths = {node.id: node.path for node in plan.nodes}
    behind = {edge.target: edge.origin for edge in plan.edges if edge.kind is EdgeKind.WRITE}
    began = False
    for node, name in _planned(plan):
        began = began or node == trace.start or node in met
        if node in met:
            continue
        if not began:
            yield Station(node, name, unmet=Unmet.BEFORE)
            continue
        path = paths.get(node) or paths.get(behind.get(node, ""), ())
        yield Station(node, name, unmet=_why(path, met, plan))


def _why(path: NodePath, met: Mapping[str, TraceStop], plan: PlanDocument) -> Unmet:
    """Tell why the node at *path* was not met, from the innermost node that holds it and was."""
    holders = {node.path: node for node in plan.nodes}
    for length in range(len(path) - 2, 0, -2):
        holder = holders.get(path[:length])
        if holder is None or holder.id not in met:
            continue
        entered = any(stop.path[: length + 1] == path[: length + 1] for stop in met.values())
        chose = holder.kind in _CHOOSING and bool(met[holder.id].branches)
        return Unmet.BRANCH if chose and not entered else Unmet.ENDED
    return Unmet.ENDED
