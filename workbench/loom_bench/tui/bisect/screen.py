"""A search for the first epoch and record at which something holds no more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widget import Widget

from loom_bench.session.snapshots.bisection_value import BisectRequest
from loom_bench.session.snapshots.replay_value import CURRENT
from loom_bench.session.snapshots.value import SnapshotsValue
from loom_bench.tui.actions import bindings
from loom_bench.tui.bisect.search_lines import LOOKS, OVER, Look, looks_of, search_lines
from loom_bench.tui.forks.fit_lines import code_text
from loom_bench.tui.ink import Ink, Line, plain
from loom_bench.tui.timeline.epochs import index_of
from loom_bench.tui.timeline.form_screen import DO, FormScreen
from loom_bench.tui.timeline.going import GoesToEpoch
from loom_bench.tui.timeline.tabs import no_store_lines
from loom_bench.tui.widgets.choice_table import ChoiceRow
from loom_bench.tui.widgets.line_table import LineTable
from loom_bench.tui.widgets.lines import ScrolledLines

EXAMPLE: Final = "state['TrackCarrier'].get('UA', {}).get('late', 0) < 900"
"""An expression that is told at every epoch: a key may not be there yet at the oldest one."""


class BisectScreen(FormScreen):
    """Bisects a history."""

    PLACE = "bisect"
    BINDINGS: ClassVar[list[BindingType]] = bindings("bisect")

    def __init__(self, keymap: Mapping[str, str]) -> None:
        super().__init__(keymap)
        self.predicate = ""
        self.by_pytest = False
        self.good: int | None = None
        self.bad: int | None = None
        self.revision = CURRENT
        self._search = ScrolledLines(id="search")
        self.looks: LineTable[Look] = LineTable(LOOKS, id="probes")

    def compose_time(self) -> ComposeResult:
        """Yield choices, the search and its looks."""
        yield self.form
        yield self._search
        yield self.looks

    def parts(self) -> Sequence[Widget]:
        """Return choices, what was found, looks."""
        return (self.form, self._search, self.looks)

    def take_good(self, number: int) -> None:
        """Begin at the epoch *number*, at which all is well."""
        self.good = number

    def take_bad(self, number: int) -> None:
        """End at the epoch *number*, at which all is not well."""
        self.bad = number

    # Drawing

    def show_time(self, snapshots: SnapshotsValue, now_ms: int) -> None:
        """Draw the search."""
        self.show_form()
        self._search.show(search_lines(snapshots.bisection))
        self.looks.show(looks_of(snapshots.bisection), now_ms, tuple(_instead(snapshots)))

    def form_rows(self) -> Iterator[ChoiceRow]:
        """Yield the choices."""
        what = "where it holds no more" if self.predicate else "say first what is to hold"
        yield ChoiceRow(DO, "bisect", what)
        told = self.predicate or ("enter names a pytest" if self.by_pytest else "enter types it")
        yield ChoiceRow("holds", "pytest" if self.by_pytest else "expression", told)
        yield ChoiceRow("good", "good at", _epoch(self.good, "the oldest epoch"))
        yield ChoiceRow("bad", "bad at", _epoch(self.bad, "the newest epoch"))
        yield ChoiceRow("code", "code", code_text(self.revision))

    # Choosing

    def turn(self, key: str, step: int) -> None:
        """Change a choice."""
        if key == "holds":
            self.by_pytest = not self.by_pytest
        elif key == "good":
            self.good = self._beside(self.good, step, 0)
        elif key == "bad":
            self.bad = self._beside(self.bad, step, -1)
        elif key == "code":
            self.revision = self.next_code(self.revision, step)

    def _beside(self, number: int | None, step: int, default: int) -> int | None:
        whole = self.whole_epochs()
        if not whole:
            return number
        at = index_of(whole, number) if number is not None else range(len(whole))[default]
        return whole[min(max(0, at + step), len(whole) - 1)].number

    def enter(self, key: str) -> None:
        """Ask for what a choice needs."""
        if key == "holds" and self.by_pytest:
            told = "It passes while all is well; fixtures: loom_state, loom_outputs"
            self.ask("pytest", told, "FILE or FILE::TEST", self.predicate, self._take_predicate)
        elif key == "holds":
            told = "Holds while all is well: over state[step][key], outputs and records"
            self.ask("expression", told, EXAMPLE, self.predicate, self._take_predicate)
        elif key == "good":
            self.ask_number("good at", "An epoch at which it holds", self.good, self.take_good)
        elif key == "bad":
            self.ask_number("bad at", "An epoch at which it fails", self.bad, self.take_bad)
        else:
            self.ask_code("bisect with", lambda code: setattr(self, "revision", code))

    def _take_predicate(self, typed: str) -> None:
        self.predicate = typed

    def start(self) -> None:
        """Search."""
        bisection = self.snapshots.bisection
        if not self.predicate:
            self.bench.tell("Say first what holds while all is well: the next row.", "warning")
        elif bisection is not None and bisection.phase not in OVER:
            self.bench.tell("A bisection runs: x calls it off.", "warning")
        else:
            self.desk.bisect(
                BisectRequest(
                    expression="" if self.by_pytest else self.predicate,
                    pytest=self.predicate if self.by_pytest else "",
                    good_epoch=self.good,
                    bad_epoch=self.bad,
                    revision=self.revision,
                )
            )

    # What came of it

    def action_stop(self) -> None:
        """Call the search off."""
        self.desk.cancel()

    def action_found(self) -> None:
        """Go to the first bad epoch."""
        bisection = self.snapshots.bisection
        if bisection is None or bisection.found is None:
            self.bench.tell("Nothing was found yet.", "warning")
        else:
            self._go_to(bisection.found.epoch)

    def _go_to(self, number: int) -> None:
        screen = self.bench.get_screen("timeline")
        if isinstance(screen, GoesToEpoch):
            screen.go_to(number)
            self.bench.show_screen("timeline")

    @on(LineTable.Chosen)
    def _chosen(self, event: LineTable.Chosen) -> None:
        if isinstance(event.item, Look):
            self._go_to(event.item.probe.epoch)

    @on(LineTable.Asked)
    def _asked(self, event: LineTable.Asked) -> None:
        event.stop()
        if event.what == "clear":
            self.post_message(self.Left())


def _epoch(number: int | None, otherwise: str) -> str:
    return otherwise if number is None else f"epoch {number}"


def _instead(snapshots: SnapshotsValue) -> Iterator[Line]:
    if snapshots.timeline is None:
        yield from no_store_lines(snapshots)
    elif snapshots.bisection is None:
        yield plain(" Nothing was searched for yet.")
        yield ((" Snapshots are halved first, then records are replayed one by one.", Ink.DIM),)
        yield ((" f3: o and b on an epoch in the timeline say where it begins and ends.", Ink.DIM),)
    else:
        yield plain(" It has not looked yet.")
