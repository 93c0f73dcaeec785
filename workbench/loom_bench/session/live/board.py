"""What a live session shows: written by its parts, on its thread, and made into one value."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.session.live.gauges import Gauges
from loom_bench.session.live.log_ring import LogRing
from loom_bench.session.live.revision_book import RevisionBook
from loom_bench.session.live.rings import Ring
from loom_bench.session.value import (
    BrokerView,
    FeedView,
    Notice,
    Phase,
    SessionValue,
    StateConflict,
)
from loom_runtime.compiler.document_parts import PlanDocument

if TYPE_CHECKING:
    from loom_runtime.compiler.difference import PlanDifference

KEPT_LOGS = 5_000
KEPT_NOTICES = 50


class Board:
    """Everything that is shown.

    Attributes:
        target: Path of the flow's module.
        phase: What the session is doing.
        broker: The broker.
        plan: The plan that runs, or would.
        revisions: Revisions of the code.
        conflict: A revision that waits for a decision.
        load_diagnoses: What is wrong with the newest revision.
        run_diagnoses: Why the run failed.
        gauges: What the running flow tells.
        logs: What flows printed.
        feed: The feed.
        manual_reload: Whether a save waits for a key.
        look_only: Whether the flow is shown and never run.
        host_memory_bytes: Memory of the process that runs the flow.
    """

    def __init__(self, target: str, *, manual_reload: bool, look_only: bool = False) -> None:
        self.logs = LogRing(KEPT_LOGS)
        self.manual_reload = manual_reload
        self.look_only = look_only
        self.broker = BrokerView()
        self._notices: Ring[Notice] = Ring(KEPT_NOTICES)
        self._noticed = 0
        self._began_s = time.monotonic()
        self.open(target)

    def open(self, target: str) -> None:
        """Begin to show another flow."""
        self.target = target
        self.phase = Phase.OPENING
        self.plan: PlanDocument | None = None
        self.changed_nodes: tuple[str, ...] = ()
        self.removed_nodes: tuple[str, ...] = ()
        self.revisions = RevisionBook()
        self.conflict: StateConflict | None = None
        self.load_diagnoses: tuple[Diagnosis, ...] = ()
        self.run_diagnoses: tuple[Diagnosis, ...] = ()
        self.gauges = Gauges()
        self.feed = FeedView()
        self.host_memory_bytes: int | None = None

    def notice(self, text: str, severity: str = "information") -> None:
        """Tell something once."""
        self._noticed += 1
        self._notices.extend([Notice(number=self._noticed, text=text, severity=severity)])

    def fail(self, problem: Diagnosis) -> None:
        """Show that nothing runs, and why."""
        self.run_diagnoses = (problem,)
        self.phase = Phase.FAILED
        self.notice(problem.message, "error")

    def show_plan(self, plan: PlanDocument, difference: PlanDifference | None) -> None:
        """Show *plan* as the one that runs; *difference* is against the one before."""
        self.plan = plan
        if difference is not None:
            self.changed_nodes = (*difference.added, *(each.name for each in difference.changed))
            self.removed_nodes = difference.removed

    def change_broker(self, **changes: object) -> None:
        """Change fields of the broker's view."""
        self.broker = msgspec.structs.replace(self.broker, **changes)

    def change_feed(self, **changes: object) -> None:
        """Change fields of the feed's view."""
        self.feed = msgspec.structs.replace(self.feed, **changes)

    def value(self) -> SessionValue:
        """Return everything as one value."""
        gauges = self.gauges
        events = gauges.events.shown()
        logs, logs_seen = self.logs.shown()
        return SessionValue(
            target=self.target,
            phase=self.phase,
            broker=self.broker,
            plan=self.plan,
            changed_nodes=self.changed_nodes,
            removed_nodes=self.removed_nodes,
            revisions=self.revisions.shown(),
            conflict=self.conflict,
            diagnoses=(*self.load_diagnoses, *self.run_diagnoses),
            nodes=gauges.nodes.views(),
            samples=gauges.nodes.samples(),
            offsets=gauges.partitions.views(),
            commits=gauges.partitions.commits(),
            events=events,
            events_seen=gauges.events_seen,
            events_left_out=gauges.events_seen - len(events),
            errors=gauges.errors.views(),
            errors_seen=gauges.errors.seen,
            errors_ungrouped=gauges.errors.ungrouped,
            outputs=gauges.outputs.shown(),
            outputs_seen=gauges.outputs_seen,
            logs=logs,
            logs_seen=logs_seen,
            logs_left_out=logs_seen - len(logs),
            feed=self.feed,
            manual_reload=self.manual_reload,
            look_only=self.look_only,
            host_memory_bytes=self.host_memory_bytes,
            notices=self._notices.shown(),
            elapsed_s=round(time.monotonic() - self._began_s, 3),
            at_ms=time.time_ns() // 1_000_000,
        )
