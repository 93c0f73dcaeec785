"""What a user sees when the bench itself fails: one line, and where the details are."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import traceback

import loom_bench
from loom_bench.safe import safe


def report_crash(error: BaseException) -> None:
    """Write the details of *error* to a file that only this user may read, and say so."""
    sys.stderr.write(
        f"loom-bench failed, and it is not your flow's fault: {type(error).__name__}: "
        f"{safe(str(error), max_cells=200)}\n"
    )
    try:
        path = _write_details(error)
    except OSError as problem:
        sys.stderr.write(f"The details could not be kept: {problem}\n")
        return
    sys.stderr.write(f"The details are in {path}; please add that file to a bug report.\n")


def _write_details(error: BaseException) -> str:
    descriptor, path = tempfile.mkstemp(prefix="loom-bench-", suffix=".log")
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(f"loom-bench {loom_bench.__version__}\n")
        file.write(f"Python {platform.python_version()} on {platform.platform()}\n\n")
        file.write("".join(traceback.format_exception(error)))
    return path
