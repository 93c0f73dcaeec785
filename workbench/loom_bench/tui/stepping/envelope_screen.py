"""The stepping screen over envelopes: walk them, change values, run again, test, redrive."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Final

from textual.binding import BindingType

from loom_bench.session.envelopes.commands import EnvelopeCommands
from loom_bench.session.envelopes.value import EnvelopeRow, InboxValue, OpenEnvelope
from loom_bench.session.tracing.value import TraceView
from loom_bench.session.value import SessionValue
from loom_bench.tui.actions import bindings
from loom_bench.tui.dialogs.asking_line import LineDialog
from loom_bench.tui.edited_text import edited_text
from loom_bench.tui.inbox.redrive_dialog import RedriveDialog
from loom_bench.tui.inbox.redrive_scopes import scopes_of
from loom_bench.tui.ink import Ink, Line, plain
from loom_bench.tui.stepping.editing import edited_message, text_to_edit
from loom_bench.tui.stepping.heads import envelope_head
from loom_bench.tui.stepping.screen import SteppingScreen
from loom_bench.tui.stepping.trace_lines import end_lines
from loom_bench.tui.stepping.untraced import raw_value, untraced_lines
from loom_runtime.tracing.shown import ShownValue
from loom_runtime.tracing.trace import Trace

_ROWS_AT_ONCE: Final = 60
_ROWS_BEFORE: Final = 20


class EnvelopeScreen(SteppingScreen):
    """Steps through the envelopes of a group.

    Args:
        keymap: The user's own keys by action id.
    """

    PLACE = "envelope"
    BINDINGS: ClassVar[list[BindingType]] = bindings("envelope")

    def __init__(self, keymap: Mapping[str, str]) -> None:
        super().__init__(keymap)
        self._fingerprint = ""
        self._envelope = ""
        self._index = 0
        self._pending: int | None = None

    @property
    def _inbox(self) -> EnvelopeCommands:
        return self.bench.session.envelopes

    def step_from(self, row: EnvelopeRow, index: int) -> None:
        """Have an envelope fetched and traced, and show it.

        Args:
            row: The envelope.
            index: Its number in its group, from 0.
        """
        self._fingerprint, self._pending = row.fingerprint, None
        self._open(row, index)

    def action_back(self) -> None:
        """Go back to the inbox; to the main screen when no envelope was looked at."""
        if self._envelope:
            self.bench.show_screen("inbox")
        else:
            self.post_message(self.Left())

    # Drawing

    def _opened(self, inbox: InboxValue) -> OpenEnvelope | None:
        opened = inbox.opened
        return opened if opened is not None and opened.row.id == self._envelope else None

    def _view(self, value: SessionValue) -> TraceView | None:
        opened = self._opened(self._inbox.value())
        number = None if opened is None else opened.trace
        return next((each for each in value.tracing.traces if each.number == number), None)

    def trace_of(self, value: SessionValue) -> Trace | None:
        """Return the newest trace of the envelope."""
        view = self._view(value)
        return view.trace if view is not None and view.trace.stops else None

    def head_lines(self, value: SessionValue) -> Sequence[Line]:
        """Return which envelope it is, and how it fares in the newest code."""
        inbox = self._inbox.value()
        if not self._envelope:
            return ((), ())
        return envelope_head(
            self._opened(inbox), self._view(value), inbox, self._index, self.look.view
        )

    def instead_lines(self, width: int) -> Iterable[Line]:
        """Return what is known of it without a trace."""
        opened = self._opened(self._inbox.value())
        if not self._envelope:
            yield plain("No envelope was looked at yet.")
            yield (("i", Ink.KEY), (" shows the inbox; enter there on one of them", Ink.DIM))
            return
        if opened is None:
            yield (("The record is being fetched.", Ink.WARN),)
            return
        view = self._view(self.bench.session.value())
        if view is not None:
            yield from end_lines(view)
            yield ()
        elif opened.trace is not None:
            yield (("Its trace is kept no more: r runs it again.", Ink.WARN),)
            yield ()
        yield from untraced_lines(opened, self.look.view, width)

    def end_lines(self) -> Iterable[Line]:
        """Return how the trace ended, and what the code printed."""
        view = self._view(self.bench.session.value())
        if view is not None and (lines := tuple(end_lines(view))):
            yield ()
            yield from lines

    def show_body(self, value: SessionValue, now_ms: int) -> None:
        """Draw the newest trace; go to the envelope that was asked for once it is at hand."""
        if self._pending is not None:
            self._go_to_row(self._pending)
        super().show_body(value, now_ms)

    # Between envelopes

    def action_down(self) -> None:
        """Go to the next envelope of the group."""
        self._go_by(1)

    def action_up(self) -> None:
        """Go to the one before."""
        self._go_by(-1)

    def _go_by(self, step: int) -> None:
        window = self._inbox.value().window
        # Rows move down as envelopes come in.
        for index, row in enumerate(window.rows, start=window.first):
            if row.id == self._envelope:
                self._index = index
        target = self._index + step
        if window.fingerprint == self._fingerprint and not 0 <= target < window.total:
            which = "newest" if step < 0 else "oldest"
            self.bench.tell(f"This is the {which} one of its group: ] and [ go to others.")
        else:
            self._go_to_row(target)

    def _go_to_row(self, index: int) -> None:
        window = self._inbox.value().window
        place = index - window.first
        if window.fingerprint == self._fingerprint and 0 <= place < len(window.rows):
            self._pending = None
            self._open(window.rows[place], index)
        elif index != self._pending:
            self._pending = index
            first = max(0, index - _ROWS_BEFORE)
            self._inbox.show_rows(self._fingerprint, first, _ROWS_AT_ONCE)

    def _open(self, row: EnvelopeRow, index: int) -> None:
        self._envelope, self._index = row.id, index
        self._follows = True
        self._inbox.open_envelope(row.id)

    def action_next_group(self) -> None:
        """Go to the newest envelope of the next group."""
        self._go_to_group(1)

    def action_previous_group(self) -> None:
        """Go to the newest envelope of the group before."""
        self._go_to_group(-1)

    def _go_to_group(self, step: int) -> None:
        known = [group.fingerprint for group in self._inbox.value().groups]
        if not known:
            return
        at = known.index(self._fingerprint) if self._fingerprint in known else -step
        self._fingerprint = known[(at + step) % len(known)]
        self._pending = None
        self._go_to_row(0)

    # With the envelope

    def action_again(self) -> None:
        """Run its record through the newest code."""
        self._follows = False
        self._inbox.retry()

    def action_edit(self) -> None:
        """Change what the chosen node takes, and go on from there."""
        node = None if self._trace is None or self._at == 0 else self.station
        taken = self.taken
        value = self._source_value() if node is None else None if taken is None else taken.value
        if value is None:
            self.bench.tell("Nothing is known of what it takes.", "warning")
            return
        try:
            before = text_to_edit(value)
            text = edited_text(self.bench, before, "value")
            if text is None or text.strip() == before.strip():
                self.bench.tell("The value is as it was: nothing was run.")
            elif node is None or taken is None:
                self._follows = True
                self._inbox.retry(text.encode())
            else:
                self._follows = False
                self._inbox.go_on_with(node.node, edited_message(taken, text))
        except (OSError, ValueError) as failure:
            self.bench.tell(f"Nothing was changed: {failure}.", "error")

    def _source_value(self) -> ShownValue | None:
        opened = self._opened(self._inbox.value())
        if opened is None or opened.source is None:
            return None if self.taken is None else self.taken.value
        return raw_value(opened.source.value)

    def action_test(self) -> None:
        """Write a pytest of it."""
        self._inbox.write_test()

    def action_export(self) -> None:
        """Ask where to, and write it to a file."""
        told = (plain("A file for a colleague: .json for JSON, any other name for MessagePack."),)

        def answered(path: str | None) -> None:
            if path is not None:
                self._inbox.export(path)

        place = re.sub(r"[^\w.-]+", "-", self._envelope).strip("-")
        dialog = LineDialog("export the envelope", told, "FILE", f"{place}.json")
        self.bench.push_screen(dialog, answered)

    def action_redrive(self) -> None:
        """Ask whether it is to be redriven, alone or with others."""
        inbox = self._inbox.value()
        opened = self._opened(inbox)
        group = next((each for each in inbox.groups if each.fingerprint == self._fingerprint), None)
        scopes = scopes_of(None if opened is None else opened.row, group, inbox)
        if scopes:
            self.bench.push_screen(RedriveDialog(self._inbox, scopes))
