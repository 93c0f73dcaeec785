"""What a full screen is: status above, keys below, and between them what it is for.

:mod:`loom_bench.tui.screens` tells how one is added.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.message import Message
from textual.screen import Screen
from textual.widget import Widget

from loom_bench.session.value import SessionValue
from loom_bench.tui.action import Action
from loom_bench.tui.actions import bindings
from loom_bench.tui.footer import footer_actions, footer_line
from loom_bench.tui.panels.spec import Place
from loom_bench.tui.status import status_lines
from loom_bench.tui.widgets.lines import Lines
from loom_bench.tui.widgets.list_panel import ListPanel

if TYPE_CHECKING:
    from loom_bench.tui.app import WorkbenchApp


class FullScreen(Screen[None]):
    """Draws session values while it is in front; what the user wants goes up as messages.

    Attributes:
        PLACE: Its id; its own actions have it before the dot of theirs.
        newest: The value that is shown.
        now_ms: Milliseconds since the Unix epoch that ages are told from.

    Args:
        keymap: The user's own keys by action id.
    """

    PLACE: ClassVar[str] = ""
    BINDINGS: ClassVar[list[BindingType]] = bindings("screen")

    class Wanted(Message):
        """An action that works everywhere was clicked in the line of keys."""

        def __init__(self, action_id: str) -> None:
            super().__init__()
            self.action_id = action_id

    class Left(Message):
        """The user is done with this screen."""

    def __init__(self, keymap: Mapping[str, str]) -> None:
        super().__init__()
        self._user_keys = keymap
        self._status_lines = Lines(id="status")
        self._keys_line = Lines(id="keys")
        self._meant: Sequence[Action | None] = ()
        self.newest: SessionValue | None = None
        self.now_ms = 0

    # What a screen must say

    @abstractmethod
    def compose_body(self) -> ComposeResult:
        """Yield what stands between status and keys."""

    @abstractmethod
    def show_body(self, value: SessionValue, now_ms: int) -> None:
        """Draw *value*: only what changed and is seen.

        Args:
            value: The newest value.
            now_ms: Milliseconds since the Unix epoch; ages are told from it.
        """

    @abstractmethod
    def parts(self) -> Sequence[Widget]:
        """Return what can have the focus, in the order of Tab; the first one has it at first."""

    # What it may say

    def own_actions(self) -> Sequence[Action]:
        """Return the actions that the registry lacks; a screen of the registry has none."""
        return ()

    def key_places(self) -> Sequence[str]:
        """Return whose keys are named below, the most fitting first."""
        return (self.PLACE, "list")

    def selected_place(self) -> Place | None:
        """Return file and line of what is selected, for the editor."""
        return None

    def zoom(self) -> None:
        """Give the focused part the whole screen, or give it back; nothing where there is one."""

    # What all have in common

    def compose(self) -> ComposeResult:
        """Yield status, body and keys."""
        yield self._status_lines
        yield from self.compose_body()
        yield self._keys_line

    def on_mount(self) -> None:
        """Begin in the first part."""
        self.parts()[0].focus()

    def on_screen_resume(self) -> None:
        """Be drawn before the next key is taken."""
        self.bench.draw()

    @property
    def bench(self) -> WorkbenchApp:
        """The application."""
        app: WorkbenchApp = self.app  # type: ignore[assignment]
        return app

    def show(self, value: SessionValue, now_ms: int) -> None:
        """Draw *value*."""
        self.newest, self.now_ms = value, now_ms
        self._status_lines.show(status_lines(value, self.bench.badges(value)))
        self.show_body(value, now_ms)
        self.show_keys()

    def show_keys(self) -> None:
        """Name the keys that fit what has the focus."""
        if self.newest is None:
            return
        actions = footer_actions(self.key_places(), self.newest, self.own_actions())
        width = self.size.width or 80
        line, self._meant = footer_line(actions, self._user_keys, self.newest, width)
        self._keys_line.show((line,))

    def focus_part(self, step: int) -> None:
        """Move the focus to the next part, or to the one before."""
        parts = self.parts()
        at = next((index for index, part in enumerate(parts) if part.has_focus), 0)
        self.go_to_part(parts[(at + step) % len(parts)])

    def go_to_part(self, part: Widget) -> None:
        """Give the focus to *part*."""
        part.focus()

    def on_resize(self, _: events.Resize) -> None:
        """Name as many keys as fit."""
        self.show_keys()

    def on_descendant_focus(self) -> None:
        """Name the keys of what has the focus."""
        self.show_keys()

    @on(ListPanel.Left)
    def _left(self, event: ListPanel.Left) -> None:
        event.stop()
        self.post_message(self.Left())

    @on(Lines.Pressed, "#keys")
    def _pressed(self, event: Lines.Pressed) -> None:
        event.stop()
        action = self._meant[event.run]
        if action is None:
            return
        if action.where in ("app", "screen"):
            self.post_message(self.Wanted(action.id))
        else:  # only what has the focus knows how; a key that a screen sends stops at the screen
            keys = self._user_keys.get(action.id, action.keys)
            self.app.call_later(self.app.simulate_key, keys.partition(",")[0])
