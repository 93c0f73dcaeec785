"""``loom-bench graph``: draw a flow's compiled plan."""

from __future__ import annotations

import shutil
import sys

import click
import msgspec

from loom_bench.cli.app import EXIT_FAILED
from loom_bench.cli.diagnosis_text import diagnosis_lines
from loom_bench.cli.options import config_option, load_timeout_option
from loom_bench.protocol.frames import Load, Loaded
from loom_bench.session.asking import load_plan

_DEFAULT_COLUMNS = 120
"""Width of a drawing that does not go to a terminal."""


@click.command("graph")
@click.argument("flow", metavar="FLOW")
@click.option(
    "--format",
    "picture_format",
    type=click.Choice(["text", "mermaid", "dot", "json"]),
    default="text",
    show_default=True,
    help="Boxes and lines, a Mermaid flowchart, a Graphviz digraph, or the plan itself.",
)
@click.option(
    "--width",
    "width_cells",
    metavar="CELLS",
    type=click.IntRange(min=20),
    help="Width for --format text; without it the terminal's.",
)
@config_option
@load_timeout_option
def graph_command(
    flow: str,
    picture_format: str,
    width_cells: int | None,
    config_path: str | None,
    load_timeout_s: float,
) -> None:
    """Draw a flow's compiled plan; nothing runs."""
    answer = load_plan(
        Load(target=flow, config_path=config_path, time_limit_ms=round(load_timeout_s * 1000))
    )
    if not isinstance(answer, Loaded):
        for diagnosis in answer:
            for line in diagnosis_lines(diagnosis):
                click.echo(line, err=True)
        sys.exit(EXIT_FAILED)
    click.echo(_picture(answer, picture_format, width_cells).removesuffix("\n"))


def _picture(loaded: Loaded, picture_format: str, width_cells: int | None) -> str:
    # Each drawing is imported when it is asked for: the others cost time.
    if picture_format == "mermaid":
        from loom_bench.graph.mermaid import mermaid  # noqa: PLC0415

        return mermaid(loaded.plan)
    if picture_format == "dot":
        from loom_bench.graph.dot import dot  # noqa: PLC0415

        return dot(loaded.plan)
    if picture_format == "json":
        return msgspec.json.format(msgspec.json.encode(loaded.plan)).decode()
    from loom_bench.graph.drawing import draw  # noqa: PLC0415

    width = width_cells or shutil.get_terminal_size((_DEFAULT_COLUMNS, 24)).columns
    return "\n".join(draw(loaded.plan, max_width=width).lines)
