"""``loom-bench run``: run a flow without a screen."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import click

from loom_bench.cli.app import EXIT_FAILED, EXIT_INTERRUPTED
from loom_bench.cli.broker_options import broker_options, docker_options
from loom_bench.cli.options import config_option, json_option, load_timeout_option
from loom_bench.safe import safe
from loom_bench.session.claim import others_on, told_of_others
from loom_bench.session.live.claiming import Claiming

_DRAIN_TIMEOUT_S = 60.0
"""Twice what the Kafka client gives a record to be delivered."""

OWN_BROKERS: Final = frozenset({"auto", "embedded", "docker"})
"""Choices of a broker that the bench starts for itself, and shares with nobody."""

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add what ``run`` and ``open`` take."""
    decorators = [
        click.argument("flow", metavar="FLOW"),
        config_option,
        *broker_options,
        click.option(
            "--until-idle",
            "until_idle_s",
            metavar="SECONDS",
            type=click.FloatRange(min=0, min_open=True),
            help="End when nothing was there to read for so long, the feed being at its end.",
        ),
        click.option(
            "--max-records",
            metavar="N",
            type=click.IntRange(min=1),
            help="End when so many records were read.",
        ),
        click.option(
            "--rate",
            "feed_rate_per_s",
            metavar="N",
            type=click.FloatRange(min=0, min_open=True),
            help="Records per second that bench_feed() is written at; as fast as it goes without.",
        ),
        click.option(
            "--store",
            metavar="DIR",
            type=click.Path(file_okay=False),
            help="Keep state and positions in this recovery store, and go on from it.",
        ),
        load_timeout_option,
        json_option,
    ]
    for decorator in reversed(decorators):
        command = decorator(command)
    return command


@click.command("run")
@run_options
@click.option(
    "--drain-timeout",
    "drain_timeout_s",
    metavar="SECONDS",
    type=click.FloatRange(min=0.1),
    default=_DRAIN_TIMEOUT_S,
    show_default=True,
    help="Longest time that a drain may take; past it the run is ended, its last epoch "
    "uncommitted.",
)
def run_command(**arguments: Any) -> None:
    """Run a flow, and feed it from its bench_feed() on a broker of the bench's own.

    Ctrl-C drains: what was read is written and committed, then the run ends. A second Ctrl-C ends
    it at once. The last line is the ledger: what became of every record.
    """
    run_headless(arguments)


def run_headless(arguments: Mapping[str, Any]) -> None:
    """Run a flow without a screen, as the options of ``run`` say, and exit."""
    # The Kafka client is imported here, so that --help and wrong options stay quick.
    from loom_bench.broker.choice import open_broker  # noqa: PLC0415
    from loom_bench.cli.run_report import json_report, text_report  # noqa: PLC0415
    from loom_bench.session.live.stores import sweep  # noqa: PLC0415
    from loom_bench.session.run import RunOptions, RunSession  # noqa: PLC0415

    sweep()  # after benches that were killed

    until_idle_s: float | None = arguments["until_idle_s"]
    store: str | None = arguments["store"]
    options = RunOptions(
        target=arguments["flow"],
        config_path=arguments["config_path"],
        broker=arguments["broker"],
        until_idle_ms=None if until_idle_s is None else max(1, round(until_idle_s * 1000)),
        max_records=arguments["max_records"],
        feed_rate_per_s=arguments["feed_rate_per_s"],
        load_time_limit_ms=round(arguments["load_timeout_s"] * 1000),
        drain_time_limit_ms=round(arguments.get("drain_timeout_s", _DRAIN_TIMEOUT_S) * 1000),
        store=None if store is None else os.path.abspath(store),  # noqa: PTH100 - links stay
    )
    opener = partial(
        open_broker,
        docker=docker_options(arguments),
        allow_writes_to=arguments["allow_writes_to"],
    )
    session = RunSession(options, opener, json_report if arguments["as_json"] else text_report)
    if options.broker not in OWN_BROKERS and (told := told_of_others(others_on(options.target))):
        click.echo(safe(told), err=True)
    claiming = Claiming()
    claiming.claim(options.target, options.broker)
    try:
        with _stop_on_signals(session.request_stop):
            outcome = session.run()
    finally:
        claiming.release()
    if outcome == "killed":
        sys.exit(EXIT_INTERRUPTED)
    sys.exit(0 if session.succeeded else EXIT_FAILED)


@contextmanager
def _stop_on_signals(request_stop: Callable[[], None]) -> Iterator[None]:
    """Turn the first signal into a drain and the second into an end at once.

    A signal that is ignored, as nohup has it, stays so.
    """
    before = {
        number: signal.signal(number, lambda *_: request_stop())
        for number in _STOP_SIGNALS
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
