"""The full screens there are besides the main one, and how one is added.

A screen lives in a package of its own, ``tui/<id>/``, and is known by one id: ``timeline``, say.

1. ``tui/timeline/actions.py`` holds ``ACTIONS``: values of :class:`~loom_bench.tui.action.Action`
   whose ids begin with ``timeline.``; they work on that screen only, so they may take keys that
   mean something else elsewhere. It also holds the one action with which the screen is opened from
   everywhere, ``view.timeline``. :data:`loom_bench.tui.actions.ACTIONS` takes them in; footer,
   help, palette and the user's keymap follow.
2. ``tui/timeline/screen.py`` holds a :class:`~loom_bench.tui.full_screen.FullScreen` with
   ``PLACE = "timeline"``, ``BINDINGS = bindings("timeline")``, an ``action_...`` method for each
   own action, and a style sheet (``CSS_PATH``). It says what stands between status and keys and
   draws session values; it is drawn only while it is in front. Escape in its lists goes back.
3. :data:`SCREENS` below names it; :mod:`loom_bench.tui.performing` opens every screen named here.

What it shows is made of the shared widgets, through which all text from outside is made safe:
:class:`~loom_bench.tui.widgets.list_panel.ListPanel` over a
:class:`~loom_bench.tui.panels.spec.PanelSpec` (rows, summary, filter, details, place in the source,
empty state), :class:`~loom_bench.tui.widgets.lines.Lines` and ``ScrolledLines`` for lines of inked
text, :class:`~loom_bench.tui.widgets.painter.Painter` for a widget that paints by itself. No widget
of Textual's that takes a string shows outside text. What is drawn comes from pure functions of the
session's value; what needs the session goes through ``self.bench.session``. Dialogs are in
:mod:`loom_bench.tui.dialogs`.

Tests: ``tests/tui/test_pictures.py`` takes a picture of every screen named here in each state at
both sizes, ``tests/tui/test_hostile_text.py`` goes through all its parts, without a line to add;
keys that lead to its other states are added to ``PICTURED_KEYS`` there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from loom_bench.session.envelopes.value import InboxValue
from loom_bench.session.value import SessionValue
from loom_bench.tui.bisect.screen import BisectScreen
from loom_bench.tui.compare.screen import CompareScreen
from loom_bench.tui.forks.screen import ForksScreen
from loom_bench.tui.full_screen import FullScreen
from loom_bench.tui.inbox.proof import inbox_badge
from loom_bench.tui.inbox.screen import InboxScreen
from loom_bench.tui.ink import Run
from loom_bench.tui.replay.screen import ReplayScreen
from loom_bench.tui.stepping.envelope_screen import EnvelopeScreen
from loom_bench.tui.stepping.stop_screen import StopScreen
from loom_bench.tui.timeline.key_screen import KeyScreen
from loom_bench.tui.timeline.screen import TimelineScreen


def _no_badge(_: SessionValue, __: InboxValue) -> Run | None:
    return None


@dataclass(frozen=True)
class ScreenSpec:
    """A full screen.

    Attributes:
        id: Its name, its ``PLACE``, and the last part of the id of the action that opens it.
        title: What stands in the status line, beside the key that opens it.
        build: Makes it, from the user's own keys by action id.
        badge: What stands beside the title: a count, an alarm.
    """

    id: str
    title: str
    build: Callable[[Mapping[str, str]], FullScreen]
    badge: Callable[[SessionValue, InboxValue], Run | None] = _no_badge


SCREENS: Final[tuple[ScreenSpec, ...]] = (
    ScreenSpec("inbox", "inbox", InboxScreen, lambda _, inbox: inbox_badge(inbox)),
    ScreenSpec("envelope", "envelope", EnvelopeScreen),
    ScreenSpec("stop", "stop", StopScreen),
    ScreenSpec("timeline", "timeline", TimelineScreen),
    ScreenSpec("key", "key", KeyScreen),
    ScreenSpec("forks", "forks", ForksScreen),
    ScreenSpec("replay", "replay", ReplayScreen),
    ScreenSpec("compare", "compare", CompareScreen),
    ScreenSpec("bisect", "bisect", BisectScreen),
)
