"""The ``loom-bench`` command. This file must parse on any Python 3: it says which are supported."""

import sys

SUPPORTED = ((3, 11), (3, 12))


def main():  # type: ignore[no-untyped-def]
    """Run the command; the entry point."""
    if sys.version_info[:2] not in SUPPORTED:
        sys.stderr.write(unsupported(sys.version_info[:2], sys.executable))  # type: ignore[no-untyped-call]
        sys.exit(2)
    from loom_bench.cli.app import run_command  # noqa: PLC0415 - syntax of 3.11

    sys.exit(run_command())


def unsupported(version, executable):  # type: ignore[no-untyped-def]
    """Return what to tell a user of another Python version."""
    return (
        "loom-bench needs Python 3.11 or 3.12; this is %d.%d (%s).\n"  # noqa: UP031
        "Bytewax 0.21.1, its engine, has no wheels for other versions.\n"
        "Install it with one of them, for example: uv tool install --python 3.12 loom-bench\n"
        % (version[0], version[1], executable)
    )
