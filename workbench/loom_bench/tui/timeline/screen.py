"""The timeline: a store's epochs, and the state at the chosen one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widget import Widget

from loom_bench.session.snapshots.value import SnapshotsValue, StateRow, Timeline
from loom_bench.tui.actions import bindings
from loom_bench.tui.figures import bytes_text
from loom_bench.tui.ink import Ink, Line, Run, plain
from loom_bench.tui.timeline.epoch_actions import EpochActions
from loom_bench.tui.timeline.epochs import positions_text
from loom_bench.tui.timeline.folding import row_of
from loom_bench.tui.timeline.going import LooksAtKey
from loom_bench.tui.timeline.state_pane import StatePane
from loom_bench.tui.timeline.strip import EpochStrip
from loom_bench.tui.timeline.tabs import no_store_lines
from loom_bench.tui.widgets.line_table import LineTable
from loom_bench.tui.widgets.lines import Lines
from loom_bench.tui.widgets.list_panel import ListPanel

_ZOOMS: Final = ("zoom-epochs", "zoom-state")


class TimelineScreen(EpochActions):
    """Shows a store as a history, and hands on what is wanted of an epoch."""

    PLACE = "timeline"
    BINDINGS: ClassVar[list[BindingType]] = bindings("timeline")

    def __init__(self, keymap: Mapping[str, str]) -> None:
        super().__init__(keymap)
        self._summary = Lines(classes="summary")
        self._strip = EpochStrip(id="epoch-strip")
        self.state = StatePane(id="state")

    def compose_time(self) -> ComposeResult:
        """Yield the history as one line, the epochs, and the state."""
        yield self._summary
        yield self._strip
        with Vertical(id="lists"):
            yield self.epochs
            yield self.state

    def parts(self) -> Sequence[Widget]:
        """Return epochs and keys."""
        return (self.epochs, self.state.table)

    def zoom(self) -> None:
        """Give the list that has the focus all the room, or share it again."""
        if self._zoomed:
            self.remove_class(*_ZOOMS)
        else:
            self.add_class("zoom-state" if self.state.table.has_focus else "zoom-epochs")

    @property
    def _zoomed(self) -> bool:
        return any(self.has_class(name) for name in _ZOOMS)

    def go_to_part(self, part: Widget) -> None:
        """Give the focus to *part*; a zoom moves along."""
        if self._zoomed:
            self.remove_class(*_ZOOMS)
            self.add_class("zoom-epochs" if part is self.epochs else "zoom-state")
        super().go_to_part(part)

    # Drawing

    def show_time(self, snapshots: SnapshotsValue, now_ms: int) -> None:
        """Draw the timeline."""
        timeline = snapshots.timeline
        if timeline is not None and timeline.store != self._store:
            self._store = timeline.store
            self.epochs.hold(False)
        self._show_epochs(snapshots, now_ms)
        self._summary.show((() if timeline is None else _summary(timeline),))
        rows = self.epochs.items
        self.set_class(not rows, "bare")
        self._strip.show(rows, self.epochs.cursor, now_ms)
        self.state.show(snapshots, self.chosen, now_ms)

    def _show_epochs(self, snapshots: SnapshotsValue, now_ms: int) -> None:
        """Show the epochs; stay at the chosen one, or at the last before it: history is thinned
        meanwhile."""
        epochs = () if snapshots.timeline is None else snapshots.timeline.epochs
        rows = self._folds.rows(epochs)
        chosen, others = self.chosen, rows is not self.epochs.items
        self.epochs.show(rows, now_ms, tuple(self._instead(snapshots)))
        if others and rows and chosen is not None and self.epochs.held:
            index = row_of(rows, chosen.number)
            if index != self.epochs.cursor:
                self.epochs.go_to(index)

    def _instead(self, snapshots: SnapshotsValue) -> Sequence[Line]:
        if snapshots.timeline is None:
            return tuple(no_store_lines(snapshots))
        return (
            plain(" The store holds no epoch yet: the first is written when one is closed."),
            ((" Let the flow run; epochs show here by themselves.", Ink.DIM),),
        )

    @on(LineTable.Moved)
    def _moved(self) -> None:
        self.bench.draw()

    @on(EpochStrip.Pressed)
    def _pressed_strip(self, event: EpochStrip.Pressed) -> None:
        event.stop()
        self.epochs.go_to(event.index)

    # The state

    @on(StatePane.Wanted)
    def _wanted(self, event: StatePane.Wanted) -> None:
        event.stop()
        self.desk.show_state(event.query)

    def action_changed(self) -> None:
        """Show only what the epoch wrote, or all keys."""
        self.state.changed_only = not self.state.changed_only
        self.bench.draw()

    def action_next_step(self) -> None:
        """Show the state of the next step."""
        self._turn_step(1)

    def action_previous_step(self) -> None:
        """Show the state of the step before."""
        self._turn_step(-1)

    def _turn_step(self, by: int) -> None:
        self.state.turn_step(() if self.timeline is None else self.timeline.steps, by)
        self.bench.draw()

    @on(LineTable.Chosen)
    def _chosen_item(self, event: LineTable.Chosen) -> None:
        event.stop()
        if not isinstance(event.item, StateRow):
            self.go_to_part(self.state.table)
            return
        screen = self.bench.get_screen("key")
        if isinstance(screen, LooksAtKey):
            screen.look_at(event.item.step_id, event.item.key)
            self.bench.show_screen("key")

    @on(LineTable.Asked)
    def _asked(self, event: LineTable.Asked) -> None:
        event.stop()
        if event.what == "filter":
            self.state.enter_search()
        elif event.what == "copy":
            self._copy()
        elif self.state.searching:
            self.state.drop_search()
        elif self.state.table.has_focus:
            self.go_to_part(self.epochs)
        else:
            self.post_message(self.Left())

    def _copy(self) -> None:
        row, epoch = self.state.table.selected, self.chosen
        if self.state.table.has_focus and row is not None:
            self.post_message(ListPanel.Copied(f"{row.key} {row.text or ''}"))
        elif epoch is not None:
            self.post_message(ListPanel.Copied(f"{epoch.number} {positions_text(epoch.positions)}"))


def _summary(timeline: Timeline) -> Line:
    files = f"{timeline.partitions} file{'' if timeline.partitions == 1 else 's'}"
    runs: list[Run] = [
        (f" {timeline.flow or 'a foreign store'}", Ink.STRONG),
        (f"  {bytes_text(timeline.size_bytes)} in {files}", Ink.DIM),
        ("  being written" if timeline.in_use else "  at rest", Ink.DIM),
    ]
    if not timeline.ours:
        runs.append(("  another program's: structure only", Ink.WARN))
    if timeline.counted < 1:
        runs.append((f"  {timeline.counted:.0%} counted", Ink.WARN))
    runs += [
        (f"  next {timeline.resume_epoch}", Ink.DIM),
        (f"  {timeline.store}", Ink.DIM),
        (f"  keeps {timeline.kept}" if timeline.kept else "", Ink.DIM),
    ]
    return runs
