"""What is done with the chosen epoch: it is gone to, forked, handed on to the other screens."""

from __future__ import annotations

from collections.abc import Mapping

from loom_bench.session.snapshots.value import EpochView, Timeline
from loom_bench.tui.dialogs.asking_line import LineDialog
from loom_bench.tui.ink import Ink, plain
from loom_bench.tui.timeline.epochs import EPOCHS, find_epoch
from loom_bench.tui.timeline.folding import Folds, row_of
from loom_bench.tui.timeline.fork_names import free_name, parent_of
from loom_bench.tui.timeline.going import BeginsAtEpoch, HalvesEpochs
from loom_bench.tui.timeline.quiet_run import QuietRun
from loom_bench.tui.timeline.time_screen import TimeScreen
from loom_bench.tui.widgets.line_table import LineTable


class EpochActions(TimeScreen):
    """A screen that lists epochs.

    Attributes:
        epochs: The list.
    """

    def __init__(self, keymap: Mapping[str, str]) -> None:
        super().__init__(keymap)
        self.epochs: LineTable[EpochView] = LineTable(EPOCHS, id="epochs")
        self._store = ""
        self._folds = Folds()

    @property
    def chosen(self) -> EpochView | None:
        """The epoch under the cursor."""
        return self.epochs.selected

    @property
    def timeline(self) -> Timeline | None:
        """The history that is shown."""
        return self.snapshots.timeline

    def go_to(self, number: int) -> None:
        """Choose the epoch *number*, or the last one before it; unfold the run that has it."""
        timeline = self.bench.session.value().snapshots.timeline
        if timeline is None or not timeline.epochs:
            return
        self._store = timeline.store  # it may not have been shown yet
        rows = self._folds.rows(timeline.epochs)
        row = rows[row_of(rows, number)]
        if isinstance(row, QuietRun) and number < row.number:
            self._folds.unfold(number)
            rows = self._folds.rows(timeline.epochs)
        self.epochs.show(rows, self.now_ms)
        self.epochs.go_to(row_of(rows, number))

    def action_unfold(self) -> None:
        """Tell epochs in which nothing changed one by one, or in one row again."""
        timeline, row = self.timeline, self.chosen
        if timeline is None or row is None or not self._folds.turn(timeline.epochs, row):
            self.bench.tell("Something changed in this epoch: there is nothing to unfold.")
        self.bench.draw()

    def action_mark(self) -> None:
        """Go to the next epoch at which something happened."""
        self._go_to_mark(1)

    def action_mark_before(self) -> None:
        """Go to the one before."""
        self._go_to_mark(-1)

    def _go_to_mark(self, step: int) -> None:
        epochs = self.epochs.items
        end = len(epochs) if step > 0 else -1
        for index in range(self.epochs.cursor + step, end, step):
            if epochs[index].marks:
                self.epochs.go_to(index)
                return
        which = "after" if step > 0 else "before"
        self.bench.tell(f"Nothing special happened {which} this epoch.")

    def action_find(self) -> None:
        """Ask for an epoch, and go there."""

        def answered(wanted: str | None) -> None:
            if wanted is None or self.timeline is None:
                return
            index = find_epoch(self.timeline.epochs, wanted)
            if index is None:
                self.bench.tell(f"There is no epoch {wanted}.", "warning")
            else:
                self.go_to(self.timeline.epochs[index].number)

        told = (plain("The number of an epoch, or a time of day: 12:30:05"),)
        self.bench.push_screen(LineDialog("go to", told, "EPOCH or HH:MM:SS"), answered)

    # With an epoch

    def action_fork(self) -> None:
        """Ask for a name, and fork the store at the chosen epoch."""
        epoch, snapshots = self._whole("forked"), self.snapshots
        if epoch is None:
            return
        parent = parent_of(snapshots)
        told = (
            plain(f"Copies {parent or 'the store'}, cut at epoch {epoch.number}."),
            (("Nothing is changed in what it is copied from.", Ink.DIM),),
        )

        def answered(name: str | None) -> None:
            if name is not None:
                self.desk.fork(epoch.number, parent=parent, name=name)

        taken = {fork.name for fork in snapshots.forks}
        dialog = LineDialog("fork", told, "NAME", free_name(taken, epoch.number))
        self.bench.push_screen(dialog, answered)

    def action_compare(self) -> None:
        """Compare two revisions from the chosen epoch."""
        epoch, screen = self._whole("compared from"), self.bench.get_screen("compare")
        if epoch is not None and isinstance(screen, BeginsAtEpoch):
            screen.take_epoch(epoch.number)
            self.bench.show_screen("compare")

    def action_good(self) -> None:
        """Have a bisection begin at the chosen epoch."""
        epoch, screen = self._whole("where a bisection begins"), self.bench.get_screen("bisect")
        if epoch is not None and isinstance(screen, HalvesEpochs):
            screen.take_good(epoch.number)
            self.bench.tell(f"A bisection begins at epoch {epoch.number}: f8 shows it.")

    def action_bad(self) -> None:
        """Have a bisection end at the chosen epoch."""
        epoch, screen = self._whole("where a bisection ends"), self.bench.get_screen("bisect")
        if epoch is not None and isinstance(screen, HalvesEpochs):
            screen.take_bad(epoch.number)
            self.bench.tell(f"A bisection ends at epoch {epoch.number}: f8 shows it.")

    def _whole(self, use: str) -> EpochView | None:
        """Return the chosen epoch; tell why it cannot be *use* where it is not whole."""
        epoch = self.chosen
        if epoch is not None and epoch.complete:
            return epoch
        why = "there is none" if epoch is None else epoch.why_not or "it is not whole"
        self.bench.tell(f"This epoch cannot be {use}: {why}.", "warning")
        return None

    def action_open(self) -> None:
        """Ask for the folder of a store, and open it."""
        self.ask_store()
