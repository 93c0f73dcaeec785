"""What can be asked of the inbox of a live session, by a screen or by a script."""

from __future__ import annotations

from typing import Protocol

from loom_bench.session.envelopes.terms import (
    InboxFilter,
    RedriveTarget,
    Selection,
    TriageState,
)
from loom_bench.session.envelopes.value import InboxValue
from loom_runtime.tracing.shown import EditedMessage


class EnvelopeCommands(Protocol):
    """The inbox. Every method returns at once and may be called from any thread; what comes of it
    shows in the next value, and what is to be told once in its notices."""

    def value(self) -> InboxValue:
        """Return the newest value."""
        ...

    # What is shown

    def give_way(self) -> None:
        """Read no envelopes for a tenth of a second: somebody waits for the screen, which a flood
        of them makes slow."""
        ...

    def set_filter(self, wanted: InboxFilter) -> None:
        """Show only the envelopes that *wanted* lets through, and their groups."""
        ...

    def show_rows(self, fingerprint: str | None, first: int, count: int) -> None:
        """Have the window show *count* rows of a group from row *first*; ``None`` for the rows of
        all groups."""
        ...

    def read_topic(self, topic: str) -> None:
        """Read one more topic, such as another system's dead-letter topic, from its beginning."""
        ...

    # One envelope

    def open_envelope(self, envelope: str | None) -> None:
        """Look at one envelope: fetch the record that failed and trace it in the code that was
        loaded last. ``None`` looks at none."""
        ...

    def retry(self, value: bytes | None = None) -> None:
        """Trace the open envelope again, from the source, in the code that was loaded last.

        Args:
            value: What its record's value is replaced by for this trace; ``None`` leaves it.
        """
        ...

    def go_on_with(self, node: str, message: EditedMessage) -> None:
        """Trace the open envelope from *node* on, which takes *message* in place of what it took.

        Args:
            node: Id of the node.
            message: What it takes.
        """
        ...

    def write_test(self, path: str | None = None) -> None:
        """Write a pytest file of the open envelope: its record, the flow, and the error that it
        fails with, or the output when it passes in the code that was loaded last.

        Args:
            path: The file; ``None`` writes ``test_FLOW_NODE_….py`` beside the flow. A file that is
                there is never overwritten.
        """
        ...

    def export(self, path: str) -> None:
        """Write the open envelope to a file for a colleague: JSON when its name ends in ``.json``,
        MessagePack otherwise. A file that is there is never overwritten."""
        ...

    def import_file(self, path: str) -> None:
        """Take an exported envelope into the inbox and open it."""
        ...

    # Triage

    def set_state(self, selection: Selection, state: TriageState) -> None:
        """Set the triage state of envelopes: ``open``, ``ignored``, ``discarded`` or ``redriven``.

        ``fixed`` is refused: only a proof sets it. ``redriven`` by hand is for what was redriven
        by other means.
        """
        ...

    def undo(self) -> None:
        """Take back the last change of triage states; what a redrive wrote stays written."""
        ...

    def prove(self) -> None:
        """Run the open envelopes through the code that was loaded last, as every reload does."""
        ...

    def cancel_proof(self) -> None:
        """End the proof under way: what it found by now counts, the others are as they were before
        it. A notice tells how many."""
        ...

    # Redrive

    def plan_redrive(self, selection: Selection, target: RedriveTarget) -> None:
        """Find out what a redrive would do; it shows as ``plan``. Writes nothing."""
        ...

    def start_redrive(
        self, *, rate_per_s: float | None = None, typed_address: str | None = None
    ) -> None:
        """Do what ``plan`` shows.

        Args:
            rate_per_s: Records per second; ``None`` for as fast as it goes.
            typed_address: The broker's address as the user typed it; needed when ``plan.typed``.
        """
        ...

    def cancel_redrive(self) -> None:
        """End the redrive after the records that are on their way; or drop the plan."""
        ...
