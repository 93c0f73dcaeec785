"""Options that several commands share."""

from __future__ import annotations

import click

config_option = click.option(
    "--config",
    "config_path",
    metavar="FILE",
    type=click.Path(),
    help="Configuration; without it FLOW.yaml beside FLOW.py, else defaults that just work.",
)

load_timeout_option = click.option(
    "--load-timeout",
    "load_timeout_s",
    metavar="SECONDS",
    type=click.FloatRange(min=0.1),
    default=20.0,
    show_default=True,
    help="Longest time that importing and compiling may take.",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")
