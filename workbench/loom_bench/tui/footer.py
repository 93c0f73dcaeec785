"""The line of keys at the bottom, and the line of tabs: pure functions to runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from loom_bench.session.value import Phase, SessionValue
from loom_bench.tui.action import Action
from loom_bench.tui.actions import ACTIONS, key_text
from loom_bench.tui.ink import Ink, Line, Run, width_of
from loom_bench.tui.panels.spec import PageSpec

MAIN = "main"
"""Place of the main screen: actions for looking round and opening fit there only."""


def footer_actions(
    places: Sequence[str], value: SessionValue, own: Sequence[Action] = ()
) -> Sequence[Action]:
    """Return the actions to name at the bottom.

    Args:
        places: Whose actions fit besides those that work everywhere, the most fitting first.
        value: The value that is shown.
        own: Actions that the registry lacks.
    """
    order = (*places, "app")
    shown = [
        action
        for action in (*own, *ACTIONS)
        if action.short and action.where in order and _fits(action, value, main=MAIN in places)
    ]
    return sorted(shown, key=lambda action: order.index(action.where))


def _fits(action: Action, value: SessionValue, *, main: bool) -> bool:
    if action.id == "view.main":
        return not main
    if not main and action.id.startswith(("view.", "open.")):
        return False
    if action.id == "run.step":
        return value.phase is Phase.PAUSED
    if action.id == "feed.faster":
        return value.feed.available
    if action.id == "view.trouble":
        return bool(value.errors_seen)
    return True


def footer_line(
    actions: Sequence[Action], keymap: Mapping[str, str], value: SessionValue, width: int
) -> tuple[Line, Sequence[Action | None]]:
    """Return the line, and the action that each of its runs stands for.

    What does not fit is left out, and so is an action whose key means another one before it; help
    and quit, the last ones, never are.
    """
    runs: list[Run] = [(" ", Ink.PLAIN)]
    meant: list[Action | None] = [None]
    last = actions[-2:]
    room = width - 1 - sum(width_of(_named(action, keymap, value)) for action in last)
    taken: set[str] = set()
    for action in actions:
        pair = _named(action, keymap, value)
        if action not in last:
            key = pair[0][0]
            if key in taken:
                continue
            taken.add(key)
            room -= width_of(pair)
            if room < 0:
                continue
        runs.extend(pair)
        meant.extend((action, action))
    return runs, meant


def _named(action: Action, keymap: Mapping[str, str], value: SessionValue) -> Line:
    keys = key_text(keymap.get(action.id, action.keys).split(",")[0])
    short = action.short
    if action.id == "run.pause" and value.phase in (Phase.PAUSED, Phase.STOPPED):
        short = "resume"
    return ((keys, Ink.KEY), (f" {short}  ", Ink.DIM))


def tab_line(
    pages: Sequence[PageSpec], active: str, value: SessionValue, width: int, *, focused: bool = True
) -> tuple[Line, Sequence[str]]:
    """Return the tabs, and the page that each run stands for.

    Badges go first where there is little room, then the ends of titles.
    """
    for badges, titles in ((True, True), (False, True), (False, False)):
        runs, meant = _tabs(pages, active, value, badges=badges, titles=titles)
        if not focused:
            runs = [(text, Ink.CURSOR_IDLE if ink is Ink.CURSOR else ink) for text, ink in runs]
        if width_of(runs) <= width:
            break
    return runs, meant


def _tabs(
    pages: Sequence[PageSpec], active: str, value: SessionValue, *, badges: bool, titles: bool
) -> tuple[list[Run], list[str]]:
    runs: list[Run] = []
    meant: list[str] = []
    for number, page in enumerate(pages, start=1):
        for run in _tab(
            number, page, value, active=page.id == active, badges=badges, titles=titles
        ):
            runs.append(run)
            meant.append(page.id)
    return runs, meant


def _tab(
    number: int, page: PageSpec, value: SessionValue, *, active: bool, badges: bool, titles: bool
) -> Iterator[Run]:
    badge = page.panels[0].badge(value)
    alarmed = badge is not None and badge[1] is Ink.BAD
    title = page.title if titles else page.short
    ink = Ink.CURSOR if active else Ink.BAD if alarmed and not badges else Ink.DIM
    yield (f" {number}", Ink.CURSOR if active else Ink.KEY)
    yield (f"{'x' if alarmed else ' '}{title}", ink)
    if badge is not None and badges:
        yield (f" {badge[0]}", Ink.CURSOR if active else badge[1])
    if active:
        yield (" ", Ink.CURSOR)
