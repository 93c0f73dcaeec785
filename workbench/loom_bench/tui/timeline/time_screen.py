"""What all screens over a recovery store have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from textual import events, on
from textual.app import ComposeResult

from loom_bench.session.snapshots.commands import SnapshotCommands
from loom_bench.session.snapshots.value import SnapshotsValue
from loom_bench.session.value import SessionValue
from loom_bench.tui.dialogs.asking_line import LineDialog
from loom_bench.tui.full_screen import FullScreen
from loom_bench.tui.ink import Ink, plain
from loom_bench.tui.timeline.tabs import tab_line, trouble_lines
from loom_bench.tui.widgets.lines import Lines

_OPEN_AGAIN_MS: Final = 2_000
"""How often a store is looked for while there is none: the flow may begin to keep one."""

_NARROW_BELOW_CELLS: Final = 130


class TimeScreen(FullScreen):
    """Opens the flow's store when there is none open, and shows what is asked of it."""

    CSS_PATH: ClassVar[str] = "../timeline/timeline.tcss"

    def __init__(self, keymap: Mapping[str, str]) -> None:
        super().__init__(keymap)
        self._tabs = Lines(id="time-tabs")
        self._tabs_meant: Sequence[str] = ()
        self._trouble = Lines(id="time-trouble")
        self._opened_at_ms: int | None = None

    @abstractmethod
    def compose_time(self) -> ComposeResult:
        """Yield what stands below the tabs."""

    @abstractmethod
    def show_time(self, snapshots: SnapshotsValue, now_ms: int) -> None:
        """Draw *snapshots*; *now_ms* is the time now, milliseconds since the Unix epoch."""

    @property
    def desk(self) -> SnapshotCommands:
        """What can be asked of the store."""
        return self.bench.session.snapshots

    @property
    def snapshots(self) -> SnapshotsValue:
        """What is shown of the store."""
        return self.newest.snapshots if self.newest is not None else SnapshotsValue()

    def compose_body(self) -> ComposeResult:
        """Yield the tabs, what went wrong, and the screen's own."""
        yield self._tabs
        yield self._trouble
        yield from self.compose_time()

    def show_body(self, value: SessionValue, now_ms: int) -> None:
        """Draw *value*; have a store opened when none is."""
        snapshots = value.snapshots
        waited = self._opened_at_ms is None or now_ms - self._opened_at_ms >= _OPEN_AGAIN_MS
        if snapshots.timeline is None and waited:
            self._opened_at_ms = now_ms
            self.desk.open()
        line, self._tabs_meant = tab_line(self.PLACE, self._user_keys, snapshots)
        self._tabs.show((line,))
        lines = trouble_lines(snapshots.problem) if snapshots.timeline is not None else ()
        self._trouble.display = bool(lines)
        if lines:
            self._trouble.styles.height = len(lines)
            self._trouble.show(lines)
        self.show_time(snapshots, now_ms)

    def ask_store(self) -> None:
        """Ask for the folder of a store, and open it."""
        told = (
            plain("The folder of a recovery store; it is read and never written."),
            (("Nothing typed: the one that the flow runs on.", Ink.DIM),),
        )

        def answered(folder: str | None) -> None:
            if folder is not None:
                self.desk.open(folder or None)

        dialog = LineDialog("open a store", told, "FOLDER", may_be_empty=True)
        self.bench.push_screen(dialog, answered)

    def on_resize(self, event: events.Resize) -> None:
        """Show previews where there is room."""
        self.set_class(event.size.width < _NARROW_BELOW_CELLS, "narrow")
        super().on_resize(event)

    @on(Lines.Pressed, "#time-tabs")
    def _tab_pressed(self, event: Lines.Pressed) -> None:
        event.stop()
        self.bench.show_screen(self._tabs_meant[event.run])
