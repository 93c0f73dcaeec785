"""Two revisions run from one epoch, and compared: outputs, errors, state, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widget import Widget

from loom_bench.session.snapshots.comparison_value import CompareRequest, Comparison
from loom_bench.session.snapshots.mapping import mapping_text, parse_mapping
from loom_bench.session.snapshots.replay_value import CURRENT, StopWhen
from loom_bench.session.snapshots.value import SnapshotsValue
from loom_bench.tui.actions import bindings
from loom_bench.tui.compare.differences import (
    DIFFERENCES,
    Difference,
    difference_lines,
    differences_of,
    rule_of,
)
from loom_bench.tui.compare.outcome_lines import OVER, outcome_lines
from loom_bench.tui.dialogs.text_dialog import TextDialog
from loom_bench.tui.figures import count_text
from loom_bench.tui.forks.fit_lines import code_text
from loom_bench.tui.ink import Ink, Line, plain
from loom_bench.tui.timeline.epochs import index_of
from loom_bench.tui.timeline.fork_names import parent_of
from loom_bench.tui.timeline.form_screen import DO, FormScreen
from loom_bench.tui.timeline.tabs import no_store_lines
from loom_bench.tui.widgets.choice_table import ChoiceRow
from loom_bench.tui.widgets.line_table import LineTable
from loom_bench.tui.widgets.lines import Lines
from loom_bench.tui.widgets.list_panel import ListPanel

_OUTCOME_ROWS: Final = 6


class CompareScreen(FormScreen):
    """Compares two revisions."""

    PLACE = "compare"
    BINDINGS: ClassVar[list[BindingType]] = bindings("compare")

    def __init__(self, keymap: Mapping[str, str]) -> None:
        super().__init__(keymap)
        self.epoch: int | None = None
        self.against = ""
        self.revision = CURRENT
        self.ignore: tuple[str, ...] = ()
        self.records: int | None = None
        self.mapping: dict[str, str] = {}
        self.dropped: tuple[str, ...] = ()
        self._unstable = False
        self._outcome = Lines(id="progress")
        self.differences: LineTable[Difference] = LineTable(DIFFERENCES, id="differences")
        self._drawn_from: tuple[Comparison | None, bool] = (None, False)
        self._rows: Sequence[Difference] = ()

    def compose_time(self) -> ComposeResult:
        """Yield choices, outcome and differences."""
        yield self.form
        yield self._outcome
        yield self.differences

    def on_mount(self) -> None:
        """Begin in the choices."""
        super().on_mount()
        self._outcome.styles.height = _OUTCOME_ROWS

    def parts(self) -> Sequence[Widget]:
        """Return choices and differences."""
        return (self.form, self.differences)

    def take_epoch(self, number: int) -> None:
        """Begin at the epoch *number*; on the left stands the code that wrote it."""
        self.epoch = number
        self.against = ""

    # Drawing

    def show_time(self, snapshots: SnapshotsValue, now_ms: int) -> None:
        """Draw the comparison."""
        whole = self.whole_epochs()
        if self.epoch is None and whole:
            self.epoch = whole[0].number
        if not self.against and snapshots.revisions:
            self.against = self._written_by(snapshots)
        self.show_form()
        comparison = snapshots.comparison
        self._outcome.show(outcome_lines(comparison))
        if (comparison, self._unstable) != self._drawn_from:
            self._drawn_from = (comparison, self._unstable)
            self._rows = differences_of(comparison, unstable=self._unstable)
        self.differences.show(self._rows, now_ms, tuple(self._instead(snapshots)))

    def _written_by(self, snapshots: SnapshotsValue) -> str:
        """Return the revision that wrote the epoch; the newest one where its source was not
        kept."""
        names = [each.name for each in snapshots.revisions]
        epochs = () if snapshots.timeline is None else snapshots.timeline.epochs
        wrote = epochs[index_of(epochs, self.epoch or 0)].revision if epochs else None
        return wrote if wrote in names else names[-1]

    def form_rows(self) -> Iterator[ChoiceRow]:
        """Yield the choices."""
        left, right = code_text(self.against or CURRENT), code_text(self.revision)
        yield ChoiceRow(DO, "compare", f"{right} against {left}")
        yield ChoiceRow("epoch", "from", "-" if self.epoch is None else f"epoch {self.epoch}")
        yield ChoiceRow("left", "left", left)
        yield ChoiceRow("right", "right", right)
        end = "where the original run stood"
        if self.records is not None:
            end = f"after {count_text(self.records)} records"
        yield ChoiceRow("stop", "ends", end)
        yield ChoiceRow("ignore", "leaves out", ", ".join(self.ignore) or "nothing")
        told = mapping_text(self.mapping, self.dropped)
        yield ChoiceRow("steps", "steps", told or "keep their names")

    def _instead(self, snapshots: SnapshotsValue) -> Iterator[Line]:
        comparison = snapshots.comparison
        if snapshots.timeline is None:
            yield from no_store_lines(snapshots)
        elif comparison is None:
            yield plain(" Nothing was compared yet.")
            yield (
                (" Both run on forks of the same epoch, the left one twice: what differs", Ink.DIM),
            )
            yield ((" by itself is set apart. The forks are deleted again.", Ink.DIM),)
        elif comparison.phase in OVER:
            what = "Nothing differs by itself." if self._unstable else "Nothing differs."
            yield plain(f" {what}")

    # Choosing

    def turn(self, key: str, step: int) -> None:
        """Change a choice."""
        if key == "epoch":
            whole = self.whole_epochs()
            if whole:
                at = index_of(whole, self.epoch or 0)
                self.epoch = whole[min(max(0, at + step), len(whole) - 1)].number
        elif key == "left":
            self.against = self.next_code(self.against, step)
        elif key == "right":
            self.revision = self.next_code(self.revision, step)
        elif key == "stop":
            self.records = 1_000 if self.records is None else None

    def enter(self, key: str) -> None:
        """Ask for what a choice needs."""
        if key == "epoch":
            told = "The epoch that both begin at"
            self.ask_number("from", told, self.epoch, lambda at: setattr(self, "epoch", at))
        elif key == "left":
            self.ask_code("left", lambda code: setattr(self, "against", code))
        elif key == "right":
            self.ask_code("right", lambda code: setattr(self, "revision", code))
        elif key == "stop":
            told = "How many records both read"
            self.ask_number(
                "ends", told, self.records, lambda count: setattr(self, "records", count)
            )
        elif key == "steps":
            told = "What becomes on the right of state whose step is gone there; OLD= drops it"
            begins = mapping_text(self.mapping, self.dropped)
            self.ask("steps", told, "OLD=NEW OLD=", begins, self._take_mapping, may_be_empty=True)
        else:
            self._ask_rules(" ".join(self.ignore))

    def _take_mapping(self, typed: str) -> None:
        try:
            self.mapping, self.dropped = parse_mapping(typed.split())
        except ValueError as error:
            self.bench.tell(f"{error} names no steps, as OLD=NEW or OLD= does.", "warning")

    def _ask_rules(self, begins_with: str) -> None:
        told = "path, topic:path or state:step:path, * for any part; blanks between rules"

        def take(typed: str) -> None:
            self.ignore = tuple(dict.fromkeys(typed.split()))

        self.ask("leave out", told, "RULE RULE", begins_with, take, may_be_empty=True)

    def start(self) -> None:
        """Compare."""
        comparison = self.snapshots.comparison
        if self.epoch is None:
            self.bench.tell("There is no whole epoch to begin at.", "warning")
        elif comparison is not None and comparison.phase not in OVER:
            self.bench.tell("A comparison runs: x calls it off.", "warning")
        else:
            self.desk.compare(
                CompareRequest(
                    epoch=self.epoch,
                    fork=parent_of(self.snapshots),
                    revision=self.revision,
                    against=self.against or CURRENT,
                    ignore=self.ignore,
                    stop=StopWhen(records=self.records),
                    mapping=self.mapping,
                    empty=self.dropped,
                )
            )

    # What came of it

    def action_ignore(self) -> None:
        """Add a rule that leaves out what differs here."""
        difference = self.differences.selected
        rules = [*self.ignore, *([rule_of(difference)] if difference is not None else [])]
        self._ask_rules(" ".join(rules))

    def action_all(self) -> None:
        """Leave out nothing."""
        self.ignore = ()
        self.show_form()

    def action_side(self) -> None:
        """Show what differs by itself, or what does not."""
        self._unstable = not self._unstable
        self.bench.draw()

    def action_stop(self) -> None:
        """Call the comparison off."""
        self.desk.cancel()

    @on(LineTable.Chosen)
    def _chosen(self, event: LineTable.Chosen) -> None:
        if isinstance(event.item, Difference):
            lines = tuple(difference_lines(event.item))
            self.bench.push_screen(TextDialog("a difference", lambda: lines))

    @on(LineTable.Asked)
    def _asked(self, event: LineTable.Asked) -> None:
        event.stop()
        difference = self.differences.selected
        if event.what == "clear":
            self.post_message(self.Left())
        elif event.what == "copy" and difference is not None:
            told = (difference.place, difference.left or "", difference.right or "")
            self.post_message(ListPanel.Copied(" ".join(told)))
