"""The replay of a fork: chosen, begun, paused, stepped, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widget import Widget

from loom_bench.session.snapshots.replay_value import (
    BreakpointStop,
    CapturedOutput,
    Replay,
    ReplayPhase,
    StepUnit,
)
from loom_bench.session.snapshots.value import SnapshotsValue
from loom_bench.tui.actions import bindings
from loom_bench.tui.dialogs.confirming import TypedConfirmation
from loom_bench.tui.dialogs.text_dialog import TextDialog
from loom_bench.tui.ink import Ink, Line, plain
from loom_bench.tui.replay.breakpoint_stop import ask_breakpoint
from loom_bench.tui.replay.draft import ReplayDraft, Stop, next_pace, pace_text, parse_offsets
from loom_bench.tui.replay.outputs import OUTPUTS, output_lines
from loom_bench.tui.replay.progress_lines import OVER, partition_line, progress_lines
from loom_bench.tui.timeline.form_screen import FormScreen
from loom_bench.tui.timeline.tabs import no_store_lines
from loom_bench.tui.widgets.choice_table import ChoiceRow
from loom_bench.tui.widgets.line_table import LineTable
from loom_bench.tui.widgets.lines import Lines
from loom_bench.tui.widgets.list_panel import ListPanel

_PROGRESS_ROWS: Final = 6


class ReplayScreen(FormScreen):
    """Runs a fork again."""

    PLACE = "replay"
    BINDINGS: ClassVar[list[BindingType]] = bindings("replay")

    def __init__(self, keymap: Mapping[str, str]) -> None:
        super().__init__(keymap)
        self.draft = ReplayDraft()
        self._progress = Lines(id="progress")
        self._partitions = Lines(classes="summary")
        self.outputs: LineTable[CapturedOutput] = LineTable(OUTPUTS, id="outputs")

    def compose_time(self) -> ComposeResult:
        """Yield choices, progress and outputs."""
        yield self.form
        yield self._progress
        yield self._partitions
        yield self.outputs

    def on_mount(self) -> None:
        """Begin in the choices."""
        super().on_mount()
        self._progress.styles.height = _PROGRESS_ROWS

    def parts(self) -> Sequence[Widget]:
        """Return choices and outputs."""
        return (self.form, self.outputs)

    def take_fork(self, name: str) -> None:
        """Be about the fork *name*."""
        self.draft.fork = name

    # Drawing

    def show_time(self, snapshots: SnapshotsValue, now_ms: int) -> None:
        """Draw the replay."""
        names = [fork.name for fork in snapshots.forks]
        if self.draft.fork not in names:
            self.draft.fork = names[-1] if names else ""
        self.show_form()
        replay = snapshots.replay
        width = self.size.width or 80
        self._progress.show(progress_lines(replay, width, real_topics=self.draft.real_topics))
        self._partitions.show((partition_line(replay.partitions if replay else ()),))
        outputs = () if replay is None else replay.newest
        self.outputs.show(outputs, now_ms, tuple(_instead(snapshots)))

    def form_rows(self) -> Iterator[ChoiceRow]:
        """Yield the choices."""
        return self.draft.rows()

    # Choosing

    def turn(self, key: str, step: int) -> None:
        """Change a choice."""
        if key == "code":
            self.draft.revision = self.next_code(self.draft.revision, step)
        else:
            self.draft.turn(key, step, [fork.name for fork in self.snapshots.forks])

    def enter(self, key: str) -> None:
        """Ask for what a choice needs."""
        draft = self.draft
        if key == "code":
            self.ask_code("replay with", lambda code: setattr(draft, "revision", code))
        elif key == "stop" and draft.stop is Stop.RECORDS:
            told = "How many records are read"
            self.ask_number(
                "ends", told, draft.records, lambda count: setattr(draft, "records", count)
            )
        elif key == "stop" and draft.stop is Stop.EPOCH:
            told = "The epoch of the original at whose positions it ends"
            self.ask_number("ends", told, draft.epoch, lambda epoch: setattr(draft, "epoch", epoch))
        elif key == "stop" and draft.stop is Stop.OFFSETS:
            told = "Next offset of each partition at which it ends"
            self.ask("ends", told, "flights[0]@120 flights[1]@80", "", self._take_offsets)
        elif key == "stop" and draft.stop is Stop.BREAKPOINT:
            ask_breakpoint(self.bench, draft.breakpoint, self._take_breakpoint)
        else:
            self.turn(key, 1)

    def _take_breakpoint(self, stop: BreakpointStop) -> None:
        self.draft.breakpoint = stop
        self.show_form()

    def _take_offsets(self, typed: str) -> None:
        offsets = parse_offsets(typed)
        if offsets is None:
            self.bench.tell(f"{typed} names no offsets, as flights[0]@120 does.", "warning")
        else:
            self.draft.offsets = offsets

    def start(self) -> None:
        """Begin; what writes to topics needs the fork's name typed."""
        draft = self.draft
        if not draft.fork:
            self.bench.tell(
                "There is no fork: f3 shows the timeline, f there makes one.", "warning"
            )
            return
        if self._under_way is not None:
            self.bench.tell("A replay runs: x stops it first.", "warning")
            return
        if draft.stop is Stop.BREAKPOINT and draft.breakpoint is None:
            self.bench.tell("Say first before which node it ends: enter on `ends`.", "warning")
            return
        if not draft.real_topics:
            self.desk.replay(draft.request())
            return
        broker = self.newest.broker.bootstrap if self.newest is not None else ""
        warning: tuple[Line, ...] = (
            (("What the replay gives is written to the flow's own topics.", Ink.WARN),),
            plain(f"Broker {broker or 'as configured'}; it cannot be taken back."),
        )

        def answered(sure: bool | None) -> None:
            if sure:
                self.desk.replay(draft.request(draft.fork))

        self.bench.push_screen(TypedConfirmation("real topics", warning, draft.fork), answered)

    # Steering

    @property
    def _under_way(self) -> Replay | None:
        replay = self.snapshots.replay
        return None if replay is None or replay.phase in OVER else replay

    def action_pause(self) -> None:
        """Stop reading, or go on."""
        replay = self._under_way
        if replay is None:
            self.bench.tell("No replay runs.", "warning")
        elif replay.phase is ReplayPhase.PAUSED:
            self.desk.resume_replay()
        else:
            self.desk.pause_replay()

    def action_record(self) -> None:
        """Go on by a record."""
        self._step("record")

    def action_batch(self) -> None:
        """Go on by a batch."""
        self._step("batch")

    def action_epoch(self) -> None:
        """Go on by an epoch."""
        self._step("epoch")

    def _step(self, unit: StepUnit) -> None:
        replay = self._under_way
        if replay is None or replay.phase is not ReplayPhase.PAUSED:
            self.bench.tell("A step needs a paused replay: p pauses it.", "warning")
        else:
            self.desk.step_replay(unit)

    def action_back(self) -> None:
        """Fork one epoch earlier, and wait there."""
        replay = self.snapshots.replay
        if replay is None or not replay.can_step_back:
            self.bench.tell("There is no epoch to go back to.", "warning")
        else:
            self.desk.step_back()

    def action_faster(self) -> None:
        """Take the next pace."""
        self._change_pace(1)

    def action_slower(self) -> None:
        """Take the pace before."""
        self._change_pace(-1)

    def _change_pace(self, step: int) -> None:
        self.draft.pace = next_pace(self.draft.pace, step)
        if self._under_way is not None:
            self.desk.set_replay_pace(self.draft.pace)
        self.bench.tell(f"The replay goes {pace_text(self.draft.pace)}.")
        self.show_form()

    def action_stop(self) -> None:
        """End at the next epoch."""
        self.desk.stop_replay()

    # The outputs

    @on(LineTable.Chosen)
    def _chosen(self, event: LineTable.Chosen) -> None:
        if isinstance(event.item, CapturedOutput):
            lines = tuple(output_lines(event.item))
            self.bench.push_screen(TextDialog("an output", lambda: lines))

    @on(LineTable.Asked)
    def _asked(self, event: LineTable.Asked) -> None:
        event.stop()
        output = self.outputs.selected
        if event.what == "clear":
            self.post_message(self.Left())
        elif event.what == "copy" and output is not None:
            self.post_message(ListPanel.Copied(output.text))


def _instead(snapshots: SnapshotsValue) -> Iterator[Line]:
    if snapshots.timeline is None:
        yield from no_store_lines(snapshots)
    elif snapshots.replay is None:
        yield plain(" Nothing was replayed yet.")
        yield (
            (
                " A fork is run again up to where the original stood; what it gives shows here.",
                Ink.DIM,
            ),
        )
    elif snapshots.replay.phase is ReplayPhase.FAILED:
        yield plain(" It gave nothing before it failed.")
    elif snapshots.replay.phase is not ReplayPhase.ENDED:
        yield plain(" It gave nothing yet.")
    else:
        yield plain(" It gave nothing.")
        request = snapshots.replay.request
        if request.stop.breakpoint is not None and not request.record_by_record:
            told = " What its last batch would have given is left out: steps record by record end"
            yield ((told, Ink.DIM),)
            yield ((" just before the record.", Ink.DIM),)
