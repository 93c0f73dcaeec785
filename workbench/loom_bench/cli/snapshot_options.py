"""Options and endings that the commands about recovery stores share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loom_bench.cli.app import EXIT_INTERRUPTED, EXIT_USAGE
from loom_bench.cli.options import config_option, json_option, load_timeout_option

if TYPE_CHECKING:
    from loom_bench.session.snapshots.ground import Ground
    from loom_bench.session.snapshots.replay_value import StopWhen

flow_argument = click.argument("flow", metavar="FLOW")

store_option = click.option(
    "--store",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="The recovery store; without it the one that the flow is configured with.",
)

broker_option = click.option(
    "--broker",
    metavar="embedded|configured|HOST:PORT",
    default="embedded",
    show_default=True,
    help="Who has the source records: a broker of the bench's own, which is filled from "
    "bench_feed() first, those that the flow is configured with, or one that runs.",
)

ignore_option = click.option(
    "--ignore",
    metavar="RULE",
    multiple=True,
    help="Leave out a field: `path`, `topic:path` or `state:step:path`; * stands for any part.",
)

map_option = click.option(
    "--map",
    "mapping",
    metavar="OLD=NEW",
    multiple=True,
    help="Give the state of step OLD to step NEW; OLD= drops it.",
)


def store_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add what every command about a store takes."""
    options = (flow_argument, store_option, config_option, load_timeout_option, json_option)
    for decorator in reversed(options):
        command = decorator(command)
    return command


_stop_options = (
    click.option("--records", metavar="N", type=click.IntRange(min=1), help="End after N records."),
    click.option("--until-epoch", type=int, help="End where the original stood at this epoch."),
    click.option(
        "--until-offset",
        "offsets",
        metavar="TOPIC:PARTITION=OFFSET",
        multiple=True,
        help="End a partition before this offset; TOPIC[PARTITION]@OFFSET means the same.",
    ),
    click.option("--first-error", is_flag=True, help="End at the first record that fails."),
    click.option("--breakpoint", "node", metavar="NODE", help="End before NODE takes a record."),
    click.option(
        "--when",
        metavar="EXPRESSION",
        default="",
        help="Only a record that fits, as `payload.amount > 100`; with --breakpoint.",
    ),
)


def stop_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add when a replay ends."""
    for decorator in reversed(_stop_options):
        command = decorator(command)
    return command


def chosen_stop(arguments: Mapping[str, Any]) -> StopWhen:
    """Return when a replay ends, as the options choose."""
    from loom_bench.session.snapshots.replay_value import BreakpointStop, StopWhen  # noqa: PLC0415
    from loom_runtime.places import parse_offset  # noqa: PLC0415

    offsets = {}
    for rule in arguments["offsets"]:
        place = parse_offset(rule)
        if place is None:
            raise click.BadParameter(
                f"{rule!r} is not TOPIC:PARTITION=OFFSET", param_hint="--until-offset"
            )
        offsets[place[0]] = place[1]
    node, when = arguments["node"], arguments["when"]
    if when and not node:
        raise click.BadParameter("it needs --breakpoint NODE", param_hint="--when")
    return StopWhen(
        records=arguments["records"],
        epoch=arguments["until_epoch"],
        offsets=offsets,
        first_error=arguments["first_error"],
        breakpoint=None if node is None else BreakpointStop(node=node, condition=when),
    )


@contextmanager
def told_failures(*, as_json: bool) -> Iterator[None]:
    """Turn what can go wrong into lines and an exit code: 2, so that 1 is left for differences."""
    from loom_bench.broker.contract import BrokerError  # noqa: PLC0415 - the client takes a moment
    from loom_bench.cli.diagnosis_text import diagnosis_lines  # noqa: PLC0415
    from loom_bench.cli.output import print_json  # noqa: PLC0415
    from loom_bench.session.broker_side import broker_failure  # noqa: PLC0415
    from loom_bench.session.snapshots.reading import store_diagnosis  # noqa: PLC0415
    from loom_bench.session.snapshots.replay_run import ReplayFailedError  # noqa: PLC0415
    from loom_runtime.failures import RunError  # noqa: PLC0415

    try:
        yield
    except ReplayFailedError as error:
        diagnoses = error.diagnoses
    except (RunError, OSError) as error:
        diagnoses = (store_diagnosis(error),)
    except BrokerError as error:
        diagnoses = (broker_failure(error),)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    else:
        return
    for diagnosis in diagnoses:
        if as_json:
            print_json({"type": "problem"}, diagnosis)
        else:
            for line in diagnosis_lines(diagnosis):
                click.echo(line, err=True)
    sys.exit(EXIT_USAGE)


def chosen_store(arguments: Mapping[str, Any]) -> Path:
    """Return the folder of the store that the options choose; exits when there is none."""
    store: Path | None = arguments["store"]
    if store is None:
        from loom_bench.session.snapshots.grounds import configured_store  # noqa: PLC0415

        store = configured_store(
            arguments["flow"],
            arguments["config_path"],
            round(arguments["load_timeout_s"] * 1000),
        )
    if store is None:
        click.echo(
            "The flow is configured with no recovery store: name one with --store DIR, as "
            "`loom-bench run --store DIR` keeps it.",
            err=True,
        )
        sys.exit(EXIT_USAGE)
    return store.absolute()


@contextmanager
def opened_ground(arguments: Mapping[str, Any]) -> Iterator[Ground]:
    """Open where replays run, as the options choose."""
    from loom_bench.broker.choice import open_broker  # noqa: PLC0415 - the client takes a moment
    from loom_bench.session.snapshots.grounds import open_ground  # noqa: PLC0415

    choice = arguments["broker"]
    with open_ground(
        arguments["flow"],
        chosen_store(arguments),
        None if choice == "configured" else partial(open_broker, choice),
        config_path=arguments["config_path"],
        load_time_limit_ms=round(arguments["load_timeout_s"] * 1000),
    ) as ground:
        yield ground


def mapped(rules: tuple[str, ...]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the mapping and the dropped steps that ``--map`` gives."""
    from loom_bench.session.snapshots.mapping import parse_mapping  # noqa: PLC0415

    try:
        return parse_mapping(rules)
    except ValueError as error:
        raise click.BadParameter(f"{str(error)!r} is not OLD=NEW", param_hint="--map") from error
