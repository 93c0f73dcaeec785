"""What each action of the registry does: a command of the session, or a change of the screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from loom_bench.session.value import Phase
from loom_bench.tui import asking
from loom_bench.tui.breakpoints import toggle_breakpoint
from loom_bench.tui.footer import MAIN
from loom_bench.tui.panels.pages import PAGES
from loom_bench.tui.screen_picture import save_picture
from loom_bench.tui.screens import SCREENS

if TYPE_CHECKING:
    from loom_bench.tui.app import WorkbenchApp

_FIRST_RATE_PER_S = 100.0
"""Where a feed begins that is started by hand."""


def perform(app: WorkbenchApp, action_id: str) -> None:
    """Do what the action with this id stands for."""
    _DEEDS[action_id](app)


def _pause(app: WorkbenchApp) -> None:
    if app.session.value().phase in (Phase.PAUSED, Phase.STOPPED, Phase.FAILED):
        app.session.resume()
    else:
        app.session.pause()


def _manual(app: WorkbenchApp) -> None:
    app.session.set_manual_reload(not app.session.value().manual_reload)


def _faster(app: WorkbenchApp) -> None:
    rate = app.session.value().feed.rate_per_s
    if rate is not None:
        app.session.set_feed_rate(rate * 2 if rate >= 1 else _FIRST_RATE_PER_S)


def _slower(app: WorkbenchApp) -> None:
    rate = app.session.value().feed.rate_per_s
    app.session.set_feed_rate(_FIRST_RATE_PER_S if rate is None else rate / 2 if rate > 1 else 0.0)


def _stop_feed(app: WorkbenchApp) -> None:
    feed = app.session.value().feed
    stopped = not feed.running or feed.rate_per_s == 0
    if not stopped:
        app.fed_before_per_s = feed.rate_per_s
    app.session.set_feed_rate(app.fed_before_per_s if stopped else 0.0)


def _pause_on_error(app: WorkbenchApp) -> None:
    app.session.tracing.set_pause_on_error(not app.session.value().tracing.pause_on_error)


def _cancel_proof(app: WorkbenchApp) -> None:
    inbox = app.session.envelopes
    if inbox.value().proving:
        inbox.cancel_proof()
    else:
        app.tell("No proof is under way; P in the inbox begins one.")


def _page(page_id: str) -> Callable[[WorkbenchApp], None]:
    def go(app: WorkbenchApp) -> None:
        app.show_screen(MAIN)
        app.main.pages.go_to(page_id)
        app.main.pages.focus_rows()

    return go


def _screen(screen_id: str) -> Callable[[WorkbenchApp], None]:
    return lambda app: app.show_screen(screen_id)


def _trouble(app: WorkbenchApp) -> None:
    app.show_screen(MAIN)
    if not app.main.graph.next_trouble():
        app.tell("No node fails, and none is slow.")


_DEEDS: Final[dict[str, Callable[[WorkbenchApp], object]]] = {
    "run.pause": _pause,
    "run.step": lambda app: app.session.step_batch(),
    "run.reload": lambda app: app.session.reload(),
    "run.manual": _manual,
    "run.pause_on_error": _pause_on_error,
    "run.breakpoint": lambda app: toggle_breakpoint(app, app.main.graph.selected),
    "run.cancel_proof": _cancel_proof,
    "run.decide": asking.decide,
    "run.drain": lambda app: app.session.drain(),
    "run.finish": lambda app: app.session.finish(),
    "run.restart": lambda app: app.session.restart(),
    "run.kill": lambda app: app.session.kill(),
    "feed.faster": _faster,
    "feed.slower": _slower,
    "feed.stop": _stop_feed,
    "feed.full": lambda app: app.session.set_feed_rate(None),
    "feed.record": asking.feed_record,
    "open.editor": lambda app: app.edit_selected(),
    "open.flow": asking.open_flow,
    "open.broker": asking.switch_broker,
    "open.writes": asking.allow_writes,
    **{f"view.{page.id}": _page(page.id) for page in PAGES},
    "view.next": lambda app: app.main.pages.go_by(1),
    "view.previous": lambda app: app.main.pages.go_by(-1),
    "view.main": lambda app: app.show_screen(MAIN),
    **{f"view.{screen.id}": _screen(screen.id) for screen in SCREENS},
    "view.focus": lambda app: app.front.focus_part(1),
    "view.focus_back": lambda app: app.front.focus_part(-1),
    "view.zoom": lambda app: app.front.zoom(),
    "view.trouble": _trouble,
    "view.drawing": lambda app: app.main.graph.change_drawing(),
    "view.theme": lambda app: app.change_theme(),
    "bench.help": lambda app: app.show_help(),
    "bench.palette": lambda app: app.action_command_palette(),
    "bench.snapshot": save_picture,
    "bench.quit": asking.quit_drained,
    "bench.quit_now": asking.quit_at_once,
}
