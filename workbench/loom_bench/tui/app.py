"""The Textual application: asks its session for values, hands commands on, decides nothing."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any, ClassVar

from rich.console import Console
from textual import on
from textual.binding import BindingType
from textual.worker import Worker, WorkerState

from loom_bench.safe import safe
from loom_bench.session.commands import SessionCommands
from loom_bench.session.envelopes.value import InboxNotice
from loom_bench.session.value import Notice, SessionValue
from loom_bench.tui import asking
from loom_bench.tui.actions import bindings
from loom_bench.tui.availability import refusal
from loom_bench.tui.details import detail_lines, place_of
from loom_bench.tui.dialogs.help import help_lines
from loom_bench.tui.dialogs.redrawn import Redrawn
from loom_bench.tui.dialogs.text_dialog import TextDialog
from loom_bench.tui.editor import RunsEditor, run_editor
from loom_bench.tui.footer import MAIN
from loom_bench.tui.frame_pace import FRAMES_PER_S, FramePace
from loom_bench.tui.full_screen import FullScreen
from loom_bench.tui.ink import Ink, Line
from loom_bench.tui.keymap import Keymap, keymap_path, read_keymap
from loom_bench.tui.keys_in_turn import KeysInTurn
from loom_bench.tui.lending import lend_to_editor
from loom_bench.tui.main_screen import MainScreen
from loom_bench.tui.news import News
from loom_bench.tui.palette import ActionProvider
from loom_bench.tui.panels.spec import Place
from loom_bench.tui.performing import perform
from loom_bench.tui.screens import SCREENS, ScreenSpec
from loom_bench.tui.theme import DARK, LIGHT, THEMES
from loom_bench.tui.widgets.graph_view import GraphView
from loom_bench.tui.widgets.list_panel import ListPanel
from loom_bench.tui.widgets.plain_scroll_bar import use_plain_scroll_bars

_FIRST_LOOK_S = 0.02
_SWITCH_INTERVAL_S = 0.001
"""The screen's thread waits this long for each other thread that computes; Python's 5 ms show."""

_NOTICES_AT_ONCE = 3
_GREETING_S = 15.0
_MAX_NOTICE_CELLS = 400
_MAX_COPIED_CELLS = 100_000
"""Terminals drop clipboard texts that are much longer."""


class WorkbenchApp(KeysInTurn):
    """Draws a session.

    Args:
        session: The session; closed when the user quits.
        editor: Runs an editor's command in the foreground.
        environ: Where the editor and the keymap's folder are named.
        screens: The full screens besides the main one.
        greeting: What to tell first.
        on_shown: Called when the graph is on the screen.

    Attributes:
        session: The session.
        fed_before_per_s: Rate at which the feed goes on that was stopped.
        leaving: Whether the user quits as soon as the flow has ended.
        farewell: What to tell when the screen is gone.
    """

    CSS_PATH = "workbench.tcss"
    TITLE = "loom-bench"
    COMMANDS: ClassVar = {ActionProvider}
    BINDINGS: ClassVar[list[BindingType]] = bindings("app")
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "f20"  # the registry's own binding opens it

    def __init__(
        self,
        session: SessionCommands,
        *,
        editor: RunsEditor = run_editor,
        environ: Mapping[str, str] | None = None,
        screens: Sequence[ScreenSpec] = SCREENS,
        greeting: str = "",
        on_shown: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__()
        self.session: SessionCommands = session
        self.fed_before_per_s: float | None = 100.0
        self.leaving, self.farewell = False, ""
        self._greeting, self._on_shown, self._editor = greeting, on_shown, editor
        self._environ = dict(os.environ) if environ is None else environ
        self._keymap_path = keymap_path(self._environ, Path.home())
        self._keys: Keymap = read_keymap(self._keymap_path)
        self.main: MainScreen = MainScreen(self._keys.keys)
        self._specs = screens
        self._screens = {spec.id: spec.build(self._keys.keys) for spec in screens}
        self._news, self._inbox_news = News(), News()
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = DARK.name
        use_plain_scroll_bars()
        # Whoever runs this tells what went wrong, and where the details are.
        self.error_console = Console(file=StringIO())

    def on_mount(self) -> None:
        """Show the first value and begin to follow it."""
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        self.set_keymap(dict(self._keys.keys))
        self.push_screen(self.main)
        for screen_id, screen in self._screens.items():
            self.install_screen(screen, screen_id)
        self.call_after_refresh(self.draw)
        self.set_interval(1 / FRAMES_PER_S, FramePace(self.draw).look)
        self._first = self.set_interval(_FIRST_LOOK_S, self._draw_first)
        for problem in self._keys.problems:
            self.tell(problem, "warning")
        if self._greeting:
            self.tell(self._greeting, "warning", timeout_s=_GREETING_S)

    @property
    def failure(self) -> Exception | None:
        """What ended the application, where that was a fault of its own."""
        return self._exception

    # Drawing

    def draw(self) -> None:
        """Draw the newest value."""
        front = self.front
        if not front.is_mounted or not self.screen_stack:  # not there yet, or gone already
            return
        value = self.session.value()
        front.show(value, value.at_ms or round(time.time() * 1000))
        if isinstance(self.screen, Redrawn):
            self.screen.redraw()
        self._tell_news(value)
        if self.leaving and asking.has_ended(value):
            self.close_session()

    def _draw_first(self) -> None:
        """Draw the graph as soon as there is one."""
        if self.session.value().plan is not None and self.main.is_mounted:
            self._first.stop()
            self.draw()
            self.call_after_refresh(self._on_shown)

    def _tell_news(self, value: SessionValue) -> None:
        told: list[Notice | InboxNotice] = [
            *self._news.since(value.notices, _NOTICES_AT_ONCE),
            *self._inbox_news.since(self.session.envelopes.value().notices, _NOTICES_AT_ONCE),
        ]
        for notice in told:
            self.tell(notice.text, notice.severity)

    def tell(
        self, text: str, severity: str = "information", *, timeout_s: float | None = None
    ) -> None:
        """Show *text* for a few seconds; made safe here, and never read as markup."""
        known: Any = severity if severity in ("information", "warning", "error") else "information"
        shown = safe(text, max_cells=_MAX_NOTICE_CELLS)
        self.notify(shown, severity=known, markup=False, timeout=timeout_s)

    # Doing

    def action_perform(self, action_id: str) -> None:
        """Do an action of the registry, or tell why not."""
        why_not = refusal(action_id, self.session.value())
        if why_not is not None:
            self.tell(why_not, "warning")
            return
        perform(self, action_id)
        self.draw()

    @property
    def front(self) -> FullScreen:
        """The full screen in front, dialogs aside."""
        full = (screen for screen in reversed(self.screen_stack) if isinstance(screen, FullScreen))
        return next(full, self.main)

    def show_screen(self, screen_id: str) -> None:
        """Show the full screen with this id, or the main one."""
        wanted = self._screens.get(screen_id, self.main)
        front = self.front
        if wanted is front or self.screen is not front:  # a dialog has to be answered first
            return
        if wanted is self.main:
            self.pop_screen()
        elif front is self.main:
            self.push_screen(wanted)
        else:
            self.switch_screen(wanted)
        self.call_after_refresh(self.draw)

    def badges(self, value: SessionValue) -> Line:
        """Return what the other screens have to tell: their titles and badges."""
        inbox = self.session.envelopes.value()
        told = ((spec.title, spec.badge(value, inbox)) for spec in self._specs)
        return [run for title, badge in told if badge for run in ((f"{title} ", Ink.DIM), badge)]

    def show_help(self) -> None:
        """Show the keys."""
        keys, file = self._keys.keys, str(self._keymap_path)
        self.push_screen(TextDialog("help", lambda: tuple(help_lines(keys, file, self.size.width))))

    def change_theme(self) -> None:
        """Change between dark and light."""
        self.theme = LIGHT.name if self.theme == DARK.name else DARK.name

    def edit_selected(self) -> None:
        """Open what is selected in the editor."""
        place = self.front.selected_place()
        if place is None:
            self.tell("Nothing is known of where that is written.", "warning")
        else:
            self.edit(place)

    def edit(self, place: Place | None) -> bool:
        """Open *place* in the user's editor; tell whether that ended well."""
        return place is not None and lend_to_editor(self, self._editor, self._environ, place)

    # Leaving

    async def action_quit(self) -> None:
        """Drain and leave; Textual's own key for it comes here too."""
        asking.quit_drained(self)

    def close_session(self) -> None:
        """End everything that the session started, then leave."""
        self.leaving = False
        self.run_worker(
            self.session.close,
            name="close",
            group="leaving",
            description="closing the session",
            exclusive=True,
            exit_on_error=False,
            thread=True,
        )

    @on(Worker.StateChanged)
    def _worked(self, event: Worker.StateChanged) -> None:
        if event.worker.name != "close" or not event.worker.is_finished:
            return
        if event.state is WorkerState.ERROR:
            self.farewell = safe(f"Closing the session failed: {event.worker.error!r}")
            self.exit(return_code=1)
        else:
            self.exit()

    # What panels and dialogs answer

    @on(GraphView.Selected)
    def _selected(self, event: GraphView.Selected) -> None:
        plan = self.session.value().plan
        nodes = {node.id for node in plan.nodes} if plan is not None else set()
        self.session.watch_samples(event.box_id if event.box_id in nodes else None)

    @on(GraphView.Opened)
    def _opened_box(self, event: GraphView.Opened) -> None:
        place = place_of(self.session.value().plan, event.box_id)
        dialog = TextDialog(
            "selected",
            lambda: detail_lines(self.session.value(), event.box_id, whole=True),
            place,
        )
        self.push_screen(dialog, self._edit_answered)

    @on(ListPanel.Opened)
    def _opened(self, event: ListPanel.Opened) -> None:
        spec = event.panel.spec
        lines = spec.detail(event.item, self.session.value())
        node = spec.node(event.item)
        if node:
            self.main.graph.select(node)
        dialog = TextDialog(spec.title.lower(), lambda: lines, spec.place(event.item))
        self.push_screen(dialog, self._edit_answered)

    def _edit_answered(self, place: Place | None) -> None:
        self.edit(place)

    @on(ListPanel.Copied)
    def _copied(self, event: ListPanel.Copied) -> None:
        self.copy_to_clipboard(safe(event.text, max_cells=_MAX_COPIED_CELLS))
        self.tell("Copied.")

    @on(FullScreen.Wanted)
    def _wanted(self, event: FullScreen.Wanted) -> None:
        self.action_perform(event.action_id)

    @on(FullScreen.Left)
    def _left(self) -> None:
        self.show_screen(MAIN)
