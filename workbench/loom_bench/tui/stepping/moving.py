"""Moving over the stations of a trace: which one is chosen, and what is looked at there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from textual import on

from loom_bench.tui.full_screen import FullScreen
from loom_bench.tui.stepping.stations import Station, ending, outputs_at, stations_of
from loom_bench.tui.stepping.stop_lines import StopLook
from loom_bench.tui.widgets.lines import Lines, ScrolledLines
from loom_runtime.compiler.document_parts import PlanDocument
from loom_runtime.tracing.shown import TracedMessage
from loom_runtime.tracing.trace import Trace


class OverStations(FullScreen):
    """The keys that move over a trace.

    Attributes:
        look: What is looked at in the stop.
    """

    def __init__(self, keymap: Mapping[str, str]) -> None:
        super().__init__(keymap)
        self.look = StopLook()
        self._head = Lines(classes="head")
        self._way = Lines(classes="way")
        self._body = ScrolledLines(id="stop")
        self._way_meant: Sequence[Sequence[int | None]] = ((), ())
        self._trace: Trace | None = None
        self._plan: PlanDocument | None = None
        self._stations: Sequence[Station] = ()
        self._at = 0
        self._node = ""
        self._follows = True
        self._drawn_for: tuple[object, ...] = ()

    @property
    def station(self) -> Station | None:
        """The chosen station."""
        return self._stations[self._at] if self._at < len(self._stations) else None

    @property
    def taken(self) -> TracedMessage | None:
        """The message that is looked at of those that the chosen node took."""
        stop = self.station.stop if self.station is not None else None
        if stop is None or not stop.takes:
            return None
        return stop.takes[min(self.look.taken, len(stop.takes) - 1)]

    def _take(self, trace: Trace | None, plan: PlanDocument | None) -> None:
        """Take *trace* in; the chosen node stays, unless the end of the way is followed."""
        if trace is self._trace and plan is self._plan:
            return
        if self.station is not None:
            self._node = self.station.node
        self._trace, self._plan = trace, plan
        self._stations = () if trace is None else stations_of(trace, plan)
        end = ending(self._stations)
        nodes = [station.node for station in self._stations]
        kept = not self._follows and self._node in nodes
        self._at = nodes.index(self._node) if kept else end
        if self._follows:
            self._look_at_failure()

    def _look_at_failure(self) -> None:
        station = self.station
        failure = station.stop.failure if station is not None and station.stop else None
        taken = failure.taken if failure is not None and failure.taken is not None else 0
        self.look = StopLook(self.look.view, taken)

    def _go_to(self, index: int) -> None:
        last = len(self._stations) - 1
        self._at = min(max(0, index), max(0, last))
        self._follows = False
        self._look_at_failure()
        self._body.scroll_home(animate=False)
        self.bench.draw()

    def action_left(self) -> None:
        """Go to the node before."""
        self._go_to(self._at - 1)

    def action_right(self) -> None:
        """Go to the next node."""
        self._go_to(self._at + 1)

    def action_next(self) -> None:
        """Go to the next node that the record met."""
        self._go_to_met(range(self._at + 1, len(self._stations)))

    def action_previous(self) -> None:
        """Go to the last one that it met before."""
        self._go_to_met(range(self._at - 1, -1, -1))

    def _go_to_met(self, places: Iterable[int]) -> None:
        met = next((each for each in places if self._stations[each].stop is not None), None)
        if met is None:
            self.bench.tell("The record met no other node there.")
        else:
            self._go_to(met)

    def action_start(self) -> None:
        """Go to the source."""
        self._go_to(0)

    def action_end(self) -> None:
        """Go to where the way ends."""
        self._go_to(ending(self._stations))

    def action_page_down(self) -> None:
        """Scroll the stop down."""
        self._body.scroll_page_down(animate=False)

    def action_page_up(self) -> None:
        """Scroll it up."""
        self._body.scroll_page_up(animate=False)

    def action_view(self) -> None:
        """Show values in the next view."""
        self.look = replace(self.look, view=self.look.view.following)
        self.bench.draw()

    def action_taken(self) -> None:
        """Look at the next message that the node took."""
        stop = self.station.stop if self.station is not None else None
        if stop is not None and stop.takes:
            self.look = replace(self.look, taken=(self.look.taken + 1) % len(stop.takes))
            self.bench.draw()

    def action_given(self) -> None:
        """Look at the next message that the node gave, or that was written."""
        if self._trace is None or self.station is None or self.station.stop is None:
            return
        outputs = outputs_at(self.station, self._trace, self._plan)
        count = max(len(self.station.stop.gives), len(outputs))
        if count:
            self.look = replace(self.look, given=(self.look.given + 1) % count)
            self.bench.draw()

    @on(Lines.Pressed, ".way")
    def _way_pressed(self, event: Lines.Pressed) -> None:
        event.stop()
        index = self._way_meant[event.row][event.run]
        if index is not None:
            self._go_to(index)
