"""The stepping screen: a record on the table, its way through the nodes, one stop at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widget import Widget

from loom_bench.session.value import SessionValue
from loom_bench.tui.actions import bindings
from loom_bench.tui.breakpoints import toggle_breakpoint
from loom_bench.tui.details import place_of
from loom_bench.tui.ink import Line
from loom_bench.tui.panels.spec import Place
from loom_bench.tui.stepping.failure_lines import failure_place, stack_place
from loom_bench.tui.stepping.moving import OverStations
from loom_bench.tui.stepping.stations import ending, outputs_at
from loom_bench.tui.stepping.stop_lines import shown_failure, stop_lines
from loom_bench.tui.stepping.way import way_picture
from loom_runtime.tracing.trace import StopOutcome, Trace

_LOW_BELOW_ROWS = 30


class SteppingScreen(OverStations):
    """Draws one trace. Those who inherit say what the trace is of."""

    CSS_PATH = "stepping.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings("stepping")

    def compose_body(self) -> ComposeResult:
        """Yield which record it is, its way, and the chosen stop."""
        yield self._head
        yield self._way
        yield self._body

    def on_mount(self) -> None:
        """Leave the keys to the screen: it scrolls the stop by itself."""
        self._body.can_focus = False

    def parts(self) -> Sequence[Widget]:
        """Return the stop."""
        return (self._body,)

    def key_places(self) -> Sequence[str]:
        """Name its own keys, then those of all stepping."""
        return (self.PLACE, "stepping")

    def on_resize(self, event: events.Resize) -> None:
        """Stand closer where there are few rows."""
        self.set_class(event.size.height < _LOW_BELOW_ROWS, "low")
        super().on_resize(event)

    # What those who inherit say

    def trace_of(self, value: SessionValue) -> Trace | None:
        """Return the trace to show; ``None`` while there is none."""
        raise NotImplementedError

    def head_lines(self, value: SessionValue) -> Sequence[Line]:
        """Return the two lines above the way."""
        raise NotImplementedError

    def instead_lines(self, width: int) -> Iterable[Line]:
        """Return what stands in the stop's place while there is no trace."""
        raise NotImplementedError

    def end_lines(self) -> Iterable[Line]:
        """Return what stands below the stop where the way ends."""
        return ()

    # Drawing

    def show_body(self, value: SessionValue, now_ms: int) -> None:
        """Draw the newest trace."""
        del now_ms  # what happened in a trace does not age
        self._take(self.trace_of(value), value.plan)
        self._head.show(self.head_lines(value))
        marked = frozenset(each.node for each in value.tracing.breakpoints)
        width = self.size.width or 80
        picture = way_picture(self._stations, self._at, width, marked)
        self._way_meant = picture.meant
        self._way.show(picture.lines)
        inner = max(20, width - 4)
        drawn_for = (self._trace, self._at, self.look, inner)
        if self._trace is None or drawn_for != self._drawn_for:
            self._drawn_for = drawn_for
            self._body.show(tuple(self._lines(inner)))

    def _lines(self, width: int) -> Iterable[Line]:
        station = self.station
        if self._trace is None or station is None:
            yield from self.instead_lines(width)
            return
        outputs = outputs_at(station, self._trace, self._plan)
        yield from stop_lines(station, self.look, width, outputs)
        if self._at == ending(self._stations):
            yield from self.end_lines()

    # Moving

    # What works for every record

    def action_breakpoint(self) -> None:
        """Set or forget a breakpoint before the chosen node."""
        if self.station is not None:
            toggle_breakpoint(self.bench, self.station.node)

    def action_source(self) -> None:
        """Open the failing line, or the node's declaration, in the editor."""
        self.bench.edit_selected()

    def selected_place(self) -> Place | None:
        """Return the line that failed or hung, or where the node is declared."""
        station = self.station
        if station is None:
            return None
        failure = shown_failure(station.stop, self.look.taken) if station.stop else None
        place = None if failure is None else failure_place(failure)
        if station.stop is not None and station.stop.outcome is StopOutcome.CUT_OFF:
            place = stack_place(self._trace)
        return place or place_of(self._plan, station.node)
