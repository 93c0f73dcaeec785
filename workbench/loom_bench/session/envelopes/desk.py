"""Does what is asked of the inbox, and reacts to what comes: owns its parts, on its thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.protocol.frames import Load
from loom_bench.protocol.tracing import Verdict
from loom_bench.session.envelopes.decisions import Decisions, upto_of
from loom_bench.session.envelopes.envelope import Envelope
from loom_bench.session.envelopes.files import EnvelopeFiles
from loom_bench.session.envelopes.flow_view import InboxFlow
from loom_bench.session.envelopes.giving_way import Way
from loom_bench.session.envelopes.group import PROVABLE, Kept
from loom_bench.session.envelopes.intake import Intake, Post
from loom_bench.session.envelopes.notices import Notices, told_cancelled
from loom_bench.session.envelopes.opening import Opening, Tracer
from loom_bench.session.envelopes.proving import Proof, Proving
from loom_bench.session.envelopes.records import Records
from loom_bench.session.envelopes.redrive_planning import Gathering, Planned
from loom_bench.session.envelopes.redriving import Redriving
from loom_bench.session.envelopes.shelf import Shelf
from loom_bench.session.envelopes.terms import (
    InboxFilter,
    RedriveTarget,
    Selection,
    TriageState,
)
from loom_bench.session.envelopes.triage import TriageStore
from loom_bench.session.envelopes.value import InboxValue
from loom_bench.session.tracing.value import TracingView

_ROWS: Final = 100
"""Rows of the window before a screen has asked for some."""


class FlowDesk:
    """The inbox of one flow on one broker.

    Attributes:
        dirty: Whether there is something new to show.
        opening: The envelope that is looked at.
        redriving: The redrive.
        files: Files of the open envelope.

    Args:
        flow: The flow.
        store_path: File of the triage states; ``None`` for none.
        post: Has something done on the inbox's thread.
        tracer: Traces; ``None`` when nothing is to be traced.
        traces: Returns the session's traces.
        notices: What is told.
        way: Asked for by whoever must not wait for a flood of envelopes.
    """

    def __init__(
        self,
        flow: InboxFlow,
        store_path: Path | None,
        post: Post,
        tracer: Tracer | None,
        traces: Callable[[], TracingView],
        notices: Notices,
        way: Way,
    ) -> None:
        self.dirty = True
        self.flow = flow
        self._notices = notices
        self._store = TriageStore(store_path, lambda text: notices.tell(text, "warning"))
        self._shelf = Shelf(self._store.decided)
        self._decisions = Decisions(self._store, self._shelf)
        self._records = Records(flow.bootstrap, flow.security.reading)
        self._intake = Intake(flow, post, self._arrived, way)
        self.opening = Opening(post, tracer, self._changed)
        self.files = EnvelopeFiles(self.opening, traces, notices.tell)
        self._proving = Proving(post, self._records, self._judged, self._proved)
        self.redriving = Redriving(
            post, self._changed, self._decisions.redriven, self._redriven_all
        )
        self._imported: dict[str, Callable[[Kept], None]] = {}
        self._filter = InboxFilter()
        self._window: tuple[str | None, int, int] = None, 0, _ROWS
        self._proof_revision = 0
        self._numbers: dict[str, str] = {}
        self._know_revision(flow)

    # The flow

    def runs(self, flow: InboxFlow, load: Load) -> None:
        """Take in that a revision of the flow runs: every reload proves anew."""
        reloaded = flow.revision != self.flow.revision
        for topic in set(flow.topics) - set(self.flow.topics):
            self._intake.add(topic)
        self.flow = flow
        self._know_revision(flow)
        if reloaded:
            self._shelf.reloaded()
            self.prove(load)

    def tick(self) -> None:
        """Look after everything; once a second."""
        self._shelf.tick()
        self._proving.tick()
        self.dirty = True

    def at_end(self) -> bool:
        """Whether everything that lay in the topics has arrived."""
        return self._intake.at_end()

    def close(self) -> None:
        """Release everything."""
        self._intake.close()
        self._proving.close()
        self.redriving.close()
        self._records.close()
        self._store.close()

    # What is shown

    def set_filter(self, wanted: InboxFilter) -> None:
        """Show only some."""
        self._filter = wanted
        self._shelf.set_filter(wanted)

    def show_rows(self, fingerprint: str | None, first: int, count: int) -> None:
        """Have the window show these."""
        self._window = fingerprint, max(0, first), max(0, count)

    def read_topic(self, topic: str) -> None:
        """Read one more topic."""
        self._intake.add(topic)

    def value(self, number: int) -> InboxValue:
        """Return everything that is shown."""
        self.dirty, began_s = False, time.perf_counter()
        proof, node_proofs = self._shelf.proofs()
        value = InboxValue(
            number=number,
            topics=self._intake.reading(),
            groups=self._shelf.groups(),
            groups_total=len(self._shelf.fingerprints()),
            states=self._shelf.states(),
            kept=self._shelf.report(),
            filter=self._filter,
            window=self._shelf.window(*self._window),
            opened=self.opening.view(),
            proof=proof,
            node_proofs=node_proofs,
            proving=self._proving.active,
            plan=self.redriving.plan,
            redrive=self.redriving.progress,
            undoable=self._store.undoable,
            store_path=None if self._store.path is None else str(self._store.path),
            notices=self._notices.shown(),
            at_ms=time.time_ns() // 1_000_000,
        )
        made_in_ms = (time.perf_counter() - began_s) * 1000
        return msgspec.structs.replace(value, made_in_ms=round(made_in_ms, 3))

    # One envelope

    def open_envelope(self, identity: str | None) -> None:
        """Look at one envelope, or at none."""
        kept = None if identity is None else self._shelf.get(identity)
        if kept is None:
            self.opening.leave()
            if identity is not None:
                self._notices.tell(
                    f"{identity} is not among the envelopes that are kept", "warning"
                )
        elif kept.envelope.id in self._imported:
            self._imported[kept.envelope.id](kept)
        else:
            self.opening.open(kept, self.flow, self._records)

    def import_file(self, path: str) -> None:
        """Take an exported envelope into the inbox and open it."""
        found = self.files.read(path)
        if found is None:
            return
        envelope, record, source = found
        self._imported[envelope.id] = lambda kept: self.opening.open_imported(
            kept, self.flow, record, source
        )
        if self._shelf.get(envelope.id) is None:
            self._shelf.add([envelope])
        self.open_envelope(envelope.id)

    # Triage, proof, redrive

    def set_state(self, selection: Selection, state: TriageState) -> None:
        """Decide about envelopes by hand."""
        if state is TriageState.FIXED:
            self._notices.tell("only a proof says that an envelope is fixed", "warning")
            return
        told = self._decisions.set_state(selection, state, upto_of(self._intake.upto))
        self._notices.tell(told or "no envelope is selected", "information")

    def undo(self) -> None:
        """Take the last decision by hand back."""
        told = self._decisions.undo()
        self._notices.tell(f"undone: {told}" if told else "there is nothing to undo", "information")

    def prove(self, load: Load) -> None:
        """Run open envelopes through the code that was loaded last."""
        self._proof_revision = self.flow.revision
        self._shelf.begin_proof(self.flow.revision)
        about = tuple(each for each in self._shelf.kept() if each.decided.state in PROVABLE)
        if about:
            self._proving.begin(Proof(self.flow, load, about))
        else:
            self._proving.cancel()
            self._shelf.end_proof()

    def cancel_proof(self) -> None:
        """End the proof under way, and tell what is proved and what is not."""
        if not self._proving.active:
            self._notices.tell("no proof is under way", "information")
            return
        self._proving.stop()
        self._shelf.end_proof()
        proof, _ = self._shelf.proofs()
        if proof is not None:
            self._notices.tell(told_cancelled(proof), "information")

    def plan_redrive(self, selection: Selection, target: RedriveTarget) -> None:
        """Begin a dry run."""
        kept = self._decisions.selected(selection)
        whole = not selection.envelopes and selection.filter is None
        counted = whole and self._shelf.counted_only(selection.group) > 0
        self.redriving.prepare(
            self.flow,
            selection,
            target,
            Gathering(
                kept=() if counted else tuple((each.envelope, each.decided) for each in kept),
                scanned=tuple(each.topic for each in self._intake.reading()) if counted else (),
                group=selection.group,
                decided=self._store.decided,
                by_id=bool(selection.envelopes),
            ),
        )

    def start_redrive(
        self, load: Load, rate_per_s: float | None, typed_address: str | None
    ) -> None:
        """Do what the dry run shows."""
        refused = self.redriving.start(self.flow, load, rate_per_s, typed_address)
        if refused is not None:
            self._notices.tell(f"nothing is redriven: {refused}", "warning")

    # What comes

    def _arrived(self, envelopes: list[Envelope]) -> None:
        numbers = self._numbers
        self._shelf.add(
            [
                msgspec.structs.replace(each, revision=numbers[each.revision])
                if each.revision in numbers
                else each
                for each in envelopes
            ]
        )
        self._changed()

    def _know_revision(self, flow: InboxFlow) -> None:
        if flow.revision_name:
            self._numbers.setdefault(flow.revision_name, f"r{flow.revision}")

    def _judged(self, verdicts: Sequence[tuple[Kept, Verdict, str]]) -> None:
        self._decisions.judged(verdicts, self._proof_revision)
        self._changed()

    def _proved(self, problem: Diagnosis | None) -> None:
        self._shelf.end_proof()
        if problem is not None:
            self._notices.tell(f"the proof ended early: {problem.message}", "error")
        self._changed()

    def _redriven_all(self, planned: Planned) -> None:
        self._decisions.redriven_all(planned, upto_of(self._intake.upto))

    def _changed(self) -> None:
        self.dirty = True
