"""Options that the commands about error envelopes share, and the inbox that they are given."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import Any

import click

from loom_bench.cli.app import EXIT_FAILED
from loom_bench.cli.diagnosis_text import diagnosis_lines
from loom_bench.cli.options import config_option, json_option, load_timeout_option
from loom_bench.cli.output import print_json

_STATES = ("open", "fixed", "redriven", "ignored", "discarded")


_options = (
    click.argument("flow", metavar="FLOW"),
    click.option(
        "--broker",
        metavar="HOST:PORT",
        default="embedded",
        help="A broker that runs; an embedded one dies with its session, and its topics too.",
    ),
    click.option(
        "--topic",
        "topics",
        metavar="TOPIC",
        multiple=True,
        help="One more topic to read, such as another system's dead letters.",
    ),
    config_option,
    load_timeout_option,
    json_option,
)

_store_option = click.option(
    "--store",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Recovery store that keyed steps find their state in, as of its last epoch; it is only "
    "read. Without it the one that the bench or the configuration keeps for this flow.",
)


def on_a_broker(command: Callable[..., None], *, traced: bool = False) -> Callable[..., None]:
    """Give *command* an inbox, and end it with what goes wrong."""

    @wraps(command)
    def opened(
        *,
        flow: str,
        broker: str,
        config_path: str | None,
        load_timeout_s: float,
        as_json: bool,
        topics: tuple[str, ...],
        store: Path | None = None,
        **rest: Any,
    ) -> None:
        # The Kafka client is imported here, so that --help and wrong options stay quick.
        from loom_bench.session.envelopes.headless import (  # noqa: PLC0415
            HeadlessError,
            HeadlessInbox,
        )

        try:
            limit_ms = round(load_timeout_s * 1000)
            with HeadlessInbox(
                flow, broker, config_path, limit_ms, traced=traced, store=store
            ) as headless:
                for topic in topics:
                    headless.inbox.read_topic(topic)
                command(headless=headless, as_json=as_json, **rest)
        except HeadlessError as error:
            for diagnosis in error.diagnoses:
                if as_json:
                    print_json({"type": "issue"}, diagnosis)
                else:
                    for line in diagnosis_lines(diagnosis):
                        click.echo(line, err=True)
            sys.exit(EXIT_FAILED)

    decorators = [*_options, *([_store_option] if traced else [])]
    wrapped: Callable[..., None] = opened
    for decorator in reversed(decorators):
        wrapped = decorator(wrapped)
    return wrapped


with_traces = partial(on_a_broker, traced=True)
"""The same for a command that traces."""


def filtered(command: Callable[..., None]) -> Callable[..., None]:
    """Add options that choose envelopes by what is in them."""
    decorators = [
        click.option("--text", default="", help="What reason, exception, key or value must hold."),
        click.option("--key", default="", help="What the key must hold."),
        click.option("--node", default="", help="Name of the node that failed."),
        click.option("--from-offset", type=click.IntRange(min=0), help="Least source offset."),
        click.option("--to-offset", type=click.IntRange(min=0), help="Greatest source offset."),
        click.option(
            "--state", "states", multiple=True, type=click.Choice(_STATES), help="Triage state."
        ),
    ]
    for decorator in reversed(decorators):
        command = decorator(command)
    return command
