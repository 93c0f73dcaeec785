"""Every page of panels, in the order of their keys."""

from __future__ import annotations

from typing import Final

from loom_bench.tui.panels.errors import ERRORS
from loom_bench.tui.panels.events import EVENTS
from loom_bench.tui.panels.ledger import LEDGER
from loom_bench.tui.panels.logs import LOGS
from loom_bench.tui.panels.offsets import COMMITS, OFFSETS
from loom_bench.tui.panels.output import OUTPUT
from loom_bench.tui.panels.problems import PROBLEMS, REVISIONS
from loom_bench.tui.panels.spec import PageSpec
from loom_bench.tui.panels.state import STATE

PAGES: Final = (
    PageSpec("events", "Events", "Evts", (EVENTS,)),
    PageSpec("errors", "Errors", "Errs", (ERRORS,)),
    PageSpec("offsets", "Offsets", "Offs", (OFFSETS, COMMITS)),
    PageSpec("ledger", "Ledger", "Ledg", (LEDGER,)),
    PageSpec("output", "Output", "Out", (OUTPUT,)),
    PageSpec("logs", "Logs", "Logs", (LOGS,)),
    PageSpec("state", "State", "State", (STATE,)),
    PageSpec("problems", "Problems", "Prob", (PROBLEMS, REVISIONS)),
)
