"""``python -m benchmarks.startup``: from the command to the graph, and to the first record.

``loom-bench FLOW`` on a pseudo-terminal of 120x36 cells, its broker the embedded one, alternates
with a bare import of the two libraries that nothing can do without. The clock starts before the
process is made. It stops for the graph when the source and the first node stand on the screen, as
a terminal emulator sees it; for the first record when the flow's first step has one in hand
(``first``), and when the screen tells so (``shown``): the figures of the graph say that the source
was read.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.child import ROOT, RunFailedError
from benchmarks.report import Bar, Report, progress, spread
from benchmarks.terminal import Terminal

IMPORTS: Final = "import textual.app, bytewax.dataflow"
GRAPH_LIMIT_MS: Final = 1_000
RECORD_LIMIT_MS: Final = 2_500

_TIMEOUT_S: Final = 30.0
_FLOW: Final = ROOT / "sample_flows" / "orders.py"
_GRAPH: Final = ("orders", "CheckOrder")
"""Source and first step of that flow."""

_READ: Final = re.compile(r"in (\d[\d,]*)  out ")
"""What the details of the source say of it."""

_COMMAND: Final = (sys.executable, "-c", "from loom_bench.cli import main; main()")


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    flow: Path
    rounds: int


@dataclass(frozen=True)
class Start:
    """One start, in milliseconds since the command.

    Attributes:
        graph_ms: To the frame with the graph.
        shown_ms: To the frame that says that a record was read.
    """

    graph_ms: float
    shown_ms: float


def parse_options(arguments: Sequence[str] | None = None) -> Options:
    """Read the command line; ``--help`` explains it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup", description=__doc__)
    parser.add_argument("--rounds", type=int, default=11)
    found = parser.parse_args(arguments)
    if found.rounds < 1:
        parser.error("--rounds must be 1 or more")
    return Options(_FLOW, found.rounds)


def environment() -> dict[str, str]:
    """Ours, with compiled modules kept, as they are wherever a package is installed."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def time_imports() -> float:
    """Milliseconds that a fresh interpreter takes for the bare imports."""
    started_ns = time.monotonic_ns()
    subprocess.run([sys.executable, "-c", IMPORTS], env=environment(), check=True)
    return (time.monotonic_ns() - started_ns) / 1e6


def time_start(flow: Path) -> Start:
    """Start the bench on *flow*, and end it.

    Raises:
        RunFailedError: It did not come to what is measured.
    """
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-") as scratch,
        Terminal([*_COMMAND, str(flow)], environment={**environment(), "TMPDIR": scratch}) as bench,
    ):
        # Only bytes are looked at here: an emulator would take the processor from the bench.
        if bench.wait(_has_read, _TIMEOUT_S) is None:
            raise RunFailedError(f"no record was read:\n{bench.last_screen()}")
        bench.press(b"Q")
        bench.exit_code(_TIMEOUT_S)
        return _times(bench)


def _has_read(text: str) -> bool:
    return any(count != "0" for count in _READ.findall(text))


def _times(bench: Terminal) -> Start:
    graph_ms: float | None = None
    for at_ns, rows in bench.screens():
        text = "\n".join(rows)
        at_ms = (at_ns - bench.started_ns) / 1e6
        if graph_ms is None and all(name in text for name in _GRAPH):
            graph_ms = at_ms
        found = _READ.search(text)
        if graph_ms is not None and found is not None and found[1] != "0":
            return Start(graph_ms, at_ms)
    raise RunFailedError(f"the graph was not seen:\n{bench.last_screen()}")


def report_of(imports: Sequence[float], starts: Sequence[Start]) -> Report:
    """Medians, spreads, ratios and bars."""
    report = Report("startup")
    graph = [start.graph_ms for start in starts]
    shown = [start.shown_ms for start in starts]
    report.figures["imports_ms"] = spread(imports)
    report.figures["graph_ms"] = spread(graph)
    report.figures["first_record_shown_ms"] = spread(shown)
    for name, series in (("graph_by_imports", graph), ("first_record_by_imports", shown)):
        pairs = zip(series, imports, strict=True)
        report.figures[name] = spread([ours / bare for ours, bare in pairs], 2)
    report.figures["setting"] = {
        "flow": str(_FLOW.relative_to(ROOT)),
        "terminal": "120x36",
        "broker": "embedded",
        "imports": IMPORTS,
        "cpus": os.cpu_count(),
    }
    report.bars.append(Bar("command to graph, ms", median(graph), "<=", GRAPH_LIMIT_MS))
    report.bars.append(Bar("command to first record, ms", median(shown), "<=", RECORD_LIMIT_MS))
    return report


def main() -> int:
    """Run the benchmark; 0 when it was measured, whether or not the bars are met."""
    options = parse_options()
    imports: list[float] = []
    starts: list[Start] = []
    try:
        time_imports()
        time_start(options.flow)  # compiles modules that were never imported before
        for turn in range(1, options.rounds + 1):
            imports.append(time_imports())
            starts.append(time_start(options.flow))
            progress(
                f"round {turn}/{options.rounds}  imports {imports[-1]:5.0f} ms   "
                f"graph {starts[-1].graph_ms:5.0f} ms   first record {starts[-1].shown_ms:5.0f} ms"
            )
    except RunFailedError as error:
        progress(f"failed: {error}")
        return 1
    report_of(imports, starts).emit()
    return 0


if __name__ == "__main__":
    sys.exit(main())
