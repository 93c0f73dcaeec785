"""The ledger reports of a run as they come, and waiting for one of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from loom_runtime.ledger import LedgerReport

TIMEOUT_S = 30.0


class Reports:
    """What a run told at the end of every epoch."""

    def __init__(self) -> None:
        self._told: list[LedgerReport] = []
        self._changed = threading.Condition()
        self._ended = False

    def __call__(self, report: LedgerReport) -> None:
        """Take a report."""
        with self._changed:
            self._told.append(report)
            self._changed.notify_all()

    def end(self) -> None:
        """No more will come."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def all(self) -> list[LedgerReport]:
        """Return the reports so far."""
        with self._changed:
            return list(self._told)

    def wait_for(self, condition: Callable[[LedgerReport], bool], what: str) -> LedgerReport:
        """Wait until a report fulfils *condition* and return it."""
        deadline_s = time.monotonic() + TIMEOUT_S
        seen = 0
        with self._changed:
            while True:
                for report in self._told[seen:]:
                    if condition(report):
                        return report
                seen = len(self._told)
                assert not self._ended, f"the run ended before {what}; {self._told[-1:]}"
                left_s = deadline_s - time.monotonic()
                assert left_s > 0, f"not within {TIMEOUT_S:g} s: {what}; {self._told[-1:]}"
                self._changed.wait(left_s)

    def wait_for_consumed(self, count: int) -> LedgerReport:
        """Wait until so many records were read."""
        return self.wait_for(
            lambda report: report.total("consumed") >= count, f"{count} records were read"
        )
