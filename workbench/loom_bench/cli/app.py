"""The command group: subcommands that load when called, and what happens when we fail."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Mapping, Sequence
from typing import Final

import click

import loom_bench

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_BUG: Final = 70
"""``EX_SOFTWARE`` of sysexits.h: the fault is ours, not the user's."""
EXIT_INTERRUPTED: Final = 130
"""128 and SIGINT's number, as shells report it."""

_COMMANDS: Mapping[str, str] = {
    "run": "loom_bench.cli.run",
    "check": "loom_bench.cli.check",
    "graph": "loom_bench.cli.graph",
    "errors": "loom_bench.cli.errors",
    "snapshots": "loom_bench.cli.snapshots",
    "diff": "loom_bench.cli.diff",
    "open": "loom_bench.cli.open",
}
"""Modules of the commands; ``open`` stands for no command at all."""

_HIDDEN = frozenset({"open"})


class LazyGroup(click.Group):
    """Imports a command's module when it is needed; ``loom-bench FLOW`` opens the flow."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names that help shows."""
        return [name for name in _COMMANDS if name not in _HIDDEN]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return a command by name."""
        module = _COMMANDS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = getattr(importlib.import_module(module), cmd_name + "_command")
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take arguments that begin with no command for those of ``open``."""
        if args and args[0] not in _COMMANDS and args[0] not in ("--help", "-h", "--version"):
            args = ["open", *args]
        return super().parse_args(ctx, args)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    options_metavar="",
    subcommand_metavar="[COMMAND] FLOW [OPTIONS]",
)
@click.version_option(loom_bench.__version__, message="loom-bench %(version)s")
def cli() -> None:
    """Run, check and draw streaming flows declared with loom_runtime.

    FLOW is the path of a Python file that declares a StreamFlow; FILE.py:NAME chooses one of
    several.
    """


def run_command(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code; never raises."""
    for stream in (sys.stdout, sys.stderr):
        # Names from outside may hold what the terminal's encoding does not.
        with contextlib.suppress(AttributeError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        cli.main(args=None if arguments is None else list(arguments), prog_name="loom-bench")
    except SystemExit as exit_request:
        return exit_request.code if isinstance(exit_request.code, int) else EXIT_FAILED
    except BrokenPipeError:
        # Whoever read our output has had enough; nor may Python's own flush at exit complain.
        sys.stdout = None
        return EXIT_FAILED
    except Exception as error:  # noqa: BLE001 - the last resort
        from loom_bench.cli.crash import report_crash  # noqa: PLC0415 - rarely needed

        report_crash(error)
        return EXIT_BUG
    return 0
