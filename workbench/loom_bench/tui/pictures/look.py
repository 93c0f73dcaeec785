"""How each box of a plan looks now: its health, its figures, whether a reload changed it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from loom_bench.session.envelopes.value import ProofTally
from loom_bench.session.value import NodeView, SessionValue
from loom_bench.tui.figures import count_text, millis_text, rate_text
from loom_bench.tui.health import MARKS, Health, health_of, worst
from loom_bench.tui.inbox.proof import short_tally
from loom_bench.tui.ink import Ink, Line, Run
from loom_runtime.compiler.document_parts import NodeDocument, PlanDocument

CHANGED_MARK = "*"


class GraphLook:
    """The live part of a graph, from one session value.

    Args:
        value: The value.
        folded: Ids of nodes whose inside is hidden.
        proofs: How failures do in the newest revision, by node.
    """

    def __init__(
        self,
        value: SessionValue,
        folded: Collection[str],
        proofs: Mapping[str, ProofTally] | None = None,
    ) -> None:
        self.plan = value.plan
        self.folded = folded
        self._proofs = proofs or {}
        self._value = value
        self._healths: dict[str, Health] = {}

    def view(self, box_id: str) -> NodeView | None:
        """Return a node's counters."""
        return self._value.nodes.get(box_id)

    def health(self, box_id: str) -> Health:
        """Return how a node fares; of a folded one, the worst of what lies inside."""
        found = self._healths.get(box_id)
        if found is None:
            views = [self.view(box_id)]
            if box_id in self.folded and self.plan is not None:
                views.extend(self.view(node.id) for node in inside(self.plan, box_id))
            found = self._healths[box_id] = worst(views)
        return found

    def mark(self, box_id: str) -> str:
        """Return the character that tells a node's health, or that it changed."""
        mark = MARKS[self.health(box_id)]
        return CHANGED_MARK if mark == " " and box_id in self._value.changed_nodes else mark

    def proof(self, box_id: str) -> ProofTally | None:
        """Return how the failures of a node do in the newest revision; ``None`` before they were
        tried there. What could not be read is the source's."""
        if self.plan is not None and box_id == self.plan.source.id:
            return self._proofs.get("") or self._proofs.get(box_id)
        return self._proofs.get(box_id)

    def note(self, box_id: str) -> Line:
        """Return the figures of a node, or of the source."""
        proof = self.proof(box_id)
        if self.plan is not None and box_id == self.plan.source.id:
            return (*self._source_figures(proof), *self._lag())
        return note_of(self.view(box_id), proof)

    def source_rate(self) -> Run:
        """Return how many records a second the source reads."""
        offsets = self._value.offsets
        if not offsets:
            return ("-", Ink.DIM)
        return (rate_text(sum(view.rate_per_s for view in offsets)), Ink.PLAIN)

    def _source_figures(self, proof: ProofTally | None) -> Line:
        view = self.view(self.plan.source.id) if self.plan is not None else None
        if view is not None:
            return note_of(view, proof)
        rate, ink = self.source_rate()
        return ((rate if rate == "-" else f"{rate}/s", ink),)

    def _lag(self) -> Line:
        lags = [view.lag for view in self._value.offsets if view.lag is not None]
        return ((f" lag {count_text(sum(lags))}", Ink.DIM),) if lags else ()


def note_of(view: NodeView | None, proof: ProofTally | None = None) -> Line:
    """Return a node's live figures: rate, p50 and p99, failures, held and late records. How its
    failures do in the newest revision takes the place of p50 and p99."""
    if view is None:
        return (("-", Ink.DIM),)
    line = [(f"{rate_text(view.rate_per_s)}/s", Ink.PLAIN)]
    if view.p99_ms is not None and proof is None:
        slow = health_of(view) is Health.SLOW
        line.append((f" {two_times(view)}", Ink.WARN if slow else Ink.DIM))
    if view.errors:
        line.append((f" {MARKS[Health.FAILING]}{count_text(view.errors)}", Ink.BAD))
    if proof is not None:
        text, ink = short_tally(proof)
        line.append((f" {text}", ink))
    if view.held:
        line.append((f" h{count_text(view.held)}", Ink.ACCENT))
    if view.late:
        line.append((f" l{count_text(view.late)}", Ink.WARN))
    return line


def two_times(view: NodeView) -> str:
    """Return p50 and p99 with their unit once where it is the same: ``.2/48ms``."""
    if view.p99_ms is None:
        return "-"
    p50, p99 = millis_text(view.p50_ms), millis_text(view.p99_ms)
    unit = p99.lstrip("0123456789.")
    bare = p50.removesuffix(unit)
    return f"{bare}/{p99}" if bare != p50 and bare[-1:].isdigit() else f"{p50}/{p99}"


def inside(plan: PlanDocument, node_id: str) -> Sequence[NodeDocument]:
    """Return the nodes that lie inside the node, at any depth."""
    node = next((each for each in plan.nodes if each.id == node_id), None)
    if node is None:
        return ()
    depth = len(node.path)
    return [
        each for each in plan.nodes if len(each.path) > depth and each.path[:depth] == node.path
    ]
