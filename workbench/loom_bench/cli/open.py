"""``loom-bench FLOW``: open a flow on a screen; without a terminal, run it as ``run`` does."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import click

from loom_bench.cli.broker_options import docker_options
from loom_bench.cli.run import run_headless, run_options

FEED_RATE_PER_S: Final = 100.0
"""What a screen is fed at unless the user says so: eyes follow it, and the embedded broker, which
keeps everything in memory, lasts for hours."""


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
    _open(
        arguments["flow"],
        broker=arguments["broker"],
        docker=docker_options(arguments),
        config_path=arguments["config_path"],
        feed_rate_per_s=arguments["feed_rate_per_s"] or FEED_RATE_PER_S,
        manual_reload=manual_reload,
        load_time_limit_ms=round(arguments["load_timeout_s"] * 1000),
    )


def _open(target: str, **options: Any) -> None:
    # Textual and the Kafka client take a moment: --help and wrong options stay quick.
    from loom_bench.session.live.session import LiveSession  # noqa: PLC0415
    from loom_bench.tui.app import WorkbenchApp  # noqa: PLC0415

    with LiveSession.open(target, **options) as session:
        app = WorkbenchApp(session)
        with _ends_on_signals(app.exit):
            app.run()
        sys.exit(app.return_code or 0)


def _has_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()


@contextmanager
def _ends_on_signals(end: Callable[[], None]) -> Iterator[None]:
    """Leave the screen as it was when the terminal is closed or the process is asked to end."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda *_: end()) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
