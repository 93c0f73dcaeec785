"""A full screen for tests of what all of them share: the commits, and a key of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widget import Widget

from loom_bench.session.envelopes.value import InboxValue
from loom_bench.session.value import SessionValue
from loom_bench.tui.action import Action, bindings_of
from loom_bench.tui.full_screen import FullScreen
from loom_bench.tui.ink import Ink, Run
from loom_bench.tui.panels.logs import LOGS
from loom_bench.tui.panels.offsets import COMMITS
from loom_bench.tui.screens import ScreenSpec
from loom_bench.tui.widgets.list_panel import ListPanel

COUNT = Action("example.count", "w", "Count", "Counts the key.", "Example", "count")


class ExampleScreen(FullScreen):
    """Lists commits and logs."""

    PLACE = "example"
    BINDINGS: ClassVar[list[BindingType]] = bindings_of([COUNT])

    def __init__(self, keymap: Mapping[str, str]) -> None:
        super().__init__(keymap)
        self.commits = ListPanel(COMMITS)
        self.logs = ListPanel(LOGS)
        self.counted = 0

    def compose_body(self) -> ComposeResult:
        yield self.commits
        yield self.logs

    def show_body(self, value: SessionValue, now_ms: int) -> None:
        self.commits.show(value, now_ms)
        self.logs.show(value, now_ms)

    def parts(self) -> Sequence[Widget]:
        return (self.commits.table, self.logs.table)

    def own_actions(self) -> Sequence[Action]:
        return (COUNT,)

    def action_count(self) -> None:
        self.counted += 1


def _badge(value: SessionValue, _: InboxValue) -> Run:
    return str(len(value.commits)), Ink.ACCENT


EXAMPLE = ScreenSpec("example", "commits", ExampleScreen, _badge)
OTHER = ScreenSpec("other", "other", ExampleScreen)
