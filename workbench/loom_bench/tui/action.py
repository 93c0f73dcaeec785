"""What an action is: its name, its keys, and where it works."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from textual.binding import Binding, BindingType

_EVERYWHERE: Final = frozenset({"run", "feed", "open", "view", "bench"})
_PARTS: Final = frozenset({"view.focus", "view.focus_back"})


@dataclass(frozen=True)
class Action:
    """Something that a key does.

    Attributes:
        id: Stable name; what a keymap file calls it. The part before the dot tells where it works:
            ``run``, ``feed``, ``open``, ``view`` and ``bench`` everywhere, anything else in the
            widgets or on the screen of that name: ``list``, ``graph``, a full screen's id.
        keys: Keys, comma-separated, as Textual names them.
        title: Name in palette and help.
        help: What it does, one sentence.
        group: Heading in the help.
        short: Name in the footer; empty keeps it out of there.
        does: Textual action of the widget or screen, where it is not named like the id.
    """

    id: str
    keys: str
    title: str
    help: str
    group: str
    short: str = ""
    does: str = ""

    @property
    def where(self) -> str:
        """``app``, ``screen``, or the name of widgets or of a full screen."""
        if self.id in _PARTS:
            return "screen"  # every screen of Textual's binds Tab for itself
        place = self.id.partition(".")[0]
        return "app" if place in _EVERYWHERE else place


def bindings_of(actions: Iterable[Action]) -> list[BindingType]:
    """Return the bindings of *actions*: those that work everywhere are done by the application,
    the others by the widget or screen that has them."""
    return [
        Binding(action.keys, _deed(action), action.title, show=False, id=action.id)
        for action in actions
    ]


def _deed(action: Action) -> str:
    if action.does:
        return action.does
    if action.where in ("app", "screen"):
        return f"app.perform('{action.id}')"
    return action.id.partition(".")[2]
