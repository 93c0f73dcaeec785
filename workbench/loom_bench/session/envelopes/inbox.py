"""The inbox of error envelopes, as a session has it: commands from any thread, and a value."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from loom_bench.protocol.frames import LOAD_TIME_LIMIT_MS
from loom_bench.session.envelopes.flow_view import InboxFlow, load_of
from loom_bench.session.envelopes.inbox_thread import InboxThread, StorePath
from loom_bench.session.envelopes.terms import (
    InboxFilter,
    RedriveTarget,
    Selection,
    TriageState,
)
from loom_bench.session.envelopes.value import InboxValue
from loom_bench.session.tracing.value import TracingView
from loom_runtime.tracing.shown import EditedMessage

if TYPE_CHECKING:
    from loom_bench.session.envelopes.opening import Tracer


class Inbox:
    """Implements EnvelopeCommands.

    It begins with the first flow that runs; asked for anything before, it says so.

    Args:
        tracer: Traces records; ``None`` when nothing is to be traced.
        traces: Returns the session's traces.
        store_path: Where the triage states of a flow are kept; ``None`` in memory.
        time_limit_ms: Longest time that importing and compiling may take.
    """

    def __init__(
        self,
        tracer: Tracer | None,
        traces: Callable[[], TracingView],
        store_path: StorePath,
        *,
        time_limit_ms: int = LOAD_TIME_LIMIT_MS,
    ) -> None:
        self._time_limit_ms = time_limit_ms
        self._thread = InboxThread(tracer, traces, store_path, time_limit_ms)

    def value(self) -> InboxValue:
        """Return the newest value."""
        return self._thread.value

    def flow_runs(self, flow: InboxFlow) -> None:
        """Take in that a revision of a flow runs: its topics are read, its envelopes proved."""
        self._thread.flow_runs(flow)

    def leave_flow(self) -> None:
        """Forget the flow: its broker is gone, or another flow is opened."""
        self._thread.leave_flow()

    def close(self) -> None:
        """End everything that was started; returns when it has ended. May be called twice."""
        self._thread.close()

    def give_way(self) -> None:
        """Read no envelopes for a moment: somebody waits for the screen."""
        self._thread.way.ask()

    def set_filter(self, wanted: InboxFilter) -> None:
        """Show only the envelopes that *wanted* lets through, and their groups."""
        self._thread.ask(lambda desk: desk.set_filter(wanted))

    def show_rows(self, fingerprint: str | None, first: int, count: int) -> None:
        """Have the window show *count* rows of a group, or of all, from row *first*."""
        self._thread.ask(lambda desk: desk.show_rows(fingerprint, first, count))

    def read_topic(self, topic: str) -> None:
        """Read one more topic, from its beginning."""
        self._thread.ask(lambda desk: desk.read_topic(topic))

    def open_envelope(self, envelope: str | None) -> None:
        """Look at one envelope and trace it; ``None`` looks at none."""
        self._thread.ask(lambda desk: desk.open_envelope(envelope))

    def retry(self, value: bytes | None = None) -> None:
        """Trace the open envelope again, perhaps with another value."""
        self._thread.ask(lambda desk: desk.opening.retry(value))

    def go_on_with(self, node: str, message: EditedMessage) -> None:
        """Trace the open envelope from *node* on, which takes *message*."""
        self._thread.ask(lambda desk: desk.opening.go_on_with(node, message))

    def write_test(self, path: str | None = None) -> None:
        """Write a pytest file of the open envelope."""
        self._thread.ask(lambda desk: desk.files.write_test(desk.flow, path))

    def export(self, path: str) -> None:
        """Write the open envelope to a file."""
        self._thread.ask(lambda desk: desk.files.export(desk.flow, path))

    def import_file(self, path: str) -> None:
        """Take an exported envelope into the inbox and open it."""
        self._thread.ask(lambda desk: desk.import_file(path))

    def set_state(self, selection: Selection, state: TriageState) -> None:
        """Set the triage state of envelopes by hand."""
        self._thread.ask(lambda desk: desk.set_state(selection, state))

    def undo(self) -> None:
        """Take back the last change of triage states by hand."""
        self._thread.ask(lambda desk: desk.undo())

    def prove(self) -> None:
        """Run the open envelopes through the code on disk."""
        self._thread.ask(lambda desk: desk.prove(load_of(desk.flow, self._time_limit_ms)))

    def cancel_proof(self) -> None:
        """End the proof under way; what it found by now counts."""
        self._thread.ask(lambda desk: desk.cancel_proof())

    def plan_redrive(self, selection: Selection, target: RedriveTarget) -> None:
        """Find out what a redrive would do."""
        self._thread.ask(lambda desk: desk.plan_redrive(selection, target))

    def start_redrive(
        self, *, rate_per_s: float | None = None, typed_address: str | None = None
    ) -> None:
        """Do what the plan shows."""
        limit_ms = self._time_limit_ms
        self._thread.ask(
            lambda desk: desk.start_redrive(load_of(desk.flow, limit_ms), rate_per_s, typed_address)
        )

    def cancel_redrive(self) -> None:
        """End the redrive, or drop the plan."""
        self._thread.ask(lambda desk: desk.redriving.cancel())
