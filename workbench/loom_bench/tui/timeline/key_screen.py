"""One key: every value that it had, and the source records that made a value what it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widget import Widget

from loom_bench.session.snapshots.value import KeyHistory, SnapshotsValue, Touch, Why
from loom_bench.tui.actions import bindings
from loom_bench.tui.dialogs.asking_line import LineDialog
from loom_bench.tui.dialogs.choosing import ChoiceDialog
from loom_bench.tui.dialogs.text_dialog import TextDialog
from loom_bench.tui.figures import count_text, of_many
from loom_bench.tui.ink import Ink, Line, Run, plain
from loom_bench.tui.timeline.decode_choice import DECODE, DECODING
from loom_bench.tui.timeline.going import GoesToEpoch
from loom_bench.tui.timeline.key_tables import MOMENTS, TOUCHES, Moment, moments_of
from loom_bench.tui.timeline.spans import parse_span
from loom_bench.tui.timeline.state_table import row_lines
from loom_bench.tui.timeline.tabs import no_store_lines, trouble_lines
from loom_bench.tui.timeline.time_screen import TimeScreen
from loom_bench.tui.timeline.value_lines import touch_lines
from loom_bench.tui.widgets.line_table import LineTable
from loom_bench.tui.widgets.lines import Lines, ScrolledLines
from loom_bench.tui.widgets.list_panel import ListPanel
from loom_runtime.places import place_text_of


class KeyScreen(TimeScreen):
    """Shows the history of one key, and asks for the reasons of its values."""

    PLACE = "key"
    BINDINGS: ClassVar[list[BindingType]] = bindings("key")

    def __init__(self, keymap: Mapping[str, str]) -> None:
        super().__init__(keymap)
        self._summary = Lines(classes="summary")
        self.moments: LineTable[Moment] = LineTable(MOMENTS, id="moments")
        self._preview = ScrolledLines(classes="preview")
        self._preview.can_focus = False
        self._why = Lines(classes="summary")
        self.touches: LineTable[Touch] = LineTable(TOUCHES, id="touches")
        self._key: tuple[str, str] | None = None
        self._drawn_from: tuple[KeyHistory | None, object] = (None, None)
        self._moments: Sequence[Moment] = ()

    def compose_time(self) -> ComposeResult:
        """Yield the values, one of them whole, and the records behind it."""
        yield self._summary
        with Horizontal(classes="beside"):
            yield self.moments
            yield self._preview
        yield self._why
        yield self.touches

    def parts(self) -> Sequence[Widget]:
        """Return values and records."""
        return (self.moments, self.touches)

    def look_at(self, step_id: str, key: str) -> None:
        """Have the history of a key read, and show it."""
        self._key = (step_id, key)
        self.moments.hold(False)
        self.desk.show_key(step_id, key)

    # Drawing

    def show_time(self, snapshots: SnapshotsValue, now_ms: int) -> None:
        """Draw the key's history and why it has its value."""
        timeline, history = snapshots.timeline, snapshots.history
        epochs = () if timeline is None else timeline.epochs
        if history is not None and self._key is None:
            self._key = (history.step_id, history.key)
        if history is not None and (history.step_id, history.key) != self._key:
            history = None
        if (history, epochs) != self._drawn_from:
            self._drawn_from = (history, epochs)
            self._moments = () if history is None else moments_of(history, epochs)
        self._summary.show((self._told(history),))
        self.moments.show(self._moments, now_ms, tuple(self._instead(snapshots)))
        self._show_preview()
        why = snapshots.why
        if why is not None and (why.step_id, why.key) != self._key:
            why = None
        self._why.show((_why_line(why),))
        touches = () if why is None else why.touches
        self.touches.show(touches, now_ms, tuple(_no_touches(why, known=bool(self._moments))))

    def _told(self, history: KeyHistory | None) -> Line:
        if self._key is None:
            return ()
        runs: list[Run] = [(f" {self._key[0]}", Ink.DIM), (f"  {self._key[1]}", Ink.STRONG)]
        if history is not None:
            runs.append((f"  {of_many(len(history.rows), 'value')}", Ink.DIM))
        return runs

    def _instead(self, snapshots: SnapshotsValue) -> Iterator[Line]:
        if snapshots.timeline is None:
            yield from no_store_lines(snapshots)
        elif self._key is None:
            yield plain(" No key was looked at yet.")
            yield ((" f3", Ink.KEY), (" shows the state; enter there on a key", Ink.DIM))
        elif snapshots.history is None:
            yield ((" being read", Ink.DIM),)
        else:
            yield plain(" The store holds no value of this key.")

    def _show_preview(self) -> None:
        moment = self.moments.selected
        self._preview.show(tuple(row_lines(None if moment is None else moment.row)))

    @on(LineTable.Moved)
    def _moved(self, event: LineTable.Moved) -> None:
        event.stop()
        self._show_preview()

    # Why

    def action_why(self) -> None:
        """Find the records between the value before and the chosen one."""
        moment = self.moments.selected
        if moment is None:
            self.bench.tell("There is no value to explain.", "warning")
            return
        before = self._first_epoch() if moment.before is None else moment.before
        self._explain(before, moment.row.written_at_epoch)

    def action_why_between(self) -> None:
        """Ask for two epochs, and find the records between them."""
        moment = self.moments.selected
        if moment is None:
            self.bench.tell("There is no value to explain.", "warning")
            return
        told = (
            plain("Every epoch between the two that wrote the key is replayed, record by record."),
            (("The value is known at the first one; records after it are found.", Ink.DIM),),
        )

        def answered(typed: str | None) -> None:
            span = None if typed is None else parse_span(typed)
            if span is not None:
                self._explain(*span)
            elif typed is not None:
                self.bench.tell(f"{typed} is no pair of epochs, as 120-180 is one.", "warning")

        begins = f"{self._first_epoch()}-{moment.row.written_at_epoch}"
        self.bench.push_screen(LineDialog("why, between", told, "FROM-TO", begins), answered)

    def _first_epoch(self) -> int:
        timeline = self.snapshots.timeline
        whole = (each.number for each in (timeline.epochs if timeline else ()) if each.complete)
        return next(whole, 0)

    def _explain(self, from_epoch: int, to_epoch: int) -> None:
        if self._key is not None:
            self.desk.explain(*self._key, from_epoch, to_epoch)
            self.touches.focus()

    def action_cancel(self) -> None:
        """Call off the search for records."""
        self.desk.cancel()

    def action_decode(self) -> None:
        """Have another program's pickles decoded, once the user has said so again."""
        key = self._key
        if key is None or all(each.row.readable for each in self._moments):
            self.bench.tell("No value here is another program's pickle: all are shown whole.")
            return

        def answered(sure: str | None) -> None:
            if sure:
                self.desk.decode_key(*key)

        self.bench.push_screen(ChoiceDialog("decode", DECODING, DECODE, None), answered)

    # The lists

    @on(LineTable.Chosen)
    def _chosen(self, event: LineTable.Chosen) -> None:
        event.stop()
        if isinstance(event.item, Touch):
            lines = tuple(touch_lines(event.item))
            self.bench.push_screen(TextDialog("a record that touched it", lambda: lines))
            return
        screen = self.bench.get_screen("timeline")
        if isinstance(event.item, Moment) and isinstance(screen, GoesToEpoch):
            screen.go_to(event.item.row.written_at_epoch)
            self.bench.show_screen("timeline")

    @on(LineTable.Asked)
    def _asked(self, event: LineTable.Asked) -> None:
        event.stop()
        if event.what == "clear":
            self.bench.show_screen("timeline")
        elif event.what == "filter":
            self._ask_key()
        elif event.what == "copy" and (text := self._copied()):
            self.post_message(ListPanel.Copied(text))

    def _ask_key(self) -> None:
        steps = self.snapshots.timeline.steps if self.snapshots.timeline else ()
        step = self._key[0] if self._key else steps[0].step_id if steps else ""

        def answered(typed: str | None) -> None:
            if typed is not None:
                named = next((e.step_id for e in steps if typed.startswith(f"{e.step_id} ")), None)
                key = typed if named is None else typed.removeprefix(f"{named} ")
                self.look_at(named or step, key.strip())

        told = (plain(f"A key of {step}, or the name of another step and a key"),)
        self.bench.push_screen(LineDialog("a key", told, "KEY or STEP KEY"), answered)

    def _copied(self) -> str:
        touch, moment = self.touches.selected, self.moments.selected
        if self.touches.has_focus and touch is not None:
            return f"{place_text_of(touch.partition, touch.offset)} {touch.record}"
        return "" if moment is None else moment.row.text or ""


def _why_line(why: Why | None) -> Line:
    runs: list[Run] = [(" records that touched it", Ink.STRONG)]
    if why is None:
        return runs
    runs.append((f"  between epochs {why.from_epoch} and {why.to_epoch}", Ink.DIM))
    runs.append((f"  {count_text(len(why.touches))} found", Ink.PLAIN))
    runs.append((f" among {count_text(why.looked_at)} replayed", Ink.DIM))
    if why.running:
        runs += [("  searching  ", Ink.WARN), ("x", Ink.KEY), (" calls it off", Ink.DIM)]
    return runs


def _no_touches(why: Why | None, *, known: bool) -> Iterator[Line]:
    if why is None:
        if known:
            yield ((" w", Ink.KEY), (" finds the records that made the chosen value", Ink.DIM))
            yield ((" It replays a fork of the store, which is deleted again.", Ink.DIM),)
    elif why.problem is not None:
        yield from trouble_lines(why.problem)
    elif why.running:
        yield ((" a fork is being replayed, record by record", Ink.WARN),)
    else:
        yield plain(" No record touched the key between these epochs.")
