"""The stepping screen over the record that the live flow waits at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.binding import BindingType

from loom_bench.protocol.tracing import StopAction
from loom_bench.session.tracing.value import LiveStopView
from loom_bench.session.value import SessionValue
from loom_bench.tui.actions import bindings
from loom_bench.tui.edited_text import edited_text
from loom_bench.tui.ink import Ink, Line
from loom_bench.tui.stepping.editing import edited_message, text_to_edit
from loom_bench.tui.stepping.heads import stop_head
from loom_bench.tui.stepping.screen import SteppingScreen
from loom_runtime.tracing.shown import EditedMessage
from loom_runtime.tracing.trace import Trace


class StopScreen(SteppingScreen):
    """Shows the record, and says what is to become of it."""

    PLACE = "stop"
    BINDINGS: ClassVar[list[BindingType]] = bindings("stop")

    _shown: int | None = None
    _last: Trace | None = None

    def trace_of(self, value: SessionValue) -> Trace | None:
        """Return the record's way so far; the last one's once the flow goes on."""
        stop = value.tracing.stop
        self.set_class(stop is not None, "stopped")
        if stop is not None:
            if stop.stop.id != self._shown:
                self._shown, self._trace, self._follows = stop.stop.id, None, True
            self._last = stop.stop.trace
        return self._last

    def head_lines(self, value: SessionValue) -> Sequence[Line]:
        """Return where and why the flow waits, and the keys."""
        return stop_head(value.tracing.stop, self.now_ms, self.look.view)

    def instead_lines(self, width: int) -> Iterable[Line]:
        """Return what to do to have it stop."""
        del width  # nothing here is too long for any
        yield (("The flow has not stopped. ", Ink.PLAIN),)
        yield (("x", Ink.KEY), (" on the main screen stops it at the next error, ", Ink.DIM))
        yield (("B", Ink.KEY), (" there before the selected node.", Ink.DIM))

    def action_back(self) -> None:
        """Go back to the main screen."""
        self.post_message(self.Left())

    @property
    def _waiting(self) -> LiveStopView | None:
        stop = self.bench.session.value().tracing.stop
        if stop is None:
            self.bench.tell("The flow runs: there is no record to decide about.", "warning")
        return stop

    def _answer(self, action: StopAction, message: EditedMessage | None = None) -> None:
        stop = self._waiting
        if stop is not None:
            self.bench.session.tracing.answer_stop(stop.stop.id, action, message)
            self.bench.draw()

    def action_go_on(self) -> None:
        """Let the record go on."""
        self._answer(StopAction.GO_ON)

    def action_skip(self) -> None:
        """Drop the record."""
        self._answer(StopAction.SKIP)

    def action_dead_letter(self) -> None:
        """Have it become an envelope."""
        self._answer(StopAction.DEAD_LETTER)

    def action_again(self) -> None:
        """Have the node take it again."""
        self._answer(StopAction.RUN_AGAIN)

    def action_edit(self) -> None:
        """Change what the node takes, and let it go on."""
        stop = self._waiting
        if stop is None or not stop.stop.trace.stops:
            return
        taken = stop.stop.trace.stops[-1].takes
        if not taken:
            self.bench.tell("Nothing is known of what the node takes.", "warning")
            return
        try:
            text = edited_text(self.bench, text_to_edit(taken[0].value), "value")
            if text is not None:
                self._answer(StopAction.EDIT, edited_message(taken[0], text))
        except (OSError, ValueError) as failure:
            self.bench.tell(f"Nothing was changed: {failure}.", "error")
