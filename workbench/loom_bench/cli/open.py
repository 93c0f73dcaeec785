"""``loom-bench FLOW``: open a flow on a screen; without a terminal, run it as ``run`` does."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import click

from loom_bench.cli.app import EXIT_FAILED
from loom_bench.cli.broker_options import docker_options
from loom_bench.cli.collecting import collect_seldom, spare_what_is_there
from loom_bench.cli.run import OWN_BROKERS, run_headless, run_options
from loom_bench.safe import safe
from loom_bench.session.claim import others_on, told_of_others

FEED_RATE_PER_S: Final = 100.0
"""What a screen is fed at unless the user says so: eyes follow it, and the embedded broker, which
keeps everything in memory, lasts for hours."""

_SCREEN_ENDS_S: Final = 5.0
"""Longest time that a screen may take to end when the process is asked to."""


@click.command("open", hidden=True)
@run_options
@click.option("--manual-reload", is_flag=True, help="A save waits for a key before it is run.")
def open_command(*, manual_reload: bool, **arguments: Any) -> None:
    """Open a flow on a screen: see it run, edit it while it does."""
    limited = arguments["until_idle_s"] is not None or arguments["max_records"] is not None
    terminal = _has_terminal()
    if not terminal and not arguments["as_json"]:
        click.echo("No terminal: running as `loom-bench run` does.", err=True)
    if not terminal or limited or arguments["as_json"]:
        run_headless(arguments)
        return
    broker, look_only = _beside_others(
        arguments["flow"], arguments["broker"], arguments["docker_keep"]
    )
    _open(
        arguments["flow"],
        broker=broker,
        docker=docker_options(arguments),
        allow_writes_to=arguments["allow_writes_to"],
        config_path=arguments["config_path"],
        feed_rate_per_s=arguments["feed_rate_per_s"] or FEED_RATE_PER_S,
        manual_reload=manual_reload,
        look_only=look_only,
        load_time_limit_ms=round(arguments["load_timeout_s"] * 1000),
    )


def _open(target: str, **options: Any) -> None:
    collect_seldom()
    # This takes a moment: --help and wrong options stay quick.
    from loom_bench.session.live.session import LiveSession  # noqa: PLC0415

    greeting = safe(told_of_others(others_on(target)))
    with LiveSession.open(target, **options) as session:
        # The flow's host and the broker start beside it.
        from loom_bench.tui.app import WorkbenchApp  # noqa: PLC0415

        app = WorkbenchApp(session, greeting=greeting, on_shown=spare_what_is_there)
        with _ends_on_signals(app.exit, session.close):
            app.run()
    if app.failure is not None:
        raise app.failure
    if app.farewell:
        click.echo(app.farewell, err=True)
    sys.exit(app.return_code or 0)


def _beside_others(target: str, broker: str, kept: str | None) -> tuple[str, bool]:
    """Return the broker to use, and whether the flow is looked at only: another bench that has it
    open shares no broker with this one unless the user wants it."""
    others = others_on(target)
    shared = broker if broker not in OWN_BROKERS else f"docker, kept as {kept}" if kept else None
    if not others or shared is None:
        return broker, False
    looking = "" if kept else "  l  opens it to look at only: nothing runs, nothing is committed\n"
    click.echo(
        f"{safe(told_of_others(others))}\n"
        "On one broker both would read every record, write every output and commit the same "
        "offsets.\n"
        "  b  opens it beside the other, on an embedded broker with state of its own\n"
        f"{looking}"
        f"  a  opens it all the same on {safe(shared)}\n"
        "  q  leaves it"
    )
    answer = click.prompt(
        "Which", type=click.Choice([*"bl"[: 1 if kept else 2], "a", "q"]), default="q", err=True
    )
    if answer == "q":
        sys.exit(EXIT_FAILED)
    return "embedded" if answer == "b" else broker, answer == "l"


def _has_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()


@contextmanager
def _ends_on_signals(end: Callable[[], None], close: Callable[[], None]) -> Iterator[None]:
    """Leave the screen as it was when the terminal is closed or the process is asked to end.

    A terminal that is gone takes nothing more, and Textual waits for it without end: then *close*
    ends what was started, and the process ends without its screen.
    """
    ended = threading.Event()

    def end_without_screen(number: int) -> None:
        if not ended.wait(_SCREEN_ENDS_S):
            close()
            os._exit(128 + number)

    def handle(number: int, _: object) -> None:
        arguments = (number,)
        threading.Thread(target=end_without_screen, args=arguments, daemon=True).start()
        end()

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        ended.set()
        for number, handler in before.items():
            signal.signal(number, handler)
