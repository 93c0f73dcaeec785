"""Values that stepping is tested with, and where on the way a running application stands."""

from __future__ import annotations

from msgspec.structs import replace

from loom_bench.tui.stepping.screen import SteppingScreen
from tests.tui import inbox_values, trace_values, values
from tests.tui.running_app import Bench

TO_THE_FIRST = ("i", "enter", "enter")
"""Keys from the main screen to the first envelope of the first group."""

INBOX = inbox_values.opened(inbox_values.failing())
FAILING = replace(values.running(), tracing=trace_values.tracing(trace_values.failing_trace()))
PASSING = replace(values.running(), tracing=trace_values.tracing(trace_values.passing_trace()))
STOPPED = replace(values.running(), tracing=trace_values.stopped())
BEFORE = replace(values.running(), tracing=trace_values.stopped(at_breakpoint=True))


def stepping_of(seen: Bench) -> SteppingScreen:
    """The stepping screen that is seen."""
    assert isinstance(seen.app.screen, SteppingScreen)
    return seen.app.screen


def node_of(seen: Bench) -> str:
    """The chosen node."""
    station = stepping_of(seen).station
    return "" if station is None else station.node
