"""``loom-bench diff``: run two revisions from one epoch and say in what they differ."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from loom_bench.cli.app import EXIT_FAILED
from loom_bench.cli.snapshot_options import (
    broker_option,
    ignore_option,
    map_option,
    mapped,
    opened_ground,
    store_options,
    told_failures,
)

_SHOWN = 20


@click.command("diff")
@store_options
@click.option("--from", "epoch", metavar="EPOCH", type=int, required=True, help="Where both begin.")
@click.option(
    "--against",
    metavar="REVISION|PATH",
    required=True,
    help="What the code is compared with: a revision that the bench ran, or a module.",
)
@click.option(
    "--revision",
    metavar="REVISION|PATH",
    default="current",
    show_default=True,
    help="The code that is judged.",
)
@click.option("--records", metavar="N", type=click.IntRange(min=1), help="Compare N records only.")
@click.option(
    "--report",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the whole report there as JSON.",
)
@ignore_option
@map_option
@broker_option
def diff_command(**arguments: Any) -> None:
    """Compare two revisions of a flow on the records behind an epoch.

    Outputs go nowhere. The exit code is 0 when nothing differs, 1 when something does, 2 when it
    cannot be told. What differs between two runs of one revision is set apart.
    """
    with told_failures(as_json=arguments["as_json"]):
        from loom_bench.cli.output import print_json  # noqa: PLC0415 - wrong options stay quick
        from loom_bench.session.snapshots.comparing import Comparer  # noqa: PLC0415
        from loom_bench.session.snapshots.comparison_value import CompareRequest  # noqa: PLC0415
        from loom_bench.session.snapshots.replay_value import StopWhen  # noqa: PLC0415

        mapping, empty = mapped(arguments["mapping"])
        request = CompareRequest(
            epoch=arguments["epoch"],
            revision=arguments["revision"],
            against=arguments["against"],
            ignore=arguments["ignore"],
            stop=StopWhen(records=arguments["records"]),
            mapping=mapping,
            empty=empty,
        )
        with opened_ground(arguments) as ground:
            comparison = Comparer(ground, request, report=arguments["report"]).run()
        if arguments["as_json"]:
            print_json({"type": "comparison"}, comparison)
        else:
            _tell(comparison)
    sys.exit(0 if comparison.equal else EXIT_FAILED)


def _tell(comparison: Any) -> None:
    from loom_bench.safe import safe  # noqa: PLC0415
    from loom_runtime.places import place_text_of  # noqa: PLC0415

    for side, summary in (("left", comparison.left), ("right", comparison.right)):
        click.echo(
            f"{side:>5}: {summary.revision}, {summary.records:,} records, {summary.outputs:,} "
            f"outputs, {summary.errors:,} errors, {summary.keys:,} keys, {summary.elapsed_s:.1f} s"
        )
    for each in comparison.outputs[:_SHOWN]:
        place = f"{each.sink} of {place_text_of(each.partition, each.offset)}"
        what = f"{each.kind.value} {place}" + (" (unstable)" if each.unstable else "")
        click.echo(safe(f"output {what}: {each.left or '-'} → {each.right or '-'}", max_cells=200))
    for error in [each for each in comparison.errors if each.kind != "same"][:_SHOWN]:
        place = place_text_of(error.partition, error.offset)
        text = f"error {error.kind} at {place}: {error.left or error.right}"
        click.echo(safe(text, max_cells=200))
    for key in comparison.state[:_SHOWN]:
        for field in key.fields:
            text = f"state {key.step_id} {key.key} {field.path}: {field.left} → {field.right}"
            click.echo(safe(text + (" (unstable)" if key.unstable else ""), max_cells=200))
    verdict = "equal" if comparison.equal else "DIFFERENT"
    click.echo(
        f"{verdict}: {comparison.outputs_differing:,} outputs, {comparison.errors_new:,} new and "
        f"{comparison.errors_fixed:,} fixed errors, {comparison.state_differing:,} keys; "
        f"{comparison.outputs_unstable:,} outputs and {comparison.state_unstable:,} keys differ by "
        "themselves"
    )
