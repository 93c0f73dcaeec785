"""Options that choose a broker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from loom_bench.broker.docker.options import DEFAULT_IMAGE, DockerOptions


def _same_as_broker(context: click.Context, _: click.Parameter, typed: str | None) -> str | None:
    chosen = context.params.get("broker")
    if typed is not None and typed != chosen:
        raise click.BadParameter(f"type the address of --broker, which is {chosen}.")
    return typed


broker_options = (
    click.option(
        "--broker",
        metavar="auto|docker|embedded|HOST:PORT",
        default="auto",
        show_default=True,
        envvar="LOOM_BENCH_BROKER",
        show_envvar=True,
        help="A broker of the bench's own, auto being docker where its engine answers and else "
        "embedded; or one that runs already: nothing is created or fed there unless allowed.",
    ),
    click.option(
        "--allow-writes-to",
        metavar="HOST:PORT",
        callback=_same_as_broker,
        help="Create missing topics and feed on a broker that the bench did not start: type its "
        "address once more.",
    ),
    click.option(
        "--docker-image",
        metavar="IMAGE",
        default=DEFAULT_IMAGE,
        show_default=True,
        envvar="LOOM_BENCH_DOCKER_IMAGE",
        show_envvar=True,
        help="Image of Apache Kafka or of Confluent's, 7.4 or newer.",
    ),
    click.option(
        "--docker-port",
        metavar="PORT",
        type=click.IntRange(1, 65_535),
        envvar="LOOM_BENCH_DOCKER_PORT",
        show_envvar=True,
        help="Loopback port of the Docker broker; a free one without.",
    ),
    click.option(
        "--docker-keep",
        metavar="NAME",
        envvar="LOOM_BENCH_DOCKER_KEEP",
        show_envvar=True,
        help="Keep the Docker broker's data between sessions, in the volume loom-bench-NAME.",
    ),
)
"""For commands that run a flow."""


def docker_options(arguments: Mapping[str, Any]) -> DockerOptions:
    """Return what the options say about Kafka in a container."""
    return DockerOptions(
        image=arguments["docker_image"],
        port=arguments["docker_port"],
        keep=arguments["docker_keep"],
    )
