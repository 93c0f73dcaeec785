"""Runs sessions for tests, and keeps everything that they tell."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from loom_bench.broker.choice import open_broker
from loom_bench.broker.embedded import EmbeddedBroker
from loom_bench.broker.opening import Opening
from loom_bench.session.happenings import FinalLedger, Happening
from loom_bench.session.run import RunOptions, RunSession
from tests.bench.modules import write_flow

HappeningT = TypeVar("HappeningT")

ENDLESS = """
import itertools

def bench_feed():
    return (Order(number) for number in itertools.count())
"""


FEED = """
def bench_feed():
    for number in range(COUNT):
        yield Order(number)
"""


class SharedBroker:
    """The test run's broker as one that a session may feed and must not really stop."""

    kind = "embedded"
    owned = True
    writable = True
    reason = "The tests share it."
    limits = ()

    def __init__(self, broker: EmbeddedBroker) -> None:
        self._broker = broker
        self.bootstrap = broker.bootstrap
        self.stopped = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._broker, name)

    def stop(self) -> None:
        self.stopped = True


class Run:
    """One session, and everything that it told."""

    def __init__(
        self,
        target: Path | str,
        *,
        opener: Callable[[str, Opening], Any] = open_broker,
        react: Callable[["Run", Happening], None] = lambda run, happening: None,
        **options: Any,
    ) -> None:
        self.told: list[Happening] = []
        self._react = react
        self.session = RunSession(RunOptions(target=str(target), **options), opener, self._take)
        self.outcome = self.session.run()

    def _take(self, happening: Happening) -> None:
        self.told.append(happening)
        self._react(self, happening)

    def all(self, kind: type[HappeningT]) -> list[HappeningT]:
        return [each for each in self.told if isinstance(each, kind)]

    def one(self, kind: type[HappeningT]) -> HappeningT:
        (found,) = self.all(kind)
        return found

    @property
    def ledger(self) -> FinalLedger:
        last = self.told[-1]
        assert isinstance(last, FinalLedger)
        return last


def children() -> set[int]:
    """Processes that this one has started and that still run."""
    listings = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    found: set[int] = set()
    for listing in listings:
        with suppress(FileNotFoundError):  # a thread that has just ended
            found.update(map(int, listing.read_text().split()))
    return found


def fed_flow(folder: Path, count: int, *, name: str = "orders.py", more: str = "") -> Path:
    return write_flow(folder, name, FEED.replace("COUNT", str(count)) + more)
