"""What the keys of the inbox do: decide about envelopes, prove them, redrive them, take more in."""

from __future__ import annotations

from loom_bench.session.envelopes.commands import EnvelopeCommands
from loom_bench.session.envelopes.terms import Selection, TriageState
from loom_bench.session.envelopes.value import EnvelopeRow, InboxGroup
from loom_bench.tui.dialogs.asking_line import LineDialog
from loom_bench.tui.full_screen import FullScreen
from loom_bench.tui.inbox.redrive_dialog import RedriveDialog
from loom_bench.tui.inbox.redrive_scopes import scopes_of
from loom_bench.tui.ink import plain
from loom_bench.tui.panels.errors import place_in
from loom_bench.tui.panels.spec import Place
from loom_bench.tui.widgets.line_table import LineTable
from loom_bench.tui.widgets.windowed_table import WindowedTable


class InboxActions(FullScreen):
    """The actions of the inbox that change something.

    Attributes:
        groups: The table of groups.
        rows: The table of the chosen group's envelopes.
    """

    groups: LineTable[InboxGroup]
    rows: WindowedTable[EnvelopeRow]

    @property
    def inbox(self) -> EnvelopeCommands:
        """The inbox of the session."""
        return self.bench.session.envelopes

    def _selection(self) -> Selection | None:
        """Return what a decision is about: the envelope, or the group, under the cursor."""
        if self.rows.has_focus:
            row = self.rows.selected
            return None if row is None else Selection(envelopes=(row.id,))
        group = self.groups.selected
        return None if group is None else Selection(group=group.fingerprint)

    def _decide(self, state: TriageState) -> None:
        selection = self._selection()
        if selection is None:
            self.bench.tell("There is nothing under the cursor.", "warning")
        else:
            self.inbox.set_state(selection, state)

    def action_ignore(self) -> None:
        """Mark it as ignored."""
        self._decide(TriageState.IGNORED)

    def action_discard(self) -> None:
        """Mark it as discarded."""
        self._decide(TriageState.DISCARDED)

    def action_reopen(self) -> None:
        """Mark it as open."""
        self._decide(TriageState.OPEN)

    def action_undo(self) -> None:
        """Take back the last decision."""
        if self.inbox.value().undoable:
            self.inbox.undo()
        else:
            self.bench.tell("There is no decision to take back.", "warning")

    def action_prove(self) -> None:
        """Run open envelopes through the newest code."""
        self.inbox.prove()

    def action_redrive(self) -> None:
        """Ask what is to be redriven, and where to."""
        row = self.rows.selected if self.rows.has_focus else None
        scopes = scopes_of(row, self.groups.selected, self.inbox.value())
        if scopes:
            self.bench.push_screen(RedriveDialog(self.inbox, scopes))
        else:
            self.bench.tell("There is nothing to redrive.", "warning")

    def selected_place(self) -> Place | None:
        """Return the line that fails."""
        group = self.groups.selected
        return None if group is None else place_in(group.traceback)

    def action_take_in(self) -> None:
        """Ask for an exported envelope."""
        told = (plain("An envelope that was exported with x, as .json or MessagePack."),)

        def answered(path: str | None) -> None:
            if path is not None:
                self.inbox.import_file(path)

        self.bench.push_screen(LineDialog("import an envelope", told, "FILE"), answered)

    def action_topic(self) -> None:
        """Ask for another dead-letter topic."""
        told = (
            plain("Any topic of this broker: of another flow of ours, of Kafka Connect,"),
            plain("Kafka Streams, Spring, loom-kernel. It is read from its beginning."),
        )

        def answered(topic: str | None) -> None:
            if topic is not None:
                self.inbox.read_topic(topic)

        self.bench.push_screen(LineDialog("read a dead-letter topic", told, "TOPIC"), answered)
